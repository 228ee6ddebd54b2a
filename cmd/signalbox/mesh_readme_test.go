package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func meshReadme(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../mesh/README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var quoted = regexp.MustCompile("`([^`]+)`")

// What the README says that users of the NHS Python client find under its name is there: flags of a command, and the variable.
func TestMeshNamesOfThePythonClient(t *testing.T) {
	_, rest, ok := strings.Cut(meshReadme(t), "| name here | in the NHS Python client |\n|---|---|\n")
	rows, _, _ := strings.Cut(rest, "\n\n")
	if !ok {
		t.Fatal("the README has no table of the names")
	}
	var flags, keywords []string
	for _, c := range meshCommand().Commands() {
		if slices.Contains([]string{"send", "list"}, c.Name()) {
			flags = append(flags, strings.Fields(c.Flags().FlagUsages()+c.InheritedFlags().FlagUsages())...)
		}
	}
	for _, row := range strings.Split(rows, "\n") {
		cells := strings.Split(row, " | ")
		if len(cells) != 2 {
			t.Fatalf("a row of %d cells: %s", len(cells), row)
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			name, isFlag := strings.CutPrefix(m[1], "--")
			switch {
			case isFlag && !slices.Contains(flags, m[1]):
				t.Errorf("there is no flag %s", m[1])
			case isFlag:
				keywords = append(keywords, strings.ReplaceAll(strings.TrimSuffix(name, "-file"), "-", "_"))
			case m[1] != envSharedKey && m[1] != "list":
				t.Errorf("%s is neither a flag nor the variable", m[1])
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if m[1] != "send_message" && !slices.Contains(keywords, m[1]) {
				t.Errorf("the client's %s has no name here", m[1])
			}
		}
	}
	for _, keyword := range strings.Fields("url mailbox password shared_key cert timeout workflow_id filename local_id subject encrypted compressed checksum content_type compress max_chunk_size workflow_filter max_results") {
		if !slices.Contains(keywords, keyword) {
			t.Errorf("the table does not have %s", keyword)
		}
	}
	t.Setenv("MESH_CLIENT_SHARED_KEY", "key")
	if key, err := meshSecret("", envSharedKey, "shared key"); err != nil || key != "key" {
		t.Errorf("the client's variable is not read: %v", err)
	}
}

// The README's calls by hand, as they stand there: a stranger's first minute with the server in the place of the NHS sandbox.
func TestReadmeCallsByHand(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT RUN: the README's calls by hand need %s, which is not installed", tool)
		}
	}
	_, rest, found := strings.Cut(meshReadme(t), "\ntoken() {")
	block, _, ended := strings.Cut(rest, "\n```")
	if !found || !ended || strings.Count(block, "localhost:8700") < 3 {
		t.Fatal("the README has no calls by hand")
	}
	base, _ := serving(t, "--shared-key", "TestKey")
	script := "set -e\ncurl() { command curl -sS --noproxy '*' -w '\\n%{http_code}\\n' \"$@\"; }\ntoken() {" + strings.ReplaceAll(block, "localhost:8700", base)
	script += "\ncurl -X POST -H \"Authorization: $(token X26ABC1)\" " + base + "/messageexchange/X26ABC1"
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 8 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	id := regexp.MustCompile(`^\{"messageID":"([0-9A-F]{32})"\}$`).FindStringSubmatch(lines[2])
	if lines[0] != `{"mailboxId":"X26ABC1"}` || lines[1] != "200" || id == nil || lines[3] != "202" {
		t.Fatalf("handshake and send: %s", out)
	}
	if lines[4] != `{"messages":["`+id[1]+`"]}` || lines[5] != "200" {
		t.Errorf("inbox: %s", out)
	}
	if lines[7] != "400" || strings.Count(lines[6], "field required") != 3 {
		t.Errorf("a handshake without its headers is refused by the sandbox with 400: %s", out)
	}
}
