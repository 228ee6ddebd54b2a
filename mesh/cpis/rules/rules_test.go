package rules

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"signalbox/mesh/cpis"
)

var update = flag.Bool("update", false, "write the generated section of README.md")

// example is the archive of one rule: its files by name, and the limits that it is read under.
func example(t *testing.T, id string) (files map[string][]byte, limits cpis.Limits) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", id+".txtar"))
	if err != nil {
		t.Fatalf("the rule %s has no example: %v", id, err)
	}
	files = map[string][]byte{}
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "limits "); ok {
			name, value, _ := strings.Cut(setting, "=")
			n, err := strconv.Atoi(value)
			field := map[string]*int{"MaxBytes": &limits.MaxBytes, "MaxRecords": &limits.MaxRecords}[name]
			if err != nil || field == nil {
				t.Fatalf("%s: the limit %q is not known", id, setting)
			}
			*field = n
		}
	}
	return files, limits
}

// faults is everything that the codec finds, warnings and the wrong quantity too.
func faults(t *testing.T, body []byte, limits cpis.Limits) []*cpis.Fault {
	t.Helper()
	d := cpis.NewDecoder(body, limits)
	header, err := d.Header()
	out := append(slices.Clone(header.Faults), header.Warnings...)
	if err != nil {
		return out
	}
	for r, err := range d.Records() {
		if r != nil {
			out = append(out, r.Faults...)
		} else if f, ok := err.(*cpis.Fault); ok { //nolint:errorlint // the decoder's own, never wrapped
			out = append(out, f)
		}
	}
	return out
}

// Every rule has a good and a bad example, and those that the codec asks are found in the bad one, first and at their level.
func TestEveryRuleHasItsExamples(t *testing.T) {
	bad := map[Level][]string{File: {"bad.xml"}, Record: {"bad.xml"}, Both: {"bad-file.xml", "bad-record.xml"}}
	for _, r := range All() {
		t.Run(r.ID, func(t *testing.T) {
			files, limits := example(t, r.ID)
			if found := faults(t, files["good.xml"], limits); len(files["good.xml"]) == 0 || len(found) > 0 {
				t.Errorf("the good example is refused: %v", found)
			}
			for _, name := range bad[r.Level] {
				if len(files[name]) == 0 {
					t.Fatalf("there is no %s", name)
				}
				if r.Room != Codec {
					continue // conformance sends these through the whole engine
				}
				found := faults(t, files[name], limits)
				if len(found) == 0 || found[0].Rule != r.ID {
					t.Fatalf("%s: found %v", name, found)
				}
				want := cpis.FileLevel
				if r.Level == Record || name == "bad-record.xml" {
					want = cpis.RecordLevel
				}
				if found[0].Level != want {
					t.Errorf("%s: is about the %s", name, found[0].Level)
				}
			}
		})
	}
	entries, err := os.ReadDir("testdata")
	if err != nil || len(entries) != len(All()) {
		t.Errorf("%d rules, %d examples, %v", len(All()), len(entries), err)
	}
}

func TestTheTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range append(All(), Outcomes()...) {
		if seen[r.ID] {
			t.Errorf("%s stands twice", r.ID)
		}
		seen[r.ID] = true
		if r.Source == "" || !strings.HasSuffix(r.Advice, ".") || r.Room == "" || r.Severity == "" {
			t.Errorf("%s is not filled in", r.ID)
		}
		if (r.File != "") != (r.Level != Record) || (r.Record != "") != (r.Level != File) {
			t.Errorf("%s: its codes do not fit its level", r.ID)
		}
		for _, display := range []string{r.File.Display(), r.Record.Display()} {
			if display == "" && r.Level == Both {
				t.Errorf("%s has a code that is not in the vocabulary", r.ID)
			}
		}
	}
	// Every rule that the codec can name is a row: no constant is forgotten.
	source, err := os.ReadFile("../fault.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		_, id, ok := strings.Cut(strings.TrimSpace(line), ` = "`)
		id = strings.TrimSuffix(id, `"`)
		if ok && strings.HasPrefix(strings.TrimSpace(line), "Rule") && id != cpis.RuleQuantity && !seen[id] { // the adapter calls it record-count
			t.Errorf("the codec names %s, which the table does not have", id)
		}
	}
	if _, ok := Find("no such rule"); ok {
		t.Error("an unknown rule was found")
	}
}

