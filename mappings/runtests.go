package mappings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/tools/txtar"

	"signalbox/engine"
)

// TestResult is one tests/*.txtar file that was run.
type TestResult struct {
	Path    string // within the file system
	Passed  bool
	Updated bool   // its want was rewritten
	Diff    string // want against got, where it did not pass
	Fault   string // why it could not be run, or empty
}

// TestReport is what a supplier's tests came to.
type TestReport struct {
	Supplier string
	Results  []TestResult
}

// Failed counts the tests that did not pass.
func (r TestReport) Failed() int {
	n := 0
	for _, result := range r.Results {
		if !result.Passed {
			n++
		}
	}
	return n
}

// Render prints one line a test, and the difference of those that failed.
func (r TestReport) Render(w io.Writer) error {
	var b strings.Builder
	for _, result := range r.Results {
		switch {
		case result.Fault != "":
			fmt.Fprintf(&b, "FAIL  %s\n      %s\n", result.Path, result.Fault)
		case result.Updated:
			fmt.Fprintf(&b, "new   %s\n", result.Path)
		case result.Passed:
			fmt.Fprintf(&b, "ok    %s\n", result.Path)
		default:
			fmt.Fprintf(&b, "FAIL  %s  (- want, + got)\n%s", result.Path, result.Diff)
		}
	}
	fmt.Fprintf(&b, "%s: %d tests, %d failed\n", r.Supplier, len(r.Results), r.Failed())
	_, err := io.WriteString(w, b.String())
	return err
}

// TestOption changes how RunTests works.
type TestOption func(*testRun)

// Update rewrites the want of every test that differs. write receives the file's path within the file system and its new content.
func Update(write func(path string, content []byte) error) TestOption {
	return func(t *testRun) { t.write = write }
}

type testRun struct {
	mapping *Mapping
	write   func(string, []byte) error
}

// RunTests runs every tests/*.txtar of the folder dir against its mapping. The error is about reading the folder; a test that fails is in
// the report. Tests reveal what they hold, so they hold fictitious persons only.
func RunTests(fsys fs.FS, dir string, m *Mapping, options ...TestOption) (TestReport, error) {
	run := testRun{mapping: m}
	for _, option := range options {
		option(&run)
	}
	report := TestReport{Supplier: m.supplier}
	entries, err := fs.ReadDir(fsys, path.Join(dir, testFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return report, nil
	}
	if err != nil {
		return report, fmt.Errorf("run tests: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".txtar") {
			continue
		}
		name := path.Join(dir, testFolder, entry.Name())
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return report, fmt.Errorf("run tests: %w", err)
		}
		report.Results = append(report.Results, run.file(name, raw))
	}
	return report, nil
}

func (t testRun) file(name string, raw []byte) TestResult {
	archive := txtar.Parse([]byte(normalise(string(raw))))
	msg, want, err := readTest(archive, t.mapping.source.schema.Encoding)
	if err != nil {
		return TestResult{Path: name, Fault: err.Error()}
	}
	var results []engine.Translated
	for r := range t.mapping.Translate(msg) {
		results = append(results, r)
	}
	got := describe(results)
	if got == want {
		return TestResult{Path: name, Passed: true}
	}
	if t.write == nil {
		return TestResult{Path: name, Diff: diff(want, got)}
	}
	setSection(archive, "want", got)
	if err := t.write(name, txtar.Format(archive)); err != nil {
		return TestResult{Path: name, Fault: "the new want cannot be written: " + err.Error()}
	}
	return TestResult{Path: name, Passed: true, Updated: true}
}

func setSection(a *txtar.Archive, name, content string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(content)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(content)})
}
