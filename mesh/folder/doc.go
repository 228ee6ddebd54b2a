// Package folder is the directory interface of the MESH client: pairs of a payload NAME.dat and a control file NAME.ctl in the
// folders IN, OUT, SENT and FAILED.
//
// It takes either side of it. A Bridge serves the folders from a mailbox, as the Java MESH client does: what an application
// puts into OUT is sent, what arrives is put into IN. A Box is the application's side, and stands where a mesh.Client would: it
// reads IN and writes OUT, while another MESH client does the transport.
//
// Nothing is ever visible half: a file is written elsewhere in the same file system, made durable and renamed, the .dat before
// the .ctl. Whatever step a process is killed at, the next one goes on from there: nothing is lost, nothing is sent or delivered
// twice.
//
// Source: the MESH client's published directory interface and the control-file schema of the NHS Data Transfer Service client
// (2013), on which it rests; what neither says is written as an assumption where it is made.
package folder
