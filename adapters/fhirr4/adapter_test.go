package fhirr4

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/fhir/oracle"
)

func sample(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json")
	require.NoError(t, err)
	return raw
}

func schema() engine.Schema {
	return engine.Schema{Format: Format, Options: map[string]string{OptionBundle: "message"}, Fields: []engine.Field{
		{Name: "born", Select: "Bundle.entry.resource.ofType(Patient).birthDate"},
	}}
}

// decode returns the one record, or the faults.
func decode(t testing.TB, a engine.Adapter, body []byte) (records []engine.Record, faults []*engine.Error) {
	t.Helper()
	for r, err := range a.Decode(engine.Message{Body: body}, schema()) {
		if err != nil {
			var fault *engine.Error
			require.ErrorAs(t, err, &fault)
			faults = append(faults, fault)
			continue
		}
		records = append(records, r)
	}
	return records, faults
}

func TestCheck(t *testing.T) {
	a := New()
	assert.Equal(t, "fhir-r4", a.Format())
	assert.NoError(t, a.Check(schema()))
	assert.NoError(t, a.Check(engine.Schema{Encoding: "utf-8"}))
	for want, src := range map[string]engine.Schema{
		"encoding: FHIR is UTF-8":                 {Encoding: "windows-1252"},
		"option delimiter is unknown":             {Options: map[string]string{"delimiter": ";"}},
		"option bundle is message or transaction": {Options: map[string]string{"bundle": "document"}},
	} {
		assert.ErrorContains(t, a.Check(src), want)
		for r, err := range a.Decode(engine.Message{Body: sample(t)}, src) {
			assert.Nil(t, r)
			assert.Error(t, err)
		}
	}
}

func TestSelect(t *testing.T) {
	a, raw := New(), sample(t)
	records, faults := decode(t, a, raw)
	require.Empty(t, faults)
	require.Len(t, records, 1)
	r := records[0]
	assert.Equal(t, 1, r.Position())
	assert.Equal(t, engine.Place{Record: 1, Path: "Bundle", Line: 1, Column: 1, Start: 0, End: int64(len(strings.TrimSpace(string(raw))))}, r.Place())
	tests := []struct {
		expr, path string
		texts      []string
		single     bool
	}{
		{"born", "Bundle.entry[2].resource.birthDate", []string{"2019-06-03"}, false},
		{"Bundle.type", "Bundle.type", []string{"message"}, true},
		{"entry.first().fullUrl", "Bundle.entry[0].fullUrl", []string{"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"}, true},
		{"Bundle.entry.resource.ofType(Patient).name.given", "Bundle.entry[2].resource.name[0].given[0]", []string{"Robin", "Alex"}, false},
		{"Bundle.entry.resource.ofType(Patient).birthDate.extension('http://hl7.org/fhir/StructureDefinition/patient-birthTime').value",
			"Bundle.entry[2].resource._birthDate.extension[0].valueDateTime", []string{"2019-06-03T04:12:00+01:00"}, false},
		{"Bundle.entry.resource.ofType(Flag).exists()", "Bundle", []string{"false"}, true},
		{"Bundle.entry.resource.ofType(Flag).id", "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			s, err := a.Compile(tt.expr, schema())
			require.NoError(t, err)
			assert.Equal(t, tt.single, s.(*selector).Single())
			var texts []string
			found := s.Select(r, nil)
			for _, v := range found {
				texts = append(texts, v.Text)
			}
			assert.Equal(t, tt.texts, texts)
			if len(found) == 0 {
				return
			}
			at := found[0].At
			assert.Equal(t, tt.path, at.Path)
			assert.Equal(t, 1, at.Record)
			if at.Path != "Bundle" {
				assert.Equal(t, found[0].Text, string(raw[at.Start:at.End]), "the range is the value as it was sent")
				assert.Equal(t, at.Line, strings.Count(string(raw[:at.Start]), "\n")+1)
			}
		})
	}
}

