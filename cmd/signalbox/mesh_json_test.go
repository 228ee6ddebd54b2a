package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oneValue reads a text that must be one JSON object and nothing else.
func oneValue(t *testing.T, what, text string) map[string]any {
	t.Helper()
	var value, more map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&value); err != nil || !errors.Is(d.Decode(&more), io.EOF) {
		t.Fatalf("%s: not one JSON value (%v): %s", what, err, text)
	}
	return value
}

// jsonLine is how a command is asked, and what its answer has; with no keys it answers nothing before its end.
type jsonLine struct {
	args []string
	keys []string
}

// jsonLines has each command of mesh, for two messages that wait; the second is acknowledged.
func jsonLines(d *desk, id, second string) map[string][]jsonLine {
	return map[string][]jsonLine{
		"send":     {{[]string{d.file("upload", []byte("x")), "--to", testTrust, "--workflow-id", testFlow}, []string{"message_id", "local_id", "bytes"}}},
		"list":     {{nil, []string{"messages"}}, {[]string{"--count"}, []string{"count"}}},
		"get":      {{[]string{id, "--head"}, []string{"message_id", "sender", "workflow_id"}}, {[]string{id, "--output", filepath.Join(d.dir, "got")}, []string{"message_id", "bytes"}}},
		"ack":      {{[]string{second}, []string{"acknowledged"}}},
		"track":    {{[]string{id}, []string{"message_id", "status", "recipient"}}},
		"validate": {{nil, []string{"mailbox", "valid"}}},
		"lookup":   {{[]string{testFlow}, []string{"results"}}, {[]string{testFlow, "--ods-code", "ZZ02"}, []string{"results"}}},
		"folder":   {{[]string{"--root", filepath.Join(d.dir, "folders")}, nil}},
		"serve":    {{[]string{"--differences"}, []string{"differences"}}},
	}
}

// Every command of mesh prints its result as one JSON value, and what it fails with as another to standard error, whether the service
// refuses, the setting is wrong or the command line is.
func TestMeshJSONEverywhere(t *testing.T) {
	d := newDesk(t)
	var ids [2]string
	for i := range ids {
		ids[i] = d.ok("send", d.file("waits", []byte("payload")), "--to", testTrust, "--workflow-id", testFlow)
	}
	lines := jsonLines(d, ids[0], ids[1])
	refuses := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, c := range meshCommand().Commands() {
		name := c.Name()
		if len(lines[name]) == 0 {
			t.Errorf("%s: has no line in this test", name)
		}
		for _, line := range lines[name] {
			args := append(append([]string{name}, line.args...), "--json")
			d.as(map[bool]string{true: testTrust, false: testLA}[slices.Contains([]string{"list", "get", "ack"}, name)])
			d.answers(d.server)
			if line.keys != nil {
				d.jsonKeys(args, line.keys)
			}
			code, out, errOut := d.mesh(append(args, "--nonsense")...)
			if value := oneValue(t, name, errOut); code != exitUsage || out != "" || value["exit"] != float64(exitUsage) || value["error"] == "" {
				t.Errorf("%s: a wrong command line: exit %d, %s%s", name, code, out, errOut)
			}
			want := exitRefused
			if d.answers(refuses); name == "serve" {
				args, want = []string{"serve", "--profile", "lenient", "--json"}, exitFailed
			}
			code, out, errOut = d.mesh(args...)
			if value := oneValue(t, name, errOut); code != want || out != "" || value["exit"] != float64(want) || value["error"] == "" {
				t.Errorf("%s: a refusal: exit %d, want %d, %s%s", name, code, want, out, errOut)
			}
		}
	}
	base, _ := serving(t, "--json")
	if value := oneValue(t, "serve", base); !strings.HasPrefix(value["url"].(string), "http://127.0.0.1:") || value["profile"] != "sandbox" || value["mailboxes"] != float64(3) {
		t.Errorf("serve: %s", base)
	}
}

// jsonKeys runs a command line whose answer must be one value with these keys.
func (d *desk) jsonKeys(args, keys []string) {
	d.t.Helper()
	code, out, errOut := d.mesh(args...)
	if code != exitOK || errOut != "" {
		d.t.Fatalf("%s: exit %d, %s", args[0], code, errOut)
	}
	value := oneValue(d.t, args[0], out)
	for _, key := range keys {
		if _, there := value[key]; !there {
			d.t.Errorf("%s: no %q in %s", args[0], key, out)
		}
	}
}
