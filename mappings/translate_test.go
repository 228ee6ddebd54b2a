package mappings_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
)

// access is a mapping over notes with one rule left to the test.
func access(rule string) string {
	return `supplier: s
emit: access
source: source.yaml
set:
  id: { from: id, one: true, else: reject }
  subject.nhsNumber: { const: "9990000018" }
  at: { const: "2026-10-01T02:00:00Z" }
  by.organisation.odsCode: { const: RTEST }
  by.deviceId: { const: "200000000001" }
` + rule
}

const noteSource = `format: notes
fields:
  - { name: id }
  - { name: x, nullable: true }
`

// TestSteps takes one rule for the setting through what a record can hold.
func TestSteps(t *testing.T) {
	table := []string{"codes", "source,target,note\na,Alpha,\nb,Beta,\n"}
	tests := []struct{ name, rule, record, want, setting string }{
		{"one value", "{ from: x, else: park }", "id=1;x= v ", "accepted", "v"},
		{"absent and mandatory", "{ from: x, else: park }", "id=1", "parked mandatory", ""},
		{"empty and mandatory", "{ from: x, else: reject }", "id=1;x= ", "rejected mandatory", ""},
		{"absent and left empty", "{ from: x, else: null }", "id=1", "accepted mandatory", ""},
		{"absent and optional", "{ from: x, optional: true, else: park }", "id=1", "accepted", ""},
		{"the same value twice", "{ from: x, else: park }", "id=1;x=v;x=v", "accepted", "v"},
		{"an empty one beside it", "{ from: x, else: park }", "id=1;x=;x=v", "accepted", "v"},
		{"two values", "{ from: x, else: park }", "id=1;x=v;x=w", "parked more-than-one", ""},
		{"two values, optional", "{ from: x, optional: true, else: reject }", "id=1;x=v;x=w", "rejected more-than-one", ""},
		{"two values, the first", "{ from: x, one: true, else: park }", "id=1;x=;x=v;x=w", "accepted", "v"},
		{"in the table", "{ from: x, table: codes, else: park }", "id=1;x=b", "accepted", "Beta"},
		{"not in the table", "{ from: x, table: codes, else: park }", "id=1;x=c", "parked code-unmapped", ""},
		{"not in the table, left empty", "{ from: x, table: codes, else: null }", "id=1;x=c", "accepted code-unmapped", ""},
		{"expression", "{ expr: 'row.x == null ? \"none\" : row.x', else: park }", "id=1", "accepted", "none"},
		{"expression into table", "{ expr: 'row.x.lowerAscii()', table: codes, else: park }", "id=1;x=A", "accepted", "Alpha"},
		{"expression into table, unmapped", "{ expr: 'row.x.lowerAscii()', table: codes, else: reject }", "id=1;x=C", "rejected code-unmapped", ""},
		{"expression that is empty", "{ expr: 'row.x', else: reject }", "id=1", "rejected mandatory", ""},
		{"expression that fails is parked", "{ expr: 'row.x.substring(5)', else: reject }", "id=1;x=abc", "parked expression", ""},
		{"expression over a field of many", "{ expr: 'row.x', else: reject }", "id=1;x=v;x=w", "rejected more-than-one", ""},
		{"expression of the message", "{ expr: 'message.from + \"/\" + message.workflowId + \"/\" + message.localId', else: park }", "id=1", "accepted", "TESTLA01/TEST_WORKFLOW/7"},
		{"expression beyond its cost", "{ expr: 'row.x.matches(\"(a+)+b\") ? \"y\" : \"n\"', else: null }", "id=1;x=" + strings.Repeat("a", 200_000), "parked expression", ""},
		{"a selector that fails is parked", "{ from: x, else: park }", "id=1;x=broken", "parked selector", ""},
		{"a selector that fails is rejected", "{ from: x, optional: true, else: reject }", "id=1;x=broken", "rejected selector", ""},
		{"a selector that fails and may be left empty", "{ from: x, optional: true, else: null }", "id=1;x=broken", "accepted selector", ""},
		{"a selector that fails is not absent", "{ expr: 'has(row.x) ? row.x : \"none\"', else: reject }", "id=1;x=broken", "rejected selector", ""},
		{"nor passed over", "{ expr: 'row.x == \"a\" || row.id == \"1\" ? \"yes\" : \"no\"', else: park }", "id=1;x=broken", "parked selector", ""},
		{"the worst outcome counts", "{ from: x, else: park }", "x=v;x=w", "rejected mandatory more-than-one", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := noteSource
			if !strings.Contains(tt.rule, "row.x") && !strings.Contains(tt.rule, "from: x") {
				source = strings.Replace(source, "  - { name: x, nullable: true }\n", "", 1)
			}
			m := load(t, access("  setting: "+tt.rule), source, table...)
			got := translate(m, tt.record)
			if len(got) != 1 || rules(got[0]) != tt.want {
				t.Fatalf("got %v, want %s", rules(got[0]), tt.want)
			}
			if (got[0].Event != nil) != (got[0].Outcome == engine.Accepted) {
				t.Fatalf("an event goes with accepted and with nothing else")
			}
			if got[0].Event != nil && string(got[0].Event.Access.Setting) != tt.setting {
				t.Errorf("setting %q, want %q", got[0].Event.Access.Setting, tt.setting)
			}
		})
	}
}

