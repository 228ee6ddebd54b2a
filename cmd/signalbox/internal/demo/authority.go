package demo

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

// authority is a local authority with its mailbox, as a MESH client would serve it.
type authority struct {
	name        string
	client      *mesh.Client
	sent, inbox string
}

// upload sends a file and keeps a copy of it.
func (a *authority) upload(ctx context.Context, name, localID string, body []byte) error {
	if err := os.WriteFile(filepath.Join(a.sent, name), body, 0o600); err != nil {
		return err
	}
	_, err := a.client.Send(ctx, mesh.Outgoing{
		To: engineMailbox, WorkflowID: uploadWorkflow, FileName: name, LocalID: localID, Compress: true,
		Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	return err
}

// letter is a file that the authority received.
type letter struct {
	header mesh.Header
	name   string // in the inbox folder
	body   []byte
}

// receive waits until n files have come, stores each and acknowledges it.
func (a *authority) receive(ctx context.Context, what string, n int) ([]letter, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var letters []letter
	for len(letters) < n {
		for id, err := range a.client.List(ctx, mesh.ListOptions{}) {
			if err != nil {
				return nil, fmt.Errorf("%s waits for %s: %w", a.name, what, err)
			}
			l, err := a.collect(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("%s collects %s: %w", a.name, what, err)
			}
			letters = append(letters, l)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s waited in vain for %s", a.name, what)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return letters, nil
}

func (a *authority) collect(ctx context.Context, id string) (letter, error) {
	in, err := a.client.Get(ctx, id)
	if err != nil {
		return letter{}, err
	}
	defer in.Close()
	body, err := io.ReadAll(in)
	if err != nil {
		return letter{}, err
	}
	// The sender's file name is not fit to be a path: only its last element is taken.
	l := letter{header: in.Header, name: filepath.Base(in.Header.FileName), body: body}
	if err := os.WriteFile(filepath.Join(a.inbox, l.name), body, 0o600); err != nil {
		return letter{}, err
	}
	return l, a.client.Acknowledge(ctx, id)
}

// tellAcknowledgement reads an acknowledgement as the authority's system would and prints it.
func (a *authority) tellAcknowledgement(s *story, l letter) error {
	if filepath.Ext(l.name) == ".csv" {
		return tellCSV(s, a.name, l.body)
	}
	r, err := cpis.DecodeResponse(l.body)
	if err != nil {
		return err
	}
	var codes []string
	for _, c := range r.Codes {
		codes = append(codes, string(c)+" "+c.Display())
	}
	s.say("%s is told about file %s: %s; %d stand, %d do not", a.name, r.FileID, strings.Join(codes, ", "), r.Successful, r.Failed)
	for _, rec := range r.Records {
		s.detail("%s %s", rec.Code, rec.Location)
		if rec.Reason != "" {
			s.detail("    %s", rec.Reason)
		}
	}
	return nil
}

func tellCSV(s *story, name string, body []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		return err
	}
	s.say("%s is told about its file, one line a row:", name)
	for _, row := range rows[1:] {
		line := fmt.Sprintf("row %s %s", row[0], row[1])
		if row[2] != "" {
			line += ": " + strings.Trim(row[2]+", "+row[3], ", ") + ": " + row[4]
		}
		s.detail("%s", line)
	}
	return nil
}

// tellNotification reads an access notification and prints it.
func (a *authority) tellNotification(s *story, l letter) (int, error) {
	n, err := cpis.DecodeNotification(l.body)
	if err != nil {
		return 0, err
	}
	for _, access := range n.Accesses {
		who := access.Person
		if who == "" {
			who = "system " + access.Device
		} else {
			who += ", " + access.RoleName
		}
		s.say("%s is told: its child %s was seen at %s (%s) by %s, %s; flagged by its file %s", a.name, access.LocalID,
			access.OrganisationName, access.Organisation, who, clock(access.At), access.FileID)
	}
	return len(n.Accesses), nil
}

func clock(hl7 string) string {
	if at, err := time.Parse("20060102150405-0700", hl7); err == nil {
		return at.Format("2 January 2006 15:04 -0700")
	}
	return hl7
}
