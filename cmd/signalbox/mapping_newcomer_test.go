package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/conformance/harness"
	"signalbox/mappings"
)

// readmeStep finds a command of the newcomer's path in mappings/README.md: each is run, in order, and must exit as it says there.
var readmeStep = regexp.MustCompile(`(?m)^\$ (?:signalbox )?((?:mapping|cp -r) .*?)(?:\s+# exits with (\d))?$`)

// A newcomer gets from an unfamiliar file to a green test and a clean backtest by the README alone.
func TestNewcomersPathOfTheReadme(t *testing.T) {
	raw, err := os.ReadFile("../../mappings/README.md")
	harness.Must(t, err)
	_, path, _ := strings.Cut(string(raw), "## From an unfamiliar file to proven events")
	path, _, _ = strings.Cut(path, "\n## ")
	t.Chdir(t.TempDir())
	follow(t, path)
}

// The same with a file unlike any other; then an engine has the folder configured and has taken the file in, and a backtest over its record is
// clean.
func TestNewcomersPathOfAFileUnlikeTheOthers(t *testing.T) {
	raw, err := os.ReadFile("../../mappings/testdata/unfamiliar/README.md")
	harness.Must(t, err)
	dir := t.TempDir()
	t.Chdir(dir)
	follow(t, string(raw))
	if out := want(t, exitOK, "mapping", "lint", "westgate"); strings.Contains(out, "open") {
		t.Errorf("something is left open: %s", out)
	}
	w := harness.New(t, harness.LA{Mailbox: "TESTLA02", Supplier: "westgate", ODSCode: "996", Name: "WESTGATE COUNCIL", Dialect: "csv"})
	w.Config.Suppliers = dir
	with, err := mappings.Load(os.DirFS(dir), "westgate", adapters.All())
	harness.Must(t, err)
	sample, err := os.ReadFile("sample.csv")
	harness.Must(t, err)
	r := recordWith(t, w, filepath.Join(dir, "westgate"), with, sample)
	expect(t, exitOK, []string{"no change: this version is the one that is configured"}, "mapping", "plan", "westgate", "--config", r.config)
	expect(t, exitOK, []string{"1 messages, 9 records, 9 the same, different: nothing"}, "mapping", "backtest", "westgate", "--config", r.config)
	expect(t, exitOK, []string{"identical", "D.O.B."}, "mapping", "explain", string(r.event), "--config", r.config)
	harness.Must(t, os.CopyFS("copy-of-westgate", os.DirFS("westgate")))
	expect(t, exitFailed, []string{"keep it under its own name in another folder, such as before/westgate", "more  signalbox mapping error E123"},
		"mapping", "backtest", "westgate", "--against", "copy-of-westgate", "--file", "sample.csv")
}

// want runs a command that has to exit with a code, and returns what it prints.
func want(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, out, errOut := command(t, args...)
	if got != code {
		t.Fatalf("%v: exit %d, want %d\n%s%s", args, got, code, out, errOut)
	}
	return out
}

// follow does in the working directory what a page says: its sample, its commands, its edits.
func follow(t *testing.T, path string) {
	t.Helper()
	sample, _, ok := strings.Cut(after(path, "`sample.csv`:\n\n```\n"), "```")
	if !ok {
		t.Fatal("the README shows no sample")
	}
	harness.Must(t, os.WriteFile("sample.csv", []byte(sample), 0o600))
	steps := 0
	for _, step := range readmeStep.FindAllStringSubmatch(path, -1) {
		steps++
		if from, to, copies := strings.Cut(strings.TrimPrefix(step[1], "cp -r "), " "); copies && strings.HasPrefix(step[1], "cp -r ") {
			harness.Must(t, os.CopyFS(to, os.DirFS(from)))
			edit(t, path, step[0])
			continue
		}
		args := shellWords(step[1])
		code := exitOK
		if step[2] != "" {
			code = int(step[2][0] - '0')
		}
		out := want(t, code, args...)
		for _, line := range quotedOutput(path, step[0]) {
			if !strings.Contains(out, line) {
				t.Errorf("%s does not print what the README shows:\n%q\nbut\n%s", step[0], line, out)
			}
		}
		edit(t, path, step[0])
	}
	if steps < 6 {
		t.Errorf("only %d steps were found in the README", steps)
	}
}

func after(s, mark string) string {
	_, rest, _ := strings.Cut(s, mark)
	return rest
}

// shellWords splits a command line at spaces outside of single quotes.
func shellWords(line string) []string {
	var out []string
	quoted := false
	word := ""
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word != "" {
				out = append(out, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	return out
}

// quotedOutput lists the lines that the README shows below a command.
func quotedOutput(path, command string) []string {
	rest, _, _ := strings.Cut(after(path, command+"\n"), "```")
	var out []string
	for line := range strings.Lines(rest) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "$ ") {
			break
		}
		if line != "" && line != "..." {
			out = append(out, line)
		}
	}
	return out
}

// edit changes what the README has a person change after a command.
func edit(t *testing.T, path, command string) {
	t.Helper()
	for _, e := range edits(path, command) {
		text, err := os.ReadFile(e[0])
		harness.Must(t, err)
		if !strings.Contains(string(text), e[1]) {
			t.Fatalf("%s does not hold %q:\n%s", e[0], e[1], text)
		}
		harness.Must(t, os.WriteFile(e[0], []byte(strings.Replace(string(text), e[1], e[2], 1)), 0o600))
	}
}

// edits lists what the README has a person change after a command: "In `file` write `new` for `old`."
func edits(path, command string) [][3]string {
	rest := after(path, command+"\n")
	if next := strings.Index(rest, "\n$ "); next >= 0 {
		rest = rest[:next]
	}
	var out [][3]string
	for _, m := range regexp.MustCompile("In `([^`]+)` write `([^`]+)` for `([^`]+)`").FindAllStringSubmatch(rest, -1) {
		out = append(out, [3]string{m[1], m[3], m[2]})
	}
	return out
}