// Each code of the vocabulary has its cause.
func TestCodes(t *testing.T) {
	for want, ids := range map[cpis.RecordCode][]string{
		cpis.RecordNoMatch: {PDSNoMatch}, cpis.RecordSensitive: {"date", PDSSensitive}, cpis.RecordNotVerified: {PDSNotVerified},
		cpis.RecordBadFormat: {"date", "nhs-number"}, cpis.RecordSuperseded: {PDSSuperseded}, cpis.RecordAccepted: nil,
		cpis.RecordUnsuccessful: {"date", "never heard of"},
	} {
		if got := RecordCode(ids...); got != want {
			t.Errorf("%v: %s, want %s", ids, got, want)
		}
	}
	for name, c := range map[string]struct {
		tally Tally
		want  cpis.FileCode
	}{
		"nothing could be read":                {Tally{}, cpis.FileError},
		"no record":                            {Tally{Readable: true}, cpis.FileError},
		"every record stands":                  {Tally{Readable: true, Valid: 2}, cpis.FileAccepted},
		"some stand":                           {Tally{Readable: true, Valid: 1, Invalid: 1}, cpis.FilePartial},
		"none stands":                          {Tally{Readable: true, Invalid: 3}, cpis.FileUnsuccessful},
		"all stand, and a warning":             {Tally{Readable: true, Valid: 1, Broken: []string{SequenceSkipped, cpis.RuleTelecomOffice}}, cpis.FileAccepted},
		"all stand, the count is off":          {Tally{Readable: true, Valid: 1, Broken: []string{"record-count"}}, cpis.FilePartial},
		"cut short after records that stand":   {Tally{Readable: true, Valid: 4, Broken: []string{cpis.RuleWellFormed}}, cpis.FilePartial},
		"refused for its order":                {Tally{Readable: true, Invalid: 4, Broken: []string{SequenceRefused}}, cpis.FileError},
		"the trace is away":                    {Tally{Readable: true, Invalid: 4, Broken: []string{SequenceRefused, PDSUnavailable}}, cpis.FilePDSDown},
		"the trace is away, then a refusal":    {Tally{Readable: true, Broken: []string{PDSUnavailable, cpis.RuleDoctype}}, cpis.FilePDSDown},
		"an old client":                        {Tally{Readable: true, Valid: 1, Broken: []string{OldClient}}, cpis.FileOldClient},
		"all stand, and a rule not known here": {Tally{Readable: true, Valid: 1, Broken: []string{"no-route"}}, cpis.FilePartial},
		"a warning beside records that fail":   {Tally{Readable: true, Valid: 1, Invalid: 1, Broken: []string{SequenceOlder}}, cpis.FilePartial},
	} {
		if got := FileCode(c.tally); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if ReasonCode(SequenceOlder) != cpis.RecordAccepted || ReasonCode("record-count") != cpis.RecordUnsuccessful || ReasonCode("x") != cpis.RecordUnsuccessful {
		t.Error("the code beside a reason of a file is wrong")
	}
}

func TestReadmeHasTheTable(t *testing.T) {
	const begin, end = "<!-- the table: go test ./mesh/cpis/rules -update -->\n", "<!-- end of the table -->\n"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	before, rest, _ := bytes.Cut(readme, []byte(begin))
	got, after, ok := bytes.Cut(rest, []byte(end))
	switch {
	case !ok:
		t.Fatal("README.md has no place for the table")
	case *update:
		out := slices.Concat(before, []byte(begin), want.Bytes(), []byte(end), after)
		if err := os.WriteFile("README.md", out, 0o644); err != nil {
			t.Fatal(err)
		}
	case !bytes.Equal(got, want.Bytes()):
		t.Error("README.md and the table differ: go test ./mesh/cpis/rules -update")
	}
}
