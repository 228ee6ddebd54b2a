package mappings_test

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

// TestTablesTravel exports every table of every supplier as a ConceptMap and imports it again: nothing is lost.
func TestTablesTravel(t *testing.T) {
	files, err := fs.Glob(mappings.Embedded(), "*/tables/*.csv")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d tables, %v", len(files), err)
	}
	for _, file := range files {
		want, err := fs.ReadFile(mappings.Embedded(), file)
		if err != nil {
			t.Fatal(err)
		}
		supplier := path.Dir(path.Dir(file))
		exported, err := mappings.ExportTable(mappings.Embedded(), supplier, strings.TrimSuffix(path.Base(file), ".csv"))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		got, err := mappings.ImportTable(exported)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", file, err, got, want)
		}
	}
	if _, err := mappings.ExportTable(mappings.Embedded(), model, "nothing"); err == nil {
		t.Error("a table that is not there is exported")
	}
}

func TestImportRefuses(t *testing.T) {
	element := func(target string) string {
		return `{"resourceType":"ConceptMap","group":[{"element":[{"code":"a","target":[` + target + `]}]}]}`
	}
	for want, raw := range map[string]string{
		"no FHIR ConceptMap":      `{"resourceType":"ValueSet"}`,
		"has no target":           element(""),
		"not equal or equivalent": element(`{"code":"b","equivalence":"wider"}`),
		"depends on something":    element(`{"code":"b","equivalence":"equal","dependsOn":[{"property":"urn:x","value":"1"}]}`),
		"twice for the same day":  element(`{"code":"b","equivalence":"equal"},{"code":"c","equivalence":"equal"}`),
		"is yyyy-MM-dd":           element(`{"code":"b","equivalence":"equal","dependsOn":[{"property":"urn:signalbox:valid-to","value":"soon"}]}`),
	} {
		if _, err := mappings.ImportTable([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestEffective prints a mapping that extends another, and loads what is printed as a folder of its own.
func TestEffective(t *testing.T) {
	m, err := mappings.Load(mappings.Embedded(), "northshire-cpisxml", allFormats())
	if err != nil {
		t.Fatal(err)
	}
	mapping, source, err := m.Effective()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"supplier: northshire-cpisxml", "emit: flag", "plan.start:", "text.title", "duty team's number once more"} {
		if !strings.Contains(mapping, want) {
			t.Errorf("the effective mapping lacks %s:\n%s", want, mapping)
		}
	}
	for _, not := range []string{"extends", "authority.officeHours", "without"} {
		if strings.Contains(mapping, not) {
			t.Errorf("the effective mapping has %s:\n%s", not, mapping)
		}
	}
	// What is printed is a mapping of its own that says the same.
	folder := copyOf(t, "testshire-cpisxml")
	whole := copyOf(t, "northshire-cpisxml")
	whole["northshire-cpisxml/mapping.yaml"].Data = []byte(mapping)
	whole["northshire-cpisxml/source.yaml"] = folder["testshire-cpisxml/source.yaml"]
	whole["northshire-cpisxml/tables/plan-type.csv"] = folder["testshire-cpisxml/tables/plan-type.csv"]
	if source != string(folder["testshire-cpisxml/source.yaml"].Data) {
		t.Error("the effective source is another")
	}
	again, err := mappings.Load(whole, "northshire-cpisxml", allFormats())
	if err != nil {
		t.Fatal(err)
	}
	report, err := mappings.RunTests(whole, "northshire-cpisxml", again)
	if err != nil || report.Failed() > 0 || len(report.Results) < 12 {
		t.Errorf("%d of %d tests fail, %v", report.Failed(), len(report.Results), err)
	}
}

// TestExtends lints mappings that extend another.
func TestExtends(t *testing.T) {
	for name, tt := range map[string]struct{ edits, want string }{
		"nobody":             {"mapping.yaml: extends: testshire-cpisxml => extends: testshire-cpisxmk", `3:10: E124 no mapping folder "testshire-cpisxmk"`},
		"outside":            {"mapping.yaml: extends: testshire-cpisxml => extends: ../testshire-cpisxml", "E124 no mapping folder"},
		"itself an heir":     {"mapping.yaml: extends: testshire-cpisxml => extends: northshire-cpisxml", "extends another mapping itself"},
		"without nothing":    {"mapping.yaml: without: [authority.officeHours] => without: [authority.officeHour]", `E105 the extended mapping has no rule for "authority.officeHour", did you mean "authority.officeHours"?`},
		"without mandatory":  {"mapping.yaml: without: [authority.officeHours] => without: [authority.officeHours, plan.start]", `E106 no rule for the target field "plan.start"`},
		"without a base":     {"mapping.yaml: extends: testshire-cpisxml => emit: flag\\nsource: source.yaml", "source.yaml: E124 the file is missing"},
		"an unused field":    {"mapping.yaml: ignore:\\n => ignored:\\n", "E101"},
		"ignored and unused": {"mapping.yaml: column: la_office => column: la_offic", "E103"},
	} {
		folder := copyOf(t, "northshire-cpisxml")
		edit(t, folder, "northshire-cpisxml", tt.edits)
		_, err := mappings.Load(folder, "northshire-cpisxml", allFormats())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got\n%v\nwant %s", name, err, tt.want)
		}
	}
}

func allFormats() mappings.Formats { return adapters.All() }
