package mappings_test

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

// TestErrorPages takes the bad example of every page into the model folder, where the page's good one stands: lint, or the folder's test,
// then says that number, and with the good one it says nothing.
func TestErrorPages(t *testing.T) {
	for _, code := range mappings.Codes() {
		title, page, ok := mappings.ErrorPage(code)
		if !ok || title == "" {
			t.Errorf("%s has no page", code)
			continue
		}
		file, bad, good := example(t, code, page)
		folder := copyOf(t, model)
		if _, err := mappings.Load(folder, model, adapters.All()); err != nil {
			t.Fatal(err)
		}
		f := folder[path.Join(model, file)]
		if f == nil || !strings.Contains(string(f.Data), good) {
			t.Errorf("%s: the good example does not stand in %s", code, file)
			continue
		}
		f.Data = []byte(strings.Replace(string(f.Data), good, bad, 1))
		m, err := mappings.Load(folder, model, adapters.All())
		problems, _ := err.(mappings.Problems)
		if err == nil {
			report, err := mappings.RunTests(folder, model, m)
			if err != nil {
				t.Fatal(err)
			}
			problems = report.Problems()
		}
		if !slices.ContainsFunc(problems, func(p mappings.Problem) bool { return p.Code == code }) {
			t.Errorf("%s: the bad example is told as\n%v", code, problems)
		}
	}
	pages, err := fs.Glob(mappings.ErrorPages(), "*.md")
	if err != nil || len(pages) != len(mappings.Codes()) {
		t.Errorf("%d pages for %d numbers, %v", len(pages), len(mappings.Codes()), err)
	}
}

// example cuts file, bad and good text out of a page.
func example(t *testing.T, code mappings.Code, page string) (file, bad, good string) {
	t.Helper()
	parts := strings.Split(page, "```\n")
	_, after, ok := strings.Cut(page, "Bad, in `")
	if len(parts) != 5 || !ok {
		t.Fatalf("%s: the page has a bad and a good example", code)
	}
	file, _, _ = strings.Cut(after, "`")
	return file, strings.TrimSuffix(parts[1], "\n"), strings.TrimSuffix(parts[3], "\n")
}

// TestFormats tells the same problem in every form.
func TestFormats(t *testing.T) {
	folder := copyOf(t, model)
	edit(t, folder, model, "mapping.yaml: from: start_dt => from: strat_dt")
	_, err := mappings.Load(folder, model, adapters.All())
	problems, ok := err.(mappings.Problems)
	if !ok {
		t.Fatal(err)
	}
	for format, want := range map[mappings.ReportFormat][2]string{
		mappings.FormatHuman: {`did you mean "start_dt"?`, "northshire-csv/source.yaml:13:13  declared here"},
		mappings.FormatGitHub: {"::error file=northshire-csv/mapping.yaml,line=16,col=27,endColumn=35,title=E103::no column \"strat_dt\", did you mean \"start_dt\"?\n",
			"::notice file=northshire-csv/source.yaml,line=13,col=13,endColumn=21,title=E103::declared here"},
		mappings.FormatJSON:  {`"suggestion": "start_dt"`, "\"file\": \"northshire-csv/source.yaml\",\n      \"line\": 13,\n      \"column\": 13,\n      \"endColumn\": 21"},
		mappings.FormatSARIF: {`"startColumn": 27`, `"relatedLocations"`},
	} {
		var b strings.Builder
		if err := problems.Write(&b, format, folder); err != nil || !strings.Contains(b.String(), want[0]) || !strings.Contains(b.String(), want[1]) {
			t.Errorf("%s: %v\n%s", format, err, b.String())
		}
		if format == mappings.FormatJSON || format == mappings.FormatSARIF {
			if !json.Valid([]byte(b.String())) {
				t.Errorf("%s is not JSON", format)
			}
		}
	}
	var b strings.Builder
	if err := problems.Write(&b, "xml", folder); err == nil {
		t.Error("an unknown form is taken")
	}
	_ = mappings.Problems(nil).Write(&b, mappings.FormatJSON, nil)
	if b.String() != "[]\n" {
		t.Errorf("no problems are %q", b.String())
	}
}
