package cpis

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fact is one row of README.md's table of what is known of the scheme.
type fact struct{ place, known, proof string }

func readFacts(t *testing.T) []fact {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(readme), "## What is known of the scheme")
	require.True(t, ok)
	table, _, ok = strings.Cut(table, "## Assumptions")
	require.True(t, ok)
	var out []fact
	for _, row := range regexp.MustCompile(`(?m)^\| ([1-8][\d.]*) \| (.*) \| (.*) \|$`).FindAllStringSubmatch(table, -1) {
		out = append(out, fact{row[1], row[2], row[3]})
	}
	require.Equal(t, strings.Count(table, "\n|")-2, len(out), "a row of the table cannot be read")
	return out
}

// everyTest is each test of the repository as folder.Name.
func everyTest(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ([Tt]est[A-Z]\w*)\(\w+ `)
	out := map[string]bool{}
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			out[filepath.ToSlash(folder)+"."+m[1]] = true
		}
		return err
	}))
	return out
}

// faults says what is wrong with a row.
func (f fact) faults(known map[string]bool) []string {
	var out []string
	named := regexp.MustCompile("`([a-z0-9/]+\\.[Tt]est[A-Z]\\w*)`").FindAllStringSubmatch(f.proof, -1)
	for _, m := range named {
		if !known[m[1]] {
			out = append(out, "there is no test "+m[1])
		}
	}
	label := regexp.MustCompile(`^(assumed|not public|not of this engine)\b`).MatchString(f.proof)
	if len(named) == 0 && !label {
		out = append(out, "neither a test nor a labelled assumption")
	}
	if regexp.MustCompile("`[Tt]est[A-Z]").MatchString(f.proof) {
		out = append(out, "a test is named without its folder")
	}
	return out
}

// Every row of what is known of the scheme is kept by tests that are there, or is a labelled assumption.
func TestEveryFactHasItsTestOrIsAnAssumption(t *testing.T) {
	facts, known := readFacts(t), everyTest(t)
	tested := 0
	for _, f := range facts {
		for _, fault := range f.faults(known) {
			t.Errorf("%s, %s: %s", f.place, f.known, fault)
		}
		if strings.HasPrefix(f.proof, "`") {
			tested++
		}
	}
	require.Greater(t, len(facts), 90)
	t.Logf("%d facts: %d kept by tests, %d labelled assumptions", len(facts), tested, len(facts)-tested)
}

func TestTheFactCheckBites(t *testing.T) {
	known := map[string]bool{"mesh/cpis.TestRefusals": true}
	for proof, want := range map[string]int{
		"`mesh/cpis.TestRefusals`":                   0,
		"assumed: so it is":                          0,
		"not public: `mesh/cpis.TestRefusals`":       0,
		"`mesh/cpis.TestRefusal`":                    1,
		"assumed: so it is, `mesh/cpis.TestRefusal`": 1,
		"it works":       1,
		"`TestRefusals`": 2,
		"`mesh/cpis.TestRefusals`, `TestRefusals`":      1,
		"`mesh.TestRefusals`, `mesh/cpis.TestRefusals`": 1,
		"we assumed it": 1,
		"`mesh/cpis.testRefusals`, `mesh/cpis.TestOther`": 2,
	} {
		require.Len(t, fact{"1.1", "x", proof}.faults(known), want, proof)
	}
}

// Each part of the sheet has its rows. The sheet is no part of the project: where it is not at hand nothing is compared.
func TestEveryPartOfTheSheetHasItsRows(t *testing.T) {
	sheet, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "facts", "cpis.md"))
	if err != nil {
		t.Log("NOT RUN: the fact sheet is not at hand, so its parts are not compared with README.md")
		return
	}
	rows := map[string]int{}
	for _, f := range readFacts(t) {
		rows[f.place]++
	}
	var parts []string
	section := ""
	for line := range strings.SplitSeq(string(sheet), "\n") {
		if m := regexp.MustCompile(`^## (\d+)\.`).FindStringSubmatch(line); m != nil {
			if section = m[1]; section == "3" {
				parts = append(parts, section)
			}
		}
		if m := regexp.MustCompile(`^### ([12]\.\d+) `).FindStringSubmatch(line); m != nil {
			parts = append(parts, m[1])
		}
		if m := regexp.MustCompile(`^(\d+)\. `).FindStringSubmatch(line); m != nil && section == "8" {
			parts = append(parts, fmt.Sprintf("8.%s", m[1]))
		}
	}
	require.Len(t, parts, 7+6+1+15)
	for _, part := range parts {
		require.Positive(t, rows[part], "no row for part %s of the sheet", part)
	}
}
