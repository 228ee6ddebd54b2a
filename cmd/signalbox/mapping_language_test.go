package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// brokenFolder copies a supplier and misspells one column in it.
func brokenFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "northshire-csv")
	if err := os.CopyFS(dir, os.DirFS("../../mappings/suppliers/northshire-csv")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mapping.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(raw), "from: start_dt", "from: strat_dt", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProblemFormats(t *testing.T) {
	dir := brokenFolder(t)
	for format, want := range map[string]string{"json": `"suggestion": "start_dt"`, "sarif": `"ruleId": "E103"`, "github": "/mapping.yaml,line=16,col=27"} {
		for _, verb := range []string{"lint", "test"} {
			code, out, _ := command(t, "mapping", verb, "--format", format, dir)
			if code != exitFailed || !strings.Contains(out, want) || !strings.Contains(out, filepath.ToSlash(dir)) {
				t.Errorf("%s --format %s: exit %d\n%s", verb, format, code, out)
			}
			if format != "github" && !json.Valid([]byte(out)) {
				t.Errorf("%s --format %s is not JSON", verb, format)
			}
		}
	}
	if code, out, _ := command(t, "mapping", "test", "--format", "json", "../../mappings/suppliers/northshire-csv"); code != exitOK || out != "[]\n" {
		t.Errorf("a sound folder: exit %d\n%s", code, out)
	}
	if code, _, _ := command(t, "mapping", "lint", "--format", "xml"); code == exitOK {
		t.Error("an unknown form is taken")
	}
}

func TestLanguageCommands(t *testing.T) {
	conceptMap := filepath.Join(t.TempDir(), "map.json")
	code, exported, _ := command(t, "mapping", "table", "export", "northshire-pipe", "plan-type")
	if code != exitOK || !strings.Contains(exported, `"resourceType": "ConceptMap"`) {
		t.Errorf("export: exit %d\n%s", code, exported)
	}
	if err := os.WriteFile(conceptMap, []byte(exported), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"functions":   {[]string{"functions"}, `nhsNumber.valid("9990000019")  =>  false`},
		"conversions": {[]string{"functions"}, "instant(yyyyMMddHHmm in Europe/London)"},
		"import":      {[]string{"mapping", "table", "import", conceptMap}, "7,unborn-child-protection,3 is called 7 from 2027 on,2027-01-01,"},
		"effective":   {[]string{"mapping", "show", "--effective", "northshire-cpisxml"}, "plan.start:"},
		"show":        {[]string{"mapping", "show", "northshire-cpisxml"}, "-- base/mapping.yaml --"},
		"error":       {[]string{"mapping", "error", "e103"}, "# E103: no such column"},
		"schema":      {[]string{"mapping", "schema", "testshire-json"}, `"council_code"`},
		"source":      {[]string{"mapping", "schema", "--source"}, `"hl7v2"`},
		"mutate":      {[]string{"mapping", "test", "--mutate", "../../mappings/suppliers/northshire-csv"}, "changes noticed"},
	} {
		if code, out, errOut := command(t, tt.args...); code != exitOK || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d, %s\n%s", name, code, errOut, out)
		}
	}
	for _, args := range [][]string{{"mapping", "error", "E999"}, {"mapping", "show", "nobody"}, {"mapping", "table", "export", "northshire-pipe", "x"},
		{"mapping", "table", "import", "nothing.json"}} {
		if code, _, errOut := command(t, args...); code != exitFailed || errOut == "" {
			t.Errorf("%v: exit %d, %q", args, code, errOut)
		}
	}
}
