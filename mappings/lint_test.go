package mappings_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"signalbox/adapters"
	"signalbox/mappings"
)

const model = "northshire-csv" // the good folder that bad ones are made of

// copyOf returns a supplier's files as a file system that a test can change.
func copyOf(t testing.TB, supplier string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(mappings.Embedded(), supplier, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(mappings.Embedded(), name)
		out[name] = &fstest.MapFile{Data: raw}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// edit applies one line "file: old => new" to a folder; \n stands for a line break.
func edit(t *testing.T, folder fstest.MapFS, supplier, line string) {
	t.Helper()
	file, change, _ := strings.Cut(line, ": ")
	old, replacement, ok := strings.Cut(strings.ReplaceAll(change, `\n`, "\n"), " => ")
	f := folder[path.Join(supplier, file)]
	if !ok || f == nil || !strings.Contains(string(f.Data), old) {
		t.Fatalf("an edit that changes nothing: %s", line)
	}
	f.Data = []byte(strings.Replace(string(f.Data), old, replacement, 1))
}

// TestLint makes one good folder bad in each testdata/lint/*.txtar (the XML supplier's where the name begins with cpis-, else the CSV
// supplier's) and compares what lint prints. SIGNALBOX_UPDATE=1 rewrites what they want.
func TestLint(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			supplier := model
			if strings.HasPrefix(filepath.Base(file), "cpis-") {
				supplier = "testshire-cpisxml"
			}
			folder := copyOf(t, supplier)
			for line := range strings.Lines(string(archive.Files[0].Data)) {
				edit(t, folder, supplier, strings.TrimSuffix(line, "\n"))
			}
			m, err := mappings.Load(folder, supplier, adapters.All())
			if err == nil || m != nil {
				t.Fatal("a bad folder was loaded")
			}
			got := render(t, err, folder)
			if os.Getenv("SIGNALBOX_UPDATE") != "" {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestProblems lints small mappings: what is wrong, and where.
func TestProblems(t *testing.T) {
	tests := map[string]struct{ mapping, source, want string }{
		"nobody looked": {strings.Replace(access(""), "  by.deviceId: { const: \"200000000001\" }\n", "", 1), "format: notes\nfields: [{ name: id }]\n",
			"s/mapping.yaml:4:1: E106 no rule for by.person.userId nor for by.deviceId: an access needs one of them"},
		"a selector of the format": {access("  setting: { from: 'a!b', else: park }"), "format: notes\nfields: [{ name: id }]\n",
			`s/mapping.yaml:10:22: E103 no exclamation`},
		"a selector in the source": {access(""), "format: notes\nfields: [{ name: id, select: \"it's ü!\" }]\n",
			`s/source.yaml:2:37: E103 no exclamation`},
		"a constant with steps": {access("  setting: { const: x, optional: true }"), "format: notes\nfields: [{ name: id }]\n",
			"s/mapping.yaml:10:34: E125 a constant needs no optional"},
		"an empty constant":    {access("  setting: { const: '' }"), "format: notes\nfields: [{ name: id }]\n", "E122 setting takes text: the value is missing or empty"},
		"an empty enum value":  {access(""), "format: notes\nfields: [{ name: id, enum: [a, ''] }]\n", "E109 an empty value is said by"},
		"an enum of numbers":   {access(""), "format: notes\nfields: [{ name: id, type: integer, enum: [1] }]\n", "E125 an enum belongs to a field of type string"},
		"no format":            {access(""), "fields: [{ name: id }]\n", `s/source.yaml:1:1: E104 the key "format" is missing`},
		"a field without name": {access(""), "format: notes\nfields: [{ name: id }, { type: date }]\n", `E104 the field has no "name"`},
		"keys missing":         {"supplier: s\n", "format: notes\n", `E104 the key "emit" is missing`},
		"a list of nothing":    {access(""), "format: notes\nfields: id\n", "E100 here belongs a list of fields"},
		"text from a bool":     {access("  setting: { expr: '1 == 1', table: t, else: park }"), "format: notes\nfields: [{ name: id }]\n", "E113 no table"},
		"a bool converted":     {access("  setting: { expr: '1 == 1', as: text, else: park }"), "format: notes\nfields: [{ name: id }]\n", "E112 a table and a conversion read text, and this expression makes bool"},
		"dynamic":              {access("  setting: { expr: 'dyn(\"a\")', else: park }"), "format: notes\nfields: [{ name: id }]\n", "E112 the expression makes dyn"},
		"a unicode caret":      {access("  setting: { expr: '\"é\" + row.idd', else: park }"), "format: notes\nfields: [{ name: id }]\n", `s/mapping.yaml:10:31: E115 no field "idd" in row, did you mean "id"?`},
	}
	for name, tt := range tests {
		_, err := mappings.Load(folderOf(tt.mapping, tt.source), "s", formats())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got\n%v\nwant %s", name, err, tt.want)
		}
	}
}

// TestRules says where each rule is written.
func TestRules(t *testing.T) {
	rules := northshire(t).Rules()
	lines := strings.Split(string(copyOf(t, model)[model+"/mapping.yaml"].Data), "\n")
	if len(rules) != 14 {
		t.Errorf("%d rules", len(rules))
	}
	for _, r := range rules {
		if r.File != model+"/mapping.yaml" || !strings.Contains(lines[r.Line-1], r.Target+":") || !strings.Contains(lines[r.Line-1], r.From) {
			t.Errorf("%+v is not on its line", r)
		}
	}
}