// TestTypes takes each declared type of field through an expression and through a rule.
func TestTypes(t *testing.T) {
	tests := []struct{ field, rule, value, want string }{
		{"type: integer", "scheduled: { expr: 'row.x > 3' }", "5", "accepted true"},
		{"type: integer", "scheduled: { expr: 'row.x > 3' }", "5.5", "parked wrong-type"},
		{"type: number", "scheduled: { expr: 'row.x > 3.2', else: null }", "3.3", "accepted true"},
		{"type: number", "scheduled: { expr: 'row.x > 3.2', else: null }", "three", "accepted wrong-type false"},
		{"type: boolean", "scheduled: { expr: 'row.x', else: park }", "true", "accepted true"},
		{"type: boolean", "scheduled: { from: x, as: boolean, else: reject }", "yes", "rejected wrong-type"},
		{"type: boolean, nullable: true", "scheduled: { expr: 'row.x', optional: true }", "", "accepted false"},
		{"type: date, layout: dd/MM/yyyy", "scheduled: { expr: 'row.x > timestamp(\"2026-01-01T00:00:00Z\")' }", "02/01/2026", "accepted true"},
		{"type: date, layout: dd/MM/yyyy", "scheduled: { expr: 'row.x.getFullYear() == 2026' }", "32/01/2026", "parked date"},
		{"type: date, layout: dd/MM/yyyy, nullable: true", "scheduled: { expr: 'row.x == null' }", "", "accepted true"},
		{"type: date, layout: dd/MM/yyyy", "scheduled: { expr: 'row.x == null' }", "", "parked mandatory"},
		{"nullable: true", "scheduled: { expr: 'has(row.x)' }", "", "accepted false"},
		{"nullable: true", "scheduled: { expr: 'has(row.x)' }", "v", "accepted true"},
		{"enum: [a, b]", "scheduled: { expr: 'row.x == \"a\"', else: reject }", "c", "rejected not-in-enum"},
		{"enum: ['true', b]", "scheduled: { from: x, as: boolean, else: park }", "c", "parked not-in-enum"},
		{"type: date, layout: dd/MM/yyyy", "subject.birthDate: { from: x, as: date, else: park }", "02/01/2026", "accepted false"},
		{"type: date, layout: dd/MM/yyyy", "subject.birthDate: { expr: 'row.x', else: park }", "02/01/2026", "accepted false"},
	}
	for _, tt := range tests {
		source := "format: notes\nfields:\n  - { name: id }\n  - { name: x, " + tt.field + " }\n"
		got := translate(load(t, access("  "+tt.rule), source), "id=1;x="+tt.value)[0]
		text := rules(got)
		if got.Event != nil {
			text += fmt.Sprint(" ", got.Event.Access.Scheduled)
		}
		if text != tt.want {
			t.Errorf("%s, %s, %q: got %s, want %s", tt.field, tt.rule, tt.value, text, tt.want)
		}
		if got.Event != nil && strings.HasPrefix(tt.rule, "subject.birthDate") && got.Event.Access.Subject.BirthDate.ISO() != "2026-01-02" {
			t.Errorf("%s: the date is lost", tt.rule)
		}
	}
}

