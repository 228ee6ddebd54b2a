package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/mesh"
)

// ask makes one request and returns the status and the body.
func ask(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// The sandbox's own variables choose its canned store and its ways of looking at tokens, and the flags do as well.
func TestServeCanned(t *testing.T) {
	t.Setenv("AUTH_MODE", "canned")
	t.Setenv("STORE_MODE", "canned")
	base, _ := serving(t)
	const want = `{"messages":["SIMPLE_MESSAGE"]}`
	if status, got := ask(t, "GET", base+"/messageexchange/X26ABC1/inbox", "", "Authorization", "NHSMESH X26ABC1:VALID:1:things"); status != 200 || got != want {
		t.Errorf("by variables: %d %s", status, got)
	}
	t.Setenv("AUTH_MODE", "no_auth") // the sandbox's default, which means a full check
	t.Setenv("STORE_MODE", "file")
	base, _ = serving(t, "--auth", "none", "--canned")
	if status, got := ask(t, "GET", base+"/messageexchange/X26ABC1/inbox", ""); status != 200 || got != want {
		t.Errorf("by flags: %d %s", status, got)
	}
	base, _ = serving(t)
	if status, got := ask(t, "GET", base+"/messageexchange/X26ABC1/inbox", ""); status != 403 {
		t.Errorf("a full check: %d %s", status, got)
	}
}

// The first data files of the sandbox have fewer mailboxes than their workflows name, and no org_name, active, or line end.
func TestServeReadsTheSandboxesFirstFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, lines ...string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	base, _ := serving(t,
		"--mailboxes", file("mailboxes.jsonl",
			`{"mailbox_id":  "X26ABC1", "mailbox_name": "TESTMB1", "billing_entity": "England", "ods_code": "X26", "org_code": "X26", "password": "password"}`,
			`{"mailbox_id":  "X26ABC2", "mailbox_name": "TESTMB2", "billing_entity": "England", "ods_code": "X26", "org_code": "X26", "password": "password"}`),
		"--workflows", file("workflows.jsonl",
			`{"workflow_id": "TEST_WORKFLOW", "senders":  ["X26ABC1"], "receivers":  ["X26ABC2"]}`,
			`{"workflow_id": "TEST_WORKFLOW_ACK", "senders":  ["X26ABC2"], "receivers":  ["X26ABC1", "X26ABC3"]}`))
	exchange(t, base, nil)
	status, got := ask(t, "GET", base+"/messageexchange/endpointlookup/X26/TEST_WORKFLOW_ACK", "", "Accept", "application/vnd.mesh.v2+json")
	if status != 200 || got != `{"results":[{"mailbox_id":"X26ABC1","mailbox_name":"TESTMB1"}]}` {
		t.Errorf("%d %s", status, got)
	}
}

// A message to a patient's practice goes through the directory, and the clock can be set ahead.
func TestServePatientsAndClock(t *testing.T) {
	patients := filepath.Join(t.TempDir(), "patients.jsonl")
	if err := os.WriteFile(patients, []byte(`{"nhs_number":"9990000018","birth_date":"2014-02-09","surname":"Test","ods_code":"X27"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	base, _ := serving(t, "--profile", "strict", "--admin", "--patients", patients)
	sender := dial(t, base, "X26ABC1", nil)
	id, err := sender.Send(t.Context(), mesh.Outgoing{To: "GPPROVIDER_9990000018_09022014_Test", WorkflowID: "TEST_WORKFLOW2", Body: strings.NewReader("x")})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := sender.Track(t.Context(), id); err != nil || found.Recipient != "X26ABC3" || found.Status != "accepted" {
		t.Errorf("%+v, %v", found, err)
	}
	if status, got := ask(t, "POST", base+"/messageexchange/admin/clock", `{"advance":"120h"}`); status != 200 || !strings.HasPrefix(got, `{"now":"20`) {
		t.Errorf("clock: %d %s", status, got)
	}
	if found, err := sender.Track(t.Context(), id); err != nil || found.Status != "undeliverable" {
		t.Errorf("after five days: %+v, %v", found, err)
	}
}
