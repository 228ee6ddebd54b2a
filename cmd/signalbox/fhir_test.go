package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFHIRCheck(t *testing.T) {
	const nhs = "9990000018"
	sound := writeFile(t, "sound.json", `{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`+nhs+`"}]}`)
	inXML := writeFile(t, "sound.xml", `<Patient xmlns="http://hl7.org/fhir"><birthDate value="2019-06-03"/></Patient>`)
	bad := writeFile(t, "bad.json", "{\"resourceType\":\"Patient\",\n \"nmae\":[{}],\n \"birthDate\":\"2019-02-30\",\"id\":\""+nhs+" x\"}")
	alone := writeFile(t, "alone.json", `{"resourceType":"Flag","status":"Active","code":{"text":"x"},"subject":{"display":"x"}}`)
	team := writeFile(t, "team.json", `{"resourceType":"CareTeam","meta":{"profile":["https://fhir.nhs.uk/England/StructureDefinition/England-CareTeam-Flag"]},"name":"x"}`)
	own := writeFile(t, "own.txt", "profile https://x.example/P|1 Patient\nbirthDate 1..\nextension https://x.example/not|1 Patient modifier\nvalue types=boolean\n")
	misplaced := writeFile(t, "misplaced.json", `{"resourceType":"Patient","extension":[  {"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"2019-06-03T04:12:00Z"}]}`)
	modified := writeFile(t, "modified.json", `{"resourceType":"Patient","modifierExtension":[  {"url":"https://x.example/not","valueBoolean":true}]}`)
	backwards := writeFile(t, "backwards.json", `{"resourceType":"Patient","name":[{"text":"x","period":{"start":"2026-02-01","end":"2026-01-01"}}]}`)
	const patient = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"sound", []string{sound, inXML}, exitOK, []string{"sound.json  Patient in JSON", "sound.xml  Patient in XML"}},
		{"faults", []string{bad, sound}, exitFaults, []string{`bad.json:2:2: signalbox: Patient: unknown-element: R4 has no such element in Patient, did you mean "name"?`,
			"bad.json:3:14: signalbox: Patient.birthDate: value:", "google/fhir: Patient.birthDate: value", "bad.json:3:32: signalbox: Patient.id: value", "ok    "}},
		{"a difference", []string{alone}, exitFaults, []string{"alone.json:1:", `did you mean "active"?`, "the readers differ: code-capitals"}},
		{"a claim", []string{team}, exitFaults, []string{"profile: CareTeam: profile: telecom stands here at least 1 times (England-CareTeam-Flag)", "1 faults"}},
		{"a profile", []string{sound, "--profile", patient}, exitOK, []string{"ok"}},
		{"a profile of one's own", []string{sound, "--profiles", own, "--profile", "https://x.example/P"}, exitFaults, []string{"birthDate stands here at least 1"}},
		{"an extension on another element", []string{misplaced}, exitFaults, []string{"misplaced.json:1:42: profile: Patient.extension[0]: profile: the extension stands on Patient.birthDate alone (patient-birthTime)"}},
		{"a modifier", []string{modified}, exitFaults, []string{"modified.json:1:50: profile: Patient.modifierExtension[0]: modifier-extension:"}},
		{"a modifier of one's own", []string{modified, "--profiles", own}, exitOK, []string{"ok"}},
		{"a data type's invariant", []string{backwards}, exitFaults, []string{"backwards.json:1:", "invariant: Patient.name[0].period: invariant: per-1 of Period"}},
		{"an unknown profile", []string{sound, "--profile", "https://x.example/Q"}, exitFailed, []string{"these are", patient}},
		{"profiles that are none", []string{sound, "--profiles", sound}, exitFailed, []string{"line 1"}},
		{"no file", []string{"nowhere.json", bad}, exitFailed, []string{"nowhere.json", "bad.json:2:2"}},
		{"nothing", nil, exitUsage, []string{"requires at least 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errOut := command(t, append([]string{"fhir", "check"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", code, tt.code, out, errOut)
			}
			for _, want := range tt.want {
				if !strings.Contains(out+errOut, want) {
					t.Errorf("%q is missing in\n%s%s", want, out, errOut)
				}
			}
			if strings.Contains(out+errOut, nhs) {
				t.Error("a value of the document is shown")
			}
		})
	}
}

// TestFHIRCheckWithAProfileOfTheReadme adds the profile that fhir/README.md shows, from a file, as a user would.
func TestFHIRCheckWithAProfileOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../fhir/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(readme)) {
		text, indented := strings.CutPrefix(line, "    ")
		if len(lines) > 0 && !indented {
			break
		}
		if len(lines) > 0 || strings.HasPrefix(text, "# FHIR R4 \"Vital Signs\"") {
			lines = append(lines, text)
		}
	}
	if len(lines) < 10 {
		t.Fatal("the README shows no profile to add")
	}
	profiles := writeFile(t, "vitals.txt", strings.Join(lines, ""))
	const good = `{"resourceType":"Observation","status":"final",
 "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
 "code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},
 "subject":{"reference":"Patient/1"},"effectiveDateTime":"2026-03-14",
 "valueQuantity":{"value":14.20,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`
	for _, tt := range []struct{ old, new, want string }{
		{"", "", ": both readers take it"},
		{`"code":"kg"`, `"code":"stone"`, "document.json:5:89: profile: Observation.valueQuantity.code: profile: code has no code of the value set"},
		{`"subject":{"reference":"Patient/1"},`, "", "document.json:1:1: profile: Observation: profile: subject stands here at least 1"},
		{"http://loinc.org", "http://snomed.info/sct", "Observation.code.coding[0].system: profile: system has another value than the one that is fixed"},
		{"effectiveDateTime\":\"2026-03-14", "effectiveInstant\":\"2026-03-14T10:00:00Z", "Observation.effectiveInstant: profile: effective is here a dateTime or a Period"},
		{`"valueQuantity":{"value":14.20,`, `"valueQuantity":{`, "Observation.valueQuantity: profile: value stands here at least 1"},
	} {
		document := writeFile(t, "document.json", strings.Replace(good, tt.old, tt.new, 1))
		code, out, errOut := command(t, "fhir", "check", "--profiles", profiles, "--profile", "http://hl7.org/fhir/StructureDefinition/bodyweight", document)
		if sound := tt.old == ""; sound != (code == exitOK) || !sound && code != exitFaults || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d: %s%s", tt.want, code, out, errOut)
		}
	}
}

func TestFHIRCheckJSON(t *testing.T) {
	bad := writeFile(t, "bad.json", `{"resourceType":"Patient","birthDate":"2019-02-30"}`)
	code, out, _ := command(t, "fhir", "check", "--json", bad)
	var v fhirVerdict
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitFaults {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if v.Type != "Patient" || v.Sound || len(v.Faults) != 2 || v.Faults[0].Line != 1 || v.Faults[0].Column != 39 || v.Faults[1].Reader != "google/fhir" {
		t.Errorf("%+v", v)
	}
}
