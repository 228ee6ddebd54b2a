package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const pathSample = "../../fhir/fhirpath/testdata/patient.json"

func TestFHIRPathPrintsResults(t *testing.T) {
	code, out, errOut := command(t, "fhir", "path", "name.where(use = 'official').family | birthDate", pathSample)
	want := pathSample + ":12:41  bytes 853-861  string  Patient.name[0].family  Sample\n"
	if code != exitOK || errOut != "" || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 2 {
		t.Errorf("exit %d\n%s%s\nwant %s", code, out, errOut, want)
	}
	code, out, _ = command(t, "fhir", "path", "name.given.first() & ' ' & name.family", pathSample)
	for _, part := range []string{"made  System.String  Robin Sample\n", "  of " + pathSample + ":12:61", "Patient.name[0].family\n"} {
		if code != exitOK || !strings.Contains(out, part) {
			t.Errorf("exit %d, no %q in\n%s", code, part, out)
		}
	}
}

func TestFHIRPathPrintsJSON(t *testing.T) {
	raw, err := os.ReadFile(pathSample)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := command(t, "fhir", "path", "--json", "birthDate", pathSample)
	var got pathResult
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errOut)
	}
	if got.Value != "2019-06-03" || got.Type != "date" || got.At.Path != "Patient.birthDate" || string(raw[got.At.Start:got.At.End]) != `"2019-06-03"` {
		t.Errorf("%s", out)
	}
}

func TestFHIRPathChecksWithoutAFile(t *testing.T) {
	code, out, _ := command(t, "fhir", "path", "--context", "Patient", "name.given")
	want := "type         string\ncardinality  0..*\nreads        Patient.name\n             Patient.name.given\n"
	if code != exitOK || out != want {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, _ = command(t, "fhir", "path", "--json", "descendants()")
	if code != exitOK || out != `{"types":[],"cardinality":"0..*","elements":[]}`+"\n" {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestFHIRPathRefuses(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	faulty := filepath.Join(t.TempDir(), "faulty.json")
	for file, body := range map[string]string{broken: "{", faulty: `{"resourceType":"Patient","id":"a","nmae":[]}`} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		args []string
		code int
		want string // on standard output or standard error
	}{
		{[]string{"name.fmaily", pathSample}, exitPathRefused, "error: expression, line 1, column 6: no element of that name in HumanName\n  name.fmaily\n       ^^^^^^ did you mean \"family\"?"},
		{[]string{"id or\n\tnmae.exists()", pathSample}, exitPathRefused, "line 2, column 2: no element of that name in Patient\n  \tnmae.exists()\n  \t^^^^ did"},
		{[]string{"name.single()", pathSample}, exitPathRefused, "several items stand here"},
		{[]string{"today()", pathSample}, exitPathRefused, "today() is not supported"},
		{[]string{"--json", "nmae"}, exitPathRefused, `"kind":"unknown"`},
		{[]string{"--context", "Patient", "birthDate = 'x'"}, exitOK, "warning: expression, line 1, column 11: these are never equal"},
		{[]string{"--now", "2026-01-01T00:00:00Z", "today()", pathSample}, exitOK, "made  System.Date  2026-01-01"},
		{[]string{"id", broken}, exitPathRefused, "broken.json:1:"},
		{[]string{"id", faulty}, exitPathRefused, "faulty.json:1:"},
		{[]string{"id", "nowhere.json"}, exitFailed, "nowhere.json"},
		{[]string{"--now", "noon", "id"}, exitUsage, "--now is a time"},
		{[]string{"--context", "Patinet", "id"}, exitUsage, "--context is the name"},
		{nil, exitUsage, "arg"},
	} {
		code, out, errOut := command(t, append([]string{"fhir", "path"}, tc.args...)...)
		if code != tc.code || !strings.Contains(out+errOut, tc.want) {
			t.Errorf("%q: exit %d, want %d\n%s%s\nwant %s", tc.args, code, tc.code, out, errOut, tc.want)
		}
	}
}

func TestFHIRPathReadsXML(t *testing.T) {
	file := filepath.Join(t.TempDir(), "patient.xml")
	const body = `<Patient xmlns="http://hl7.org/fhir"><birthDate value="2019-06-03"/></Patient>`
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := command(t, "fhir", "path", "birthDate", file)
	if want := file + ":1:38  bytes 37-68  date  Patient.birthDate  2019-06-03\n"; code != exitOK || out != want {
		t.Errorf("exit %d\n%s%s\nwant %s", code, out, errOut, want)
	}
	code, out, _ = command(t, "fhir", "check", file)
	if code != exitOK || !strings.Contains(out, "Patient in XML") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