func TestWhen(t *testing.T) {
	mapping := "when: 'row.x == \"a\" || row.x == \"b\"'\n" + access("")
	source := "format: notes\nfields:\n  - { name: id }\n  - { name: x, enum: [a, b, c] }\n"
	m := load(t, mapping, source)
	var got []string
	for _, r := range translate(m, "id=1;x=a\nid=2;x=c\nid=3;x=d\nid=4\n?id=5;x=a\n?id=6;x=c\n") {
		got = append(got, rules(r))
	}
	want := "accepted, skipped, parked not-in-enum, parked mandatory, rejected bad-note, rejected bad-note"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestAdapterFaults(t *testing.T) {
	m := load(t, access(""), "format: notes\nfields: [{ name: id }]\n")
	var got []string
	for _, r := range translate(m, "id=1\n!text\n#2\n!again\n#0\n!file\n#2\nid=2\n#2\nid=2\n") {
		got = append(got, fmt.Sprintf("%d %s", r.Place.Record, rules(r)))
	}
	want := []string{"1 accepted", "2 rejected bad-note worse-note bad-note worse-note", "0 rejected bad-note worse-note",
		"2 accepted", "2 rejected duplicate-position"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

func TestNumberInactive(t *testing.T) {
	m := load(t, `supplier: s
emit: number-inactive
source: source.yaml
set:
  old: { from: old, as: nhsNumber, else: reject }
  replacements: { from: new, as: nhsNumber, optional: true, else: park }
`, "format: notes\nfields: [{ name: old }, { name: new, nullable: true }]\n")
	got := translate(m, "old=9990000018\nold=9990000018;new=9990000026;new=9990000034;new=9990000026\nold=9990000018;new=9990000026;new=1\nnew=9990000026\n")
	for i, want := range []string{"accepted 0", "accepted 2", "parked nhs-number", "rejected mandatory"} {
		text := rules(got[i])
		if got[i].Event != nil {
			text += fmt.Sprint(" ", len(got[i].Event.Inactive.Replacements))
		}
		if text != want {
			t.Errorf("record %d: got %s, want %s", i+1, text, want)
		}
	}
	if got[0].Event.Key() == "" || got[0].Event.Inactive.Old.Reveal() != "9990000018" {
		t.Error("the old number is lost")
	}
}

func TestActor(t *testing.T) {
	m := load(t, access("  by.person.userId: { from: user, optional: true, else: park }\n"), "format: notes\nfields: [{ name: id }, { name: user, nullable: true }]\n")
	got := translate(m, "id=1\nid=2;user=u\nid=3\n")
	if got[0].Event.Access.By.Person != nil || got[1].Event.Access.By.Person.UserID != "u" || got[2].Event.Access.By.Person != nil {
		t.Error("a person of one record stands in another, or none where one is")
	}
}

// TestEnvelope holds the event's origin: every part of it makes the id.
func TestEnvelope(t *testing.T) {
	m := load(t, access(""), "format: notes\nfields: [{ name: id }]\n")
	msg := message("id=1\nid=2\n")
	for r := range m.Translate(msg) {
		want := engine.Origin{Source: msg.Source, Message: msg.ID, Position: r.Place.Record, Mapping: m.Digest(), Received: msg.Received}
		if r.Event.Origin != want || r.Event.ID != engine.NewEventID(want, engine.KindAccess) || r.Event.Kind != engine.KindAccess {
			t.Errorf("record %d: %+v", r.Place.Record, r.Event.Origin)
		}
	}
	for range m.Translate(msg) {
		break // stopping early is allowed
	}
}

func northshire(t testing.TB) *mappings.Mapping {
	t.Helper()
	m, err := mappings.Load(mappings.Embedded(), model, adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const northshireHeader = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n"

// TestNoDatumInFaults fills rows with marks that must not come out in any fault, whatever is wrong with the row.
func TestNoDatumInFaults(t *testing.T) {
	m := northshire(t)
	cell := rapid.SampledFrom([]string{"SECRET", "9990000018", "9990000019", "12/03/2015", "32/13/2015", "P", "L", "", "\"SEC\nRET\"", "SEC\"RET", "\x81SECRET"})
	rapid.Check(t, func(rt *rapid.T) {
		row := strings.Join(rapid.SliceOfN(cell, 9, 12).Draw(rt, "row"), ",")
		for _, r := range translate(m, northshireHeader+row+"\n") {
			for _, f := range r.Faults {
				text := f.Error() + f.Sentence()
				if strings.Contains(text, "SEC") || strings.Contains(text, "99900000") || strings.Contains(text, "2015") {
					rt.Fatalf("a fault tells a datum: %s", text)
				}
			}
		}
	})
}

// TestDeterministic translates one message many times at once: the same mapping, the same records, the same events.
func TestDeterministic(t *testing.T) {
	m := northshire(t)
	body := northshireHeader + strings.Repeat("9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,\n9990000019,,,,X,,,,,L,\n,,,,,,,,,C,\n", 50)
	want := summary(m, body)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got := summary(m, body); got != want {
				t.Error("two translations of one message differ")
			}
		})
	}
	wait.Wait()
}

// summary writes everything that a translation says, events as they travel.
func summary(m *mappings.Mapping, body string) string {
	var b strings.Builder
	for _, r := range translate(m, body) {
		fmt.Fprintln(&b, r.Place, rules(r), r.Faults)
		if r.Event != nil {
			raw, err := r.Event.Encode()
			fmt.Fprintln(&b, string(raw), err)
		}
	}
	return b.String()
}
