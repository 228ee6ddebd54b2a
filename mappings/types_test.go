package mappings_test

import (
	"errors"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

// typeFault lints a mapping with one rule for a target; the answer is the E112 on that rule's line, "" for none.
func typeFault(t *testing.T, emit, source, target, rule string, tables ...string) string {
	t.Helper()
	mapping := "supplier: s\nemit: " + emit + "\nsource: source.yaml\nset:\n  " + target + ": " + rule + "\n"
	_, err := mappings.Load(folderOf(mapping, source, tables...), "s", adapters.All())
	problems, ok := errors.AsType[mappings.Problems](err)
	if !ok {
		t.Fatalf("%s: %v", rule, err)
	}
	for _, p := range problems {
		if p.Code == mappings.CodeType {
			if p.Line != 5 || p.Column < 5+len(target) {
				t.Errorf("%s: told at %d:%d", rule, p.Line, p.Column)
			}
			return p.Text
		}
		if p.Line == 5 && p.Code != mappings.CodeElse {
			return p.String()
		}
	}
	return ""
}

// What a FHIRPath or an HL7 v2 path finds is known from the standard: a conversion that can read no value of that type is refused, whatever the
// source declares.
func TestConversionsAreHeldAgainstTheSelectorsType(t *testing.T) {
	const (
		fhir    = "format: fhir-r4\noptions: { bundle: message }\nfields:\n  - { name: born, select: Bundle.entry.resource.ofType(Patient).birthDate }\n"
		hl7     = "format: hl7v2\n"
		patient = "Bundle.entry.resource.ofType(Patient)."
		meets   = "Bundle.entry.resource.ofType(Encounter)."
		header  = "Bundle.entry.resource.ofType(MessageHeader)."
	)
	for _, tt := range []struct{ source, target, from, rest, fault string }{
		{fhir, "at", patient + "birthDate", "as: instant", `"as: instant" can never read it: what is found is date`},
		{fhir, "at", "born", "as: instant", `"as: instant" can never read it: what is found is date`},
		{fhir, "at", patient + "birthDate", `as: "instant(iso in Europe/London)"`, "can never read it"},
		{fhir, "at", meets + "period.start", "as: instant", ""},
		{fhir, "at", meets + "period.start", `as: "instant(hl7ts in Europe/London)"`, "what is found is dateTime"},
		{fhir, "at", "Bundle.timestamp", "as: instant", ""},
		{fhir, "subject.birthDate", "Bundle.timestamp", "as: date(yyyy-MM-dd)", "what is found is instant"},
		{fhir, "subject.birthDate", "Bundle.timestamp", "as: date(iso)", ""},
		{fhir, "subject.birthDate", patient + "birthDate", "as: date(yyyy-MM-dd)", ""},
		{fhir, "subject.birthDate", patient + "birthDate", "as: date(dd/MM/yyyy)", "what is found is date"},
		{fhir, "subject.birthDate", patient + "active", "as: date(yyyy-MM-dd)", "what is found is boolean"},
		{fhir, "subject.nhsNumber", patient + "active", "as: nhsNumber", "what is found is boolean"},
		{fhir, "subject.nhsNumber", patient + "identifier.value", "as: nhsNumber", ""},
		{fhir, "by.organisation.odsCode", patient + "birthDate", "as: odsCode", "what is found is date"},
		{fhir, "scheduled", patient + "active", "as: boolean", ""},
		{fhir, "scheduled", patient + "birthDate", "as: boolean", "what is found is date"},
		{fhir, "scheduled", header + "event.ofType(Coding).code", "as: boolean", ""}, // a code may be anything
		{fhir, "setting", patient + "active", "optional: true", `setting takes text (say "as: text" if it is meant): what is found is boolean`},
		{fhir, "setting", patient + "active", "as: text", ""},
		{fhir, "setting", patient + "active", "table: t", "no code of table t can ever be found: what is found is boolean"},
		{fhir, "setting", patient + "active", "table: truth", ""},
		{fhir, "setting", patient + "birthDate", "table: t", "no code of table t can ever be found: what is found is date"},
		{fhir, "setting", meets + "class.code", "table: t", ""},
		{hl7, "at", "PV1-44", `as: "instant(hl7ts in Europe/London)"`, ""},
		{hl7, "at", "PV1-44", "as: instant", "what is found is TS"},
		{hl7, "at", "PD1-13", `as: "instant(hl7ts in Europe/London)"`, "what is found is DT"},
		{hl7, "subject.birthDate", "PID-7", "as: date(hl7ts)", ""},
		{hl7, "subject.birthDate", "PID-7", "as: date(dd/MM/yyyy)", "what is found is TS"},
		{hl7, "setting", "PID-7", "optional: true", "what is found is TS"},
		{hl7, "scheduled", "PID-25", "as: boolean", "what is found is NM"},
		{hl7, "subject.nhsNumber", "PID-3.1", "as: nhsNumber", ""},
		{hl7, "subject.family", "PID-5.1.1", "optional: true", ""},
	} {
		source := tt.source
		got := typeFault(t, "access", source, tt.target, `{ from: "`+tt.from+`", `+tt.rest+` }`, "t", "source,target,note\nE,ward,\n", "truth", "source,target,note\ntrue,ward,\n")
		if (got == "") != (tt.fault == "") || !strings.Contains(got, tt.fault) {
			t.Errorf("%s: { from: %s, %s }: %q, want %q", tt.target, tt.from, tt.rest, got, tt.fault)
		}
	}
}

// A mapping that was in use before lint knew types loads from its archive as it did then: its events can be derived again.
func TestStoredMappingsAreNotHeldAgainstTypes(t *testing.T) {
	const mapping = "supplier: s\nemit: number-inactive\nsource: source.yaml\nset:\n  old: { from: old, as: nhsNumber, else: reject }\n"
	const source = "format: csv\nfields: [{ name: old, type: number }]\n"
	if _, err := mappings.Load(folderOf(mapping, source), "s", adapters.All()); err == nil {
		t.Error("a number is read as an NHS number")
	}
	archive := "-- mapping.yaml --\n" + mapping + "-- source.yaml --\n" + source
	if _, err := mappings.LoadArchive([]byte(archive), adapters.All()); err != nil {
		t.Errorf("the stored mapping does not load: %v", err)
	}
}

// What a source declares of a field counts in every format.
func TestConversionsAreHeldAgainstTheDeclaredType(t *testing.T) {
	const fields = "fields:\n  - { name: yes, type: boolean }\n  - { name: n, type: integer }\n  - { name: x, type: number }\n" +
		"  - { name: day, type: date, layout: dd/MM/yyyy }\n  - { name: hour, type: date, layout: yyyyMMddHHmm }\n  - { name: text }\n"
	sources := map[string]string{
		"csv":  "format: csv\n" + fields,
		"json": "format: json\n" + fields,
		"xml": "format: xml\noptions: { record: /r/c }\nstructure:\n  r:\n    c[]:\n      yes:\n      n:\n      x:\n      day:\n      hour:\n      text:\n" +
			fields,
	}
	for _, tt := range []struct{ target, rule, fault string }{
		{"subject.nhsNumber", "{ from: yes, as: nhsNumber }", `the field "yes" is declared as boolean`},
		{"subject.nhsNumber", "{ from: n, as: nhsNumber }", ""},
		{"subject.nhsNumber", "{ from: x, as: nhsNumber }", `the field "x" is declared as number`},
		{"subject.nhsNumber", "{ from: text, as: nhsNumber }", ""},
		{"subject.birthDate", "{ from: day, as: date }", ""},
		{"subject.birthDate", "{ from: n, as: date(yyyyMMdd) }", ""},
		{"subject.birthDate", "{ from: n, as: date(dd/MM/yyyy) }", `the field "n" is declared as integer`},
		{"at", "{ from: day, as: instant }", `the field "day" is declared as date`},
		{"at", `{ from: day, as: "instant(dd/MM/yyyy in Europe/London)" }`, `the field "day" is declared as date`},
		{"at", `{ from: hour, as: "instant(yyyyMMddHHmm in Europe/London)" }`, ""},
		{"at", `{ from: hour, as: "instant(dd/MM/yyyy HH:mm in Europe/London)" }`, `the field "hour" is declared as date`},
		{"scheduled", "{ from: yes, as: boolean }", ""},
		{"scheduled", "{ from: n, as: boolean }", `the field "n" is declared as integer`},
		{"setting", "{ from: yes }", `the field "yes" is declared as boolean`},
		{"setting", "{ from: day }", `the field "day" is declared as date`},
		{"setting", "{ from: day, as: text }", ""},
		{"setting", "{ from: n }", ""},
		{"setting", "{ from: yes, table: t }", "no code of table t can ever be found"},
		{"setting", "{ from: n, table: t }", "no code of table t can ever be found"},
		{"setting", "{ from: text, table: t }", ""},
	} {
		for format, source := range sources {
			got := typeFault(t, "access", source, tt.target, tt.rule, "t", "source,target,note\nE,ward,\n")
			if (got == "") != (tt.fault == "") || !strings.Contains(got, tt.fault) {
				t.Errorf("%s: %s: %s: %q, want %q", format, tt.target, tt.rule, got, tt.fault)
			}
		}
	}
}