// TestMadeValuesStand holds that a value that a path made stands where what it was made of stands.
func TestMadeValuesStand(t *testing.T) {
	a, raw := New(), sample(t)
	records, faults := decode(t, a, raw)
	require.Empty(t, faults)
	const official = "Bundle.entry.resource.ofType(Patient).name.where(use = 'official')"
	tests := []struct{ expr, text, path string }{
		{official + ".given.first() & ' ' & " + official + ".family.first()", "Robin Sample", "Bundle.entry[2].resource.name[0]"},
		{official + ".family.first().upper()", "SAMPLE", "Bundle.entry[2].resource.name[0].family"},
		{"'constant'", "constant", "Bundle"},
	}
	for _, tt := range tests {
		s, err := a.Compile(tt.expr, schema())
		require.NoError(t, err, tt.expr)
		assert.True(t, s.(*selector).Single(), tt.expr)
		found := s.Select(records[0], nil)
		require.Len(t, found, 1, tt.expr)
		assert.Equal(t, tt.text, found[0].Text)
		assert.Equal(t, tt.path, found[0].At.Path, tt.expr)
		assert.Equal(t, 1, found[0].At.Record)
		assert.Less(t, found[0].At.Start, found[0].At.End)
	}
}

// TestModifiers holds that a Bundle with a modifier extension is refused unless its source says that the mapping heeds it.
func TestModifiers(t *testing.T) {
	const status = `"status": "in-progress",`
	body := strings.Replace(string(sample(t)), status, status+`"modifierExtension":[{"url":"urn:not","valueBoolean":true}],`, 1)
	records, faults := decode(t, New(), []byte(body))
	assert.Empty(t, records)
	require.Len(t, faults, 1)
	assert.Equal(t, fhir.RuleModifier, faults[0].Rule)
	assert.Equal(t, "Bundle.entry[1].resource.modifierExtension[0]", faults[0].Place.Path)
	assert.Positive(t, faults[0].Place.Line)
	src := schema()
	src.Options[OptionModifiers] = "urn:other urn:not"
	require.NoError(t, New().Check(src))
	for r, err := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		assert.NotNil(t, r)
		assert.NoError(t, err)
	}
}

// TestPathsThatFail holds that a path which cannot be worked out on a record is an error with a place, and no value that is absent.
func TestPathsThatFail(t *testing.T) {
	a, raw := New(), sample(t)
	records, faults := decode(t, a, raw)
	require.Empty(t, faults)
	const patient = "Bundle.entry.resource.ofType(Patient)."
	tests := []struct{ expr, text, path string }{
		{"Bundle.entry.single().fullUrl", "at 1: several items stand here where FHIRPath allows one", "Bundle.entry[1]"},
		{patient + "name.given.upper()", "at 1: several items stand here", "Bundle.entry[2].resource.name[0].given[1]"},
	}
	for _, tt := range tests {
		s, err := a.Compile(tt.expr, schema())
		require.NoError(t, err, tt.expr)
		assert.Empty(t, s.Select(records[0], nil), "who only looks finds nothing")
		found, err := s.(engine.FallibleSelector).SelectOr(records[0], nil)
		assert.Empty(t, found)
		var fault *engine.Error
		require.ErrorAs(t, err, &fault, tt.expr)
		assert.Equal(t, engine.RuleSelector, fault.Rule)
		assert.Equal(t, engine.Invalid, fault.Kind)
		assert.Contains(t, fault.Text, tt.text)
		assert.Equal(t, tt.path, fault.Place.Path)
		assert.Equal(t, 1, fault.Place.Record)
		assert.Equal(t, strings.Count(string(raw[:fault.Place.Start]), "\n")+1, fault.Place.Line)
		assert.NotContains(t, fault.Error(), "Robin")
	}
}

