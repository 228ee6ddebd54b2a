// Package faults breaks the engine on purpose and checks from outside that nothing acknowledged was lost and nothing shown twice.
//
// The engine is a child process that is killed, frozen and cut off. The checker plays the local authorities and the trust, numbers what it
// sends, logs what arrives, and never asks the engine for its own counts. It holds tests only; conformance/README.md says how to run them.
package faults
