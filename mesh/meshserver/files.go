package meshserver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"signalbox/mesh"
)

// maxLine bounds a line of a data file, in bytes.
const maxLine = 1 << 20

// mailboxLine is a line of the NHS mesh-sandbox's mailboxes.jsonl, and its answer about a mailbox.
type mailboxLine struct {
	ID            string  `json:"mailbox_id"`
	Name          string  `json:"mailbox_name"`
	BillingEntity string  `json:"billing_entity,omitempty"`
	ODSCode       string  `json:"ods_code"`
	OrgCode       string  `json:"org_code"`
	OrgName       string  `json:"org_name"`
	Password      *string `json:"password,omitempty"`
	Active        *bool   `json:"active,omitempty"`
}

// ReadMailboxes reads mailboxes.jsonl of the NHS mesh-sandbox: one JSON object a line with mailbox_id, mailbox_name,
// billing_entity, ods_code, org_code, org_name, password and active, which is true when it is left out. Other keys are
// passed over. An error names the line and never quotes it: it holds a password.
func ReadMailboxes(r io.Reader) ([]Mailbox, error) {
	var out []Mailbox
	err := eachLine(r, func(raw []byte) error {
		var l mailboxLine
		if err := json.Unmarshal(raw, &l); err != nil {
			return errLine
		}
		m := Mailbox{
			ID: l.ID, Name: l.Name, BillingEntity: l.BillingEntity, ODSCode: l.ODSCode, OrgCode: l.OrgCode, OrgName: l.OrgName,
			Active: l.Active == nil || *l.Active,
		}
		if l.Password != nil {
			m.Password = mesh.Secret(*l.Password)
		}
		out = append(out, m)
		return nil
	})
	return out, wrap("mailboxes", err)
}

// ReadWorkflows reads workflows.jsonl of the NHS mesh-sandbox: one JSON object a line with workflow_id, senders and
// receivers.
func ReadWorkflows(r io.Reader) ([]Workflow, error) {
	var out []Workflow
	err := eachLine(r, func(raw []byte) error {
		var l struct {
			ID        string   `json:"workflow_id"`
			Senders   []string `json:"senders"`
			Receivers []string `json:"receivers"`
		}
		if err := json.Unmarshal(raw, &l); err != nil {
			return errLine
		}
		out = append(out, Workflow(l))
		return nil
	})
	return out, wrap("workflows", err)
}

// ReadFaults reads faults: one JSON object a line with the keys of Fault. Keys that are unknown are errors: a fault that is
// not injected because of a typing mistake makes a test pass that should not.
func ReadFaults(r io.Reader) ([]Fault, error) {
	var out []Fault
	err := eachLine(r, func(raw []byte) error {
		l := struct {
			Fault
			Delay string `json:"delay"`
		}{}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			return err
		}
		if l.Delay != "" {
			d, err := time.ParseDuration(l.Delay)
			if l.Fault.Delay = d; err != nil {
				return errors.New("delay: want a duration such as 250ms")
			}
		}
		if err := l.validate(); err != nil {
			return err
		}
		out = append(out, l.Fault)
		return nil
	})
	return out, wrap("faults", err)
}

var errLine = errors.New("is not the JSON object that is wanted")

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("meshserver: %s: %w", what, err)
}

// eachLine calls read for every line that is neither empty nor a comment.
func eachLine(r io.Reader, read func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := read(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// SandboxMailboxes returns the mailboxes that the NHS mesh-sandbox comes with: X26ABC1 to X26ABC3, password "password".
func SandboxMailboxes() []Mailbox {
	box := func(id, ods string) Mailbox {
		return Mailbox{ID: id, Password: "password", Name: "TESTMB" + id[len(id)-1:], BillingEntity: "England", ODSCode: ods, OrgCode: ods, OrgName: "TEST ORG", Active: true}
	}
	return []Mailbox{box("X26ABC1", "X26"), box("X26ABC2", "X26"), box("X26ABC3", "X27")}
}

// SandboxWorkflows returns the workflows that the NHS mesh-sandbox comes with.
func SandboxWorkflows() []Workflow {
	return []Workflow{
		{ID: "TEST_WORKFLOW", Senders: []string{"X26ABC1"}, Receivers: []string{"X26ABC2"}},
		{ID: "TEST_WORKFLOW_ACK", Senders: []string{"X26ABC2"}, Receivers: []string{"X26ABC1", "X26ABC3"}},
		{ID: "TEST_WORKFLOW2", Senders: []string{"X26ABC1"}, Receivers: []string{"X26ABC1", "X26ABC2", "X26ABC3"}},
	}
}

// TLS returns the configuration for a server on the wire: TLS 1.2 or later, HTTP/1.1 alone, as the service offers. With a
// file of certificate authorities, a client must show a certificate of one of them; without it none is asked for. All
// files are PEM.
func TLS(certFile, keyFile, clientCAFile string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("meshserver: tls: %w", err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	if clientCAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(clientCAFile)
	if err != nil {
		return nil, fmt.Errorf("meshserver: tls: client authorities: %w", err)
	}
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("meshserver: tls: client authorities: no certificate in the file")
	}
	return cfg, nil
}