// FuzzSelect holds that any bytes are records or faults, with places within the bytes, and that no path makes a record fail without one.
func FuzzSelect(f *testing.F) {
	raw := sample(f)
	f.Add(raw, true)
	f.Add([]byte(strings.Replace(string(raw), `"message"`, `"transaction"`, 1)), false)
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"POST","url":"Encounter"},"resource":{"resourceType":"Encounter","status":"planned","class":{"code":"EMER"}}}]}`), false)
	f.Add([]byte(`<Bundle xmlns="http://hl7.org/fhir"><type value="message"/><entry><resource><MessageHeader><eventUri value="a"/><source><endpoint value="b"/></source></MessageHeader></resource></entry></Bundle>`), true)
	a := New()
	src := schema()
	var selectors []engine.Selector
	for _, expr := range []string{"born", "Bundle.entry.single().fullUrl", "Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).name.given", "Bundle.entry.count().toString() & ' entries'"} {
		s, err := a.Compile(expr, src)
		require.NoError(f, err)
		selectors = append(selectors, s)
	}
	f.Fuzz(func(t *testing.T, body []byte, message bool) {
		src.Options = map[string]string{OptionBundle: map[bool]string{true: "message", false: "transaction"}[message]}
		within := func(at engine.Place) {
			require.True(t, 0 <= at.Start && at.Start <= at.End && at.End <= int64(len(body)), "%v", at)
		}
		for r, err := range a.Decode(engine.Message{Body: body}, src) {
			var fault *engine.Error
			if r == nil {
				require.ErrorAs(t, err, &fault)
				within(fault.Place)
				continue
			}
			within(r.Place())
			for _, s := range selectors {
				found, err := engine.Select(s, r, nil)
				for _, v := range found {
					within(v.At)
				}
				if err != nil {
					require.Empty(t, found)
					require.ErrorAs(t, err, &fault)
					within(fault.Place)
				}
			}
		}
	})
}

// TestSelectorsSayWhatTheyRead is what lint and coverage ask.
func TestSelectorsSayWhatTheyRead(t *testing.T) {
	s, err := New().Compile("born", schema())
	require.NoError(t, err)
	assert.Equal(t, []string{"date"}, s.(*selector).Types())
	assert.Equal(t, []string{"Bundle.entry", "Bundle.entry.resource", "Patient.birthDate"}, s.(*selector).Elements())
}

// TestFieldsMustSuitTheirPaths holds that a field's declared type is held against what R4 has there.
func TestFieldsMustSuitTheirPaths(t *testing.T) {
	const patient = "Bundle.entry.resource.ofType(Patient)."
	tests := []struct {
		path string
		typ  engine.FieldType
		want string // nothing: it suits
	}{
		{patient + "birthDate", engine.TypeDate, ""},
		{patient + "birthDate", engine.TypeString, ""},
		{patient + "id", engine.TypeDate, ""},
		{patient + "deceased", engine.TypeDate, ""},
		{patient + "active", engine.TypeBoolean, ""},
		{patient + "multipleBirth.ofType(integer)", engine.TypeInteger, ""},
		{patient + "multipleBirth.ofType(integer)", engine.TypeNumber, ""},
		{patient + "nmae", engine.TypeDate, ""}, // Compile says it better
		{patient + "active", engine.TypeDate, "field born is declared as date, and its FHIRPath finds boolean"},
		{patient + "name.count()", engine.TypeDate, "its FHIRPath finds Integer"},
		{patient + "birthDate", engine.TypeInteger, "its FHIRPath finds date"},
		{patient + "birthDate", engine.TypeNumber, "its FHIRPath finds date"},
		{patient + "multipleBirth.ofType(integer)", engine.TypeBoolean, "its FHIRPath finds integer"},
		{patient + "photo.data", engine.TypeNumber, "its FHIRPath finds base64Binary"},
		{"Bundle.entry.search.score", engine.TypeInteger, "its FHIRPath finds decimal"},
	}
	for _, tt := range tests {
		err := New().Check(engine.Schema{Fields: []engine.Field{{Name: "born", Select: tt.path, Type: tt.typ}}})
		if tt.want == "" {
			assert.NoError(t, err, "%s as %s", tt.path, tt.typ)
			continue
		}
		assert.ErrorContains(t, err, tt.want, "%s as %s", tt.path, tt.typ)
	}
}

func TestSelectIgnoresForeignRecords(t *testing.T) {
	s, err := New().Compile("Bundle.type", schema())
	require.NoError(t, err)
	assert.Empty(t, s.Select(nil, nil))
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		expr           string
		offset, length int
		text, suggest  string
	}{
		{"Bundle.entry.resource.ofType(Patient).birthdate", 38, 9, "no element", "birthDate"},
		{"Patient.birthDate", 0, 7, "starts from Bundle", ""},
		{"Bundle.entry.resource.ofType(Patient).name", 0, 42, "HumanName, which is an object", ""},
		{"borne", 0, 5, "no element", ""},
		{"Bundle.entry[", 13, 1, "expected the name", ""},
	}
	for _, tt := range tests {
		_, err := New().Compile(tt.expr, schema())
		var at *engine.CompileError
		require.ErrorAs(t, err, &at, tt.expr)
		assert.Equal(t, tt.offset, at.Offset, "%v", err)
		assert.Equal(t, tt.length, at.Length, "%v", err)
		assert.Contains(t, at.Text, tt.text)
		assert.Equal(t, tt.suggest, at.Suggest)
	}
}

func TestDecodeRefuses(t *testing.T) {
	v, err := oracle.New()
	require.NoError(t, err)
	good := string(sample(t))
	tests := []struct {
		name, in, rule, path string
		kind                 engine.ErrorKind
	}{
		{"nothing", "", engine.RuleSyntax, "", engine.Invalid},
		{"a byte order mark", "\ufeff" + good, engine.RuleEncoding, "", engine.Invalid},
		{"bad bytes", strings.Replace(good, "Robin", "Rob\xff", 1), engine.RuleEncoding, "Bundle.entry[1].resource.subject.display", engine.Invalid},
		{"too large", strings.Repeat(" ", 1<<20) + good, engine.RuleLimit, "", engine.TooLarge},
		{"two documents", good + good, engine.RuleSyntax, "", engine.Invalid},
		{"another resource", `{"resourceType":"Patient","id":"a"}`, fhir.RuleShape, "Patient", engine.Invalid},
		{"another Bundle", strings.Replace(good, `"message"`, `"batch"`, 1), fhir.RuleShape, "Bundle.type", engine.Invalid},
		{"a Bundle without type", `{"resourceType":"Bundle","id":"a"}`, engine.RuleMandatory, "Bundle", engine.Invalid},
		{"no entries", `{"resourceType":"Bundle","type":"message"}`, fhir.RuleShape, "Bundle.entry[0].resource", engine.Invalid},
		{"no header first", `{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"Patient","id":"a"}}]}`, fhir.RuleShape, "Bundle.entry[0].resource", engine.Invalid},
		{"a code in capitals", strings.Replace(good, `"in-progress"`, `"In-Progress"`, 1), engine.RuleEnum, "Bundle.entry[1].resource.status", engine.Invalid},
		{"a date in another form", strings.Replace(good, "2019-06-03\"", "3/6/2019\"", 1), engine.RuleType, "Bundle.entry[2].resource.birthDate", engine.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			records, faults := decode(t, New(WithSecondOpinion(v)), []byte(tt.in))
			assert.Empty(t, records)
			require.NotEmpty(t, faults)
			assert.Equal(t, tt.rule, faults[0].Rule, "%v", faults[0])
			assert.Equal(t, tt.path, faults[0].Place.Path)
			assert.Equal(t, tt.kind, faults[0].Kind)
			assert.Equal(t, 1, faults[0].Place.Record)
			assert.Positive(t, faults[0].Place.Line)
		})
	}
}

func TestDecodeStopsWhenAsked(t *testing.T) {
	count := 0
	for range New().Decode(engine.Message{Body: []byte(`{"resourceType":"Bundle","type":"message","a":1,"b":2}`)}, schema()) {
		count++
		break
	}
	assert.Equal(t, 1, count)
}

func TestLimitsCanBeSet(t *testing.T) {
	_, faults := decode(t, New(WithLimits(fhir.Limits{MaxBytes: 100})), sample(t))
	require.Len(t, faults, 1)
	assert.Equal(t, engine.TooLarge, faults[0].Kind)
}

// TestDecodeIsPure holds that the same bytes make the same record, and that decoding leaves the bytes alone.
func TestDecodeIsPure(t *testing.T) {
	raw := sample(t)
	before := string(raw)
	s, err := New().Compile("Bundle.descendants", schema())
	assert.Nil(t, s)
	assert.Error(t, err)
	s, err = New().Compile("Bundle.entry.fullUrl", schema())
	require.NoError(t, err)
	a, _ := decode(t, New(), raw)
	b, _ := decode(t, New(), raw)
	assert.Equal(t, s.Select(a[0], nil), s.Select(b[0], nil))
	assert.Equal(t, before, string(raw))
}

func BenchmarkDecode(b *testing.B) {
	a, raw, src := New(), sample(b), schema()
	s, err := a.Compile("Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).identifier.where(system = '"+fhir.SystemNHSNumber+"').value", src)
	require.NoError(b, err)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		for r := range a.Decode(engine.Message{Body: raw}, src) {
			if len(s.Select(r, nil)) != 1 {
				b.Fatal("not found")
			}
		}
	}
}
