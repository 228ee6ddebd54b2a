//go:build unix

package faults

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

// authority is one local authority: it uploads in its own dialect and reads what comes back.
type authority struct {
	index int // 0: CP-IS XML, 1: CSV
	box   *mesh.Client
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func (w *world) openAuthority(t testing.TB, index int, mailbox string) *authority {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	a := &authority{index: index, box: w.client(t, mailbox), stop: stop}
	a.done.Go(func() { a.collect(ctx, w.checker) })
	t.Cleanup(func() { stop(); a.done.Wait() })
	return a
}

// collect empties the mailbox for as long as the run lasts. Each letter is logged once: it is acknowledged after it was read.
func (a *authority) collect(ctx context.Context, c *checker) {
	for ctx.Err() == nil {
		for id, err := range a.box.List(ctx, mesh.ListOptions{}) {
			if err != nil {
				break // the run is over: this mailbox is reached without a proxy
			}
			if in, err := a.box.Get(ctx, id); err == nil {
				body, err := io.ReadAll(in)
				_ = in.Close()
				if err == nil && a.box.Acknowledge(ctx, id) == nil {
					c.arrived(a.index, in.Header.WorkflowID, body)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// send uploads a file and returns when MESH has taken it: from then on nothing of it may be lost.
func (a *authority) send(t testing.TB, u *upload) {
	t.Helper()
	body := u.xml
	if a.index == 1 {
		body = u.csv
	}
	raw := body(t)
	_, err := a.box.Send(context.Background(), mesh.Outgoing{
		To: ourMailbox, WorkflowID: workflow, LocalID: fmt.Sprintf("upload-%d", u.number), FileName: "upload", Body: bytes.NewReader(raw), Size: int64(len(raw)),
	})
	must(t, err)
}

// upload is one file. Its number is in it in a way that its acknowledgement gives back.
type upload struct {
	number  int
	la      int
	records []record
	sent    time.Time
	acks    []ack
}

// record is one child in one state. The state's number is the day on which the plan starts, so an answer shows which state it gives.
type record struct {
	child   *child
	state   int
	ends    bool // the entry is withdrawn: the flag is not to be seen any more
	spoiled bool // the number fails its check: the record is to be refused, and nothing beside it
}

func (r record) start() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.state)
}

func (r record) nhs() string {
	n := r.child.number
	if r.spoiled {
		return n[:9] + string('0'+(n[9]-'0'+1)%10)
	}
	return n
}

func (u *upload) xml(t testing.TB) []byte {
	f := cpis.Upload{CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), FileID: fmt.Sprint(u.number),
		Organisation: cpis.Organisation{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL",
			Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}}}
	for _, r := range u.records {
		plan := cpis.Plan{Kind: cpis.PlanChildProtection, Start: r.start().Format("20060102") + "0000"}
		if r.ends {
			plan.Delete = "202609300000"
		}
		f.Records = append(f.Records, cpis.UploadRecord{Plan: plan, Subject: cpis.Subject{NHSNumber: r.nhs(), LocalID: "LA-1",
			AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", BirthTime: "20150312", Given: "Ada", Family: "Testone"}})
	}
	var buf bytes.Buffer
	must(t, cpis.EncodeUpload(&buf, f))
	return buf.Bytes()
}

// digits is how many rows in front of a CSV file spell its number: that dialect's acknowledgement names no file. A row that is skipped is
// a one, a row whose plan code is unknown, and which is parked, is a nought.
const digits = 20

func (u *upload) csv(testing.TB) []byte {
	var buf bytes.Buffer
	buf.WriteString("nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n")
	for bit := range digits {
		if u.number>>bit&1 == 1 {
			buf.WriteString("9990000018,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-0,T,\r\n")
		} else {
			buf.WriteString("9990000018,Ada,Testone,12/03/2015,?,04/01/2026,,,NS-0,L,\r\n")
		}
	}
	for _, r := range u.records {
		withdrawn := ""
		if r.ends {
			withdrawn = "30/09/2026"
		}
		fmt.Fprintf(&buf, "%s,Ada,Testone,12/03/2015,L,%s,,%s,NS-1,L,\r\n", r.nhs(), r.start().Format("02/01/2006"), withdrawn)
	}
	return buf.Bytes()
}

// ack is what an acknowledgement file says: of which upload, and which of its records stand.
type ack struct {
	number  int
	at      time.Time
	stand   int
	refused int
}

func readXMLAck(body []byte) (ack, error) {
	r, err := cpis.DecodeResponse(body)
	if err != nil {
		return ack{}, err
	}
	a := ack{stand: r.Successful, refused: r.Failed}
	_, err = fmt.Sscan(r.FileID, &a.number)
	return a, err
}

func readCSVAck(body []byte) (ack, error) {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		return ack{}, err
	}
	if len(rows) < digits+1 {
		return ack{}, fmt.Errorf("a CSV acknowledgement of %d lines", len(rows))
	}
	var a ack
	for bit, row := range rows[1 : digits+1] {
		if row[1] == "skipped" {
			a.number |= 1 << bit
		} else if row[1] != "parked" {
			return ack{}, fmt.Errorf("a row that spells the number is %s", row[1])
		}
	}
	for _, row := range rows[digits+1:] {
		if row[1] == "accepted" {
			a.stand++
		} else {
			a.refused++
		}
	}
	return a, nil
}
