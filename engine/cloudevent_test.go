package engine_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

func samples(t *testing.T) []engine.Envelope {
	t.Helper()
	n, err := engine.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	hl7 := engine.MustLayout("hl7")
	date := func(s string) engine.Date {
		d, err := hl7.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	origin := engine.Origin{
		Source: "mesh/SIGNALBOX1/TESTLA01", Message: engine.NewMessageID("mesh/SIGNALBOX1/TESTLA01", "M1"), Position: 3,
		Mapping: strings.Repeat("ab", 32), Received: time.Date(2026, 10, 1, 3, 15, 0, 123000, time.UTC),
	}
	flag := engine.NewEnvelope(engine.KindFlag, origin)
	flag.Flag = &engine.Flag{
		Subject:   engine.Subject{NHSNumber: n, BirthDate: date("201503120000"), Given: "Zoë", Family: "Testone"},
		Plan:      engine.Plan{Type: engine.ChildProtection, Start: date("202609010930"), End: date("202709010000"), Withdrawn: date("202610010000")},
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", OfficeHours: "01632960001", EmergencyDuty: "01632960002"},
		LocalID:   "LA-1001", FileID: "1042",
	}
	access := engine.NewEnvelope(engine.KindAccess, origin)
	access.Access = &engine.Access{
		ID: "3c4c0aef-3537-44c4-a8b5-f0c313603458", Subject: engine.Subject{NHSNumber: n}, At: origin.Received, Scheduled: true, Setting: "emergency",
		By: engine.Actor{
			Person:   &engine.Person{UserID: "555012345678", RoleProfile: "1", RoleCode: "R0260", RoleName: "General Medical Practitioner", Name: "Eve Clinician"},
			DeviceID: "999000000001", Organisation: engine.Organisation{ODSCode: "RXX99", Name: "TEST EMERGENCY DEPARTMENT"},
		},
	}
	inactive := engine.NewEnvelope(engine.KindNumberInactive, origin)
	inactive.Inactive = &engine.NumberInactive{Old: n, Replacements: []engine.NHSNumber{n}}
	whole := origin
	whole.Position = 0
	raised := origin
	raised.Source, raised.Position, raised.Mapping = "pattern/999", 0, ""
	pattern := engine.NewEnvelope(engine.KindPattern, raised)
	pattern.Pattern = &engine.Pattern{
		NHSNumber: n, Authority: "999", Plan: engine.LookedAfter, Since: day(t, 2026, 9, 24), Day: day(t, 2026, 10, 1), Rule: engine.PatternRule{Organisations: 2, Days: 7},
		Visits: []engine.Visit{
			{Access: "3c4c0aef-3537-44c4-a8b5-f0c313603458", At: origin.Received.AddDate(0, 0, -1), Organisation: access.Access.By.Organisation, Area: "Northshire"},
			{Access: "5d0e7c0b-4ad8-4c52-9d2b-1a5c0f4c7f11", At: origin.Received, Organisation: engine.Organisation{ODSCode: "RXX98"}},
		},
	}
	return []engine.Envelope{flag, access, inactive, engine.NewEnvelope(engine.KindMessage, whole), engine.NewEnvelope(engine.KindFileDone, whole), pattern}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, e := range samples(t) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := engine.DecodeEnvelope(raw)
		if err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
		again, err := back.Encode()
		if err != nil || string(again) != string(raw) {
			t.Errorf("%s: encoding what was decoded gives other bytes:\n%s\n%s", e.Kind, raw, again)
		}
		if back.ID != e.ID || !reflect.DeepEqual(back.Access, e.Access) || !reflect.DeepEqual(back.Inactive, e.Inactive) {
			t.Errorf("%s: what was decoded differs", e.Kind)
		}
		if p := e.Pattern; p != nil && (back.Pattern.Since.Compare(p.Since) != 0 || back.Pattern.Day.Compare(p.Day) != 0 || back.Pattern.Rule != p.Rule ||
			back.Key() != e.Key() || !reflect.DeepEqual(back.Pattern.Visits, p.Visits)) {
			t.Error("the pattern differs after a round trip")
		}
		if e.Flag != nil && (back.Flag.Plan.Start.Compare(e.Flag.Plan.Start) != 0 || back.Flag.Plan.Start.Sent() != "202609010930" || back.Flag.LocalID != e.Flag.LocalID) {
			t.Error("the flag differs after a round trip")
		}
	}
}

// The bytes of the wire, one event a line, stay what they are: stores and streams hold them, and other programs read them.
func TestWireBytesStay(t *testing.T) {
	golden, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	for i, e := range samples(t) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != lines[i] {
			t.Errorf("%s:\n%s\nis not\n%s", e.Kind, raw, lines[i])
		}
	}
}

// Any consumer can read the events: the CloudEvents project's own SDK does, and each fits the published schema.
func TestEventsFitTheStandardAndTheSchema(t *testing.T) {
	schema := compileSchema(t)
	for _, e := range samples(t) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var ce cloudevents.Event
		if err := json.Unmarshal(raw, &ce); err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
		if err := ce.Validate(); err != nil {
			t.Errorf("%s: %v", e.Kind, err)
		}
		if ce.ID() != string(e.ID) || ce.Type() != engine.EventType(e.Kind) || ce.Extensions()["partitionkey"] != e.Key() {
			t.Errorf("%s: the SDK reads other attributes", e.Kind)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%s: %v", e.Kind, err)
		}
	}
}

func TestSchemaRefusesWhatIsNoEvent(t *testing.T) {
	schema := compileSchema(t)
	raw, err := samples(t)[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"plan type":       {"child-protection", "something-else"},
		"unknown member":  {`"fileId"`, `"fileNumber"`},
		"missing subject": {`"subject"`, `"person"`},
		"NHS number":      {"9990000018", "999000001"},
	} {
		bad := strings.Replace(string(raw), change[0], change[1], 1)
		if bad == string(raw) {
			t.Fatalf("%s: nothing was changed", name)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(instance) == nil {
			t.Errorf("%s: a changed event still fits the schema", name)
		}
	}
}

func TestAsyncAPINamesEveryKind(t *testing.T) {
	var doc struct {
		Channels map[string]struct{ Address string }
	}
	if err := yaml.Unmarshal([]byte(engine.AsyncAPI), &doc); err != nil {
		t.Fatal(err)
	}
	for _, k := range engine.Kinds() {
		if got := doc.Channels[string(k)].Address; got != "signalbox."+string(k) {
			t.Errorf("channel %s has the address %q", k, got)
		}
	}
	if len(doc.Channels) != len(engine.Kinds()) {
		t.Errorf("%d channels for %d kinds", len(doc.Channels), len(engine.Kinds()))
	}
}

func TestDecodeEnvelopeNeverQuotesItsInput(t *testing.T) {
	good, err := samples(t)[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"9990000018", "9990000019"}, {`"specversion":"1.0"`, `"specversion":"0.3"`}, {"signalbox/mesh", "elsewhere"}, {".flag.", ".other."},
		{"2015-03-12", "2015-02-31"}, {`"position":3`, `"position":4`}, {"child-protection", "nonsense"}, {"{", "["},
	} {
		_, err := engine.DecodeEnvelope([]byte(strings.Replace(string(good), change[0], change[1], 1)))
		if err == nil {
			t.Errorf("%s: is taken", change[1])
			continue
		}
		if engine.KindOf(err) != engine.Invalid || strings.Contains(err.Error(), "999000") || strings.Contains(err.Error(), "2015") {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(engine.EventSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:signalbox:event:v1", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:signalbox:event:v1")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
