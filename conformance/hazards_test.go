package conformance_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// hazard is one entry of hazards.yaml, in the manner of a hazard log of DCB0129.
type hazard struct {
	ID         string        `yaml:"id"`
	Hazard     string        `yaml:"hazard"`
	Effect     string        `yaml:"effect"`
	Severity   string        `yaml:"severity"`
	Likelihood string        `yaml:"likelihood"`
	Causes     []hazardCause `yaml:"causes"`
	Residual   string        `yaml:"residual"`
}

type hazardCause struct {
	Cause    string          `yaml:"cause"`
	Controls []hazardControl `yaml:"controls"`
}

// hazardControl is kept by tests, or by somebody.
type hazardControl struct {
	Control   string   `yaml:"control"`
	Tests     []string `yaml:"tests"`
	Scenarios []string `yaml:"scenarios"`
	Operates  string   `yaml:"operates"`
}

// The words that a log may use: those of the risk matrix that the guidance to DCB0129 prints, and who may have to act.
var (
	severities  = []string{"minor", "significant", "considerable", "major", "catastrophic"}
	likelihoods = []string{"very low", "low", "medium", "high", "very high"}
	operators   = []string{"operator", "authority", "trust", "supplier"}
)

func TestEveryControlOfTheHazardLogHasItsTest(t *testing.T) {
	all, known := readHazards(t, "hazards.yaml"), testNames(t)
	controls, kept := 0, map[string]bool{}
	for i, h := range all {
		if want := fmt.Sprintf("H%02d", i+1); h.ID != want {
			t.Errorf("%s stands where %s should: ids are given in order and never again", h.ID, want)
		}
		for _, fault := range h.faults(known) {
			t.Error(fault)
		}
		for _, c := range h.Causes {
			controls += len(c.Controls)
			for _, control := range c.Controls {
				for _, name := range control.Tests {
					kept[name] = true
				}
			}
		}
	}
	if len(all) < 30 {
		t.Errorf("%d hazards: the log is not whole", len(all))
	}
	t.Logf("%d hazards, %d controls, kept by %d tests", len(all), controls, len(kept))
}

// A log that is wrong in each way is told so.
func TestTheHazardCheckBites(t *testing.T) {
	known := map[string]bool{"engine.TestIs": true}
	good := func() hazard {
		return hazard{ID: "H01", Hazard: "h", Effect: "e", Severity: "major", Likelihood: "low",
			Causes: []hazardCause{{Cause: "c", Controls: []hazardControl{{Control: "k", Tests: []string{"engine.TestIs"}}}}}}
	}
	if faults := good().faults(known); len(faults) != 0 {
		t.Fatalf("a good entry: %q", faults)
	}
	for name, spoil := range map[string]func(h *hazard){
		"no effect":         func(h *hazard) { h.Effect = "" },
		"another word":      func(h *hazard) { h.Severity = "bad" },
		"another chance":    func(h *hazard) { h.Likelihood = "never" },
		"no cause":          func(h *hazard) { h.Causes = nil },
		"a nameless cause":  func(h *hazard) { h.Causes[0].Cause = "" },
		"no control":        func(h *hazard) { h.Causes[0].Controls = nil },
		"kept by nobody":    func(h *hazard) { h.Causes[0].Controls[0].Tests = nil },
		"kept by a ghost":   func(h *hazard) { h.Causes[0].Controls[0].Tests = []string{"engine.TestIsNot"} },
		"kept by someone":   func(h *hazard) { h.Causes[0].Controls[0].Operates = "someone" },
		"no such scenario":  func(h *hazard) { h.Causes[0].Controls[0].Scenarios = []string{"none.txt"} },
		"a control unnamed": func(h *hazard) { h.Causes[0].Controls[0].Control = "" },
	} {
		h := good()
		spoil(&h)
		if len(h.faults(known)) != 1 {
			t.Errorf("%s: %q", name, h.faults(known))
		}
	}
}

func readHazards(t *testing.T, file string) []hazard {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	var log struct {
		Hazards []hazard `yaml:"hazards"`
	}
	dec := yaml.NewDecoder(in)
	dec.KnownFields(true)
	if err := dec.Decode(&log); err != nil {
		t.Fatal(err)
	}
	return log.Hazards
}

// faults is what is wrong with an entry, given the tests that there are.
func (h hazard) faults(known map[string]bool) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, h.ID+": "+fmt.Sprintf(format, args...)) }
	if h.Hazard == "" || h.Effect == "" {
		say("it needs a hazard and an effect")
	}
	if !slices.Contains(severities, h.Severity) {
		say("the severity %q is none of %q", h.Severity, severities)
	}
	if !slices.Contains(likelihoods, h.Likelihood) {
		say("the likelihood %q is none of %q", h.Likelihood, likelihoods)
	}
	if len(h.Causes) == 0 {
		say("it has no cause")
	}
	for _, c := range h.Causes {
		if c.Cause == "" || len(c.Controls) == 0 {
			say("a cause needs its words and a control")
		}
		for _, control := range c.Controls {
			out = append(out, control.faults(h.ID, known)...)
		}
	}
	return out
}

func (c hazardControl) faults(id string, known map[string]bool) []string {
	var out []string
	if c.Control == "" || len(c.Tests) == 0 && c.Operates == "" {
		out = append(out, id+": a control needs its words, and tests that keep it or somebody who does")
	}
	if c.Operates != "" && !slices.Contains(operators, c.Operates) {
		out = append(out, fmt.Sprintf("%s: %q is none of %q", id, c.Operates, operators))
	}
	for _, name := range c.Tests {
		if !known[name] {
			out = append(out, id+": there is no test "+name)
		}
	}
	for _, name := range c.Scenarios {
		if _, err := os.Stat(filepath.Join("scenarios", name)); err != nil {
			out = append(out, id+": there is no scenario "+name)
		}
	}
	return out
}

// testNames is every test of the project as "folder.Name", with those that a suite runs on each database (folder.testName).
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && isTest(f) {
				names[path.Dir(file)+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil || len(names) < 100 {
		t.Fatalf("%d tests found, %v", len(names), err)
	}
	return names
}

func isTest(f *ast.FuncDecl) bool {
	return (strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" || strings.HasPrefix(f.Name.Name, "test")) && len(f.Type.Params.List) > 0
}
