package mappings_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/mappings"
)

const (
	datedSource = "format: notes\nfields:\n  - { name: no }\n  - { name: code }\n  - { name: since, type: date, layout: dd/MM/yyyy, nullable: true }\n  - { name: seen, nullable: true }\n"
	datedTable  = "source,target,note,valid-from,valid-to\nA,ward,,,2026-03-31\nA,clinic,,2026-04-01,2026-06-30\nB,unit,,,\n"
)

// dated is an access whose setting is looked up as the rule says.
func dated(rule string) string {
	return "supplier: s\nemit: access\nsource: source.yaml\nset:\n  setting: " + rule + "\n  id: { from: no, else: reject }\n" +
		"  subject.nhsNumber: { const: \"9990000018\" }\n  by.deviceId: { const: \"200000000001\" }\n  by.organisation.odsCode: { const: TST01 }\n" +
		"  subject.birthDate: { from: since, as: date, optional: true, else: null }\n" +
		"  at: { from: seen, as: instant(yyyyMMddHHmm in Europe/London), else: reject }\n"
}

// The row of a code counts on the day that a declared field says, or a target that another rule makes, wherever that rule stands; without
// either on the day on which the message was received (1 October 2026).
func TestTableDatedByAField(t *testing.T) {
	const park = ", table: t, else: park }"
	ignore := "ignore: []\n"
	for _, tt := range []struct{ rule, record, want string }{
		{"{ from: code, table: t, at: since, else: park }", "since=31/03/2026", "ward"},
		{"{ from: code, table: t, at: since, else: park }", "since=01/04/2026", "clinic"},
		{"{ from: code, table: t, at: since, else: park }", "since=30/06/2026", "clinic"},
		{"{ from: code, table: t, at: since, else: park }", "since=01/07/2026", "parked code-unmapped"},
		{"{ from: code, table: t, at: since, else: park }", "", "parked mandatory"},
		{"{ from: code, table: t, at: since, else: park }", "since=31/02/2026", "parked date"},
		{"{ from: code, table: t, at: since, else: reject }", "since=01/03/2026;since=02/03/2026", "rejected more-than-one"},
		{"{ from: code, table: t, at: since, else: null }", "since=no", ""},
		{"{ expr: row.code, table: t, at: since, else: park }", "since=01/04/2026", "clinic"},
		{"{ from: code, table: t, at: subject.birthDate, else: park }", "since=01/04/2026", "clinic"},
		{"{ from: code, table: t, at: subject.birthDate, else: park }", "", "parked mandatory"},
		// 23:30 UTC on 31 March is half past midnight of 1 April in London: the day is the one of the zone that the rule names.
		{"{ from: code, table: t, at: at, else: park }", "seen=202604010030", "clinic"},
		{"{ from: code" + park, "since=01/04/2026", "parked code-unmapped"},
	} {
		m := load(t, dated(tt.rule)+ignore, datedSource, "t", datedTable)
		record := "no=1;code=A;" + tt.record
		if !strings.Contains(record, "seen=") {
			record += ";seen=202609011000"
		}
		got := translate(m, record+"\n")[0]
		text := rules(got)
		if got.Outcome == engine.Accepted {
			text = string(got.Event.Access.Setting)
		} else if words := strings.Fields(text); len(words) == 3 && words[1] == words[2] {
			text = words[0] + " " + words[1] // the birth date's rule says it too
		}
		if text != tt.want {
			t.Errorf("%s of %q: %q, want %q", tt.rule, tt.record, text, tt.want)
		}
	}
	m := load(t, dated("{ from: code, table: t, at: since, else: park }")+ignore, datedSource, "t", datedTable)
	if got := translate(m, "no=1;code=B;seen=202609011000\n")[0]; got.Outcome != engine.Accepted || got.Event.Access.Setting != "unit" {
		t.Errorf("a code that counts on every day needs no date: %v", rules(got))
	}
}

// A trace says which row was taken, and by which date.
func TestTraceOfADatedTable(t *testing.T) {
	m := load(t, dated("{ from: code, table: t, at: since, else: park }")+"ignore: []\n", datedSource, "t", datedTable)
	i := slices.IndexFunc(m.Rules(), func(r mappings.Rule) bool { return r.Target == "setting" })
	r := m.Rules()[i]
	if r.At != (mappings.Dating{Name: "since"}) || !slices.Equal(r.Fields, []string{"code", "since"}) || r.At.String() != "the date in since" {
		t.Errorf("%+v", r)
	}
	for day, want := range map[string]string{"31/03/2026": "tables/t.csv:2 until 2026-03-31", "01/04/2026": "tables/t.csv:3 from 2026-04-01 until 2026-06-30", "01/07/2026": "", "x": ""} {
		for traced := range m.Trace(message("no=1;code=A;since=" + day + ";seen=202609011000\n")) {
			s := traced.Steps[slices.IndexFunc(traced.Steps, func(s mappings.Step) bool { return s.Rule == i })]
			got := ""
			if s.Row != nil {
				got = s.Row.At() + " " + s.Row.Days()
			}
			if got != want || len(s.Dated) != 1 || s.Dated[0].Text != day || s.Code != "A" {
				t.Errorf("%s: row %q, dated by %+v", day, got, s.Dated)
			}
		}
	}
	// A rule that waits for another one's date runs, and is listed, after it.
	m = load(t, dated("{ from: code, table: t, at: at, else: park }")+"ignore: []\n", datedSource, "t", datedTable)
	if last := m.Rules()[len(m.Rules())-1]; last.Target != "setting" || !last.At.Target {
		t.Errorf("%+v", last)
	}
}

// Two targets cannot each wait for the other.
func TestDatingInACircle(t *testing.T) {
	mapping := "supplier: s\nemit: flag\nsource: source.yaml\nset:\n" +
		"  plan.start: { from: a, table: days, at: plan.end, else: park }\n  plan.end: { from: a, table: days, at: plan.start, else: park }\n" +
		"  subject.nhsNumber: { const: \"9990000018\" }\n  subject.birthDate: { const: 2015-03-12 }\n  plan.type: { const: child-protection }\n" +
		"  authority.odsCode: { const: \"998\" }\n  authority.name: { const: X }\n  authority.emergencyDuty: { const: \"01632 960102\" }\n"
	folder := folderOf(mapping, "format: notes\nfields: [{ name: a }]\n", "days", "source,target,note,valid-from,valid-to\nA,2026-01-01,,2026-01-01,\n")
	_, err := mappings.Load(folder, "s", formats())
	for _, want := range []string{"s/mapping.yaml:5:43: E125 the date of plan.end is picked by another target's itself", "s/mapping.yaml:6:41: E125"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant %s", err, want)
		}
	}
}

// The day on which a message was received is UTC's, so that the same message finds the same row wherever it is replayed.
func TestTableDatedByReceipt(t *testing.T) {
	m := load(t, dated("{ from: code, table: t, else: park }")+"ignore: []\n", datedSource, "t", datedTable)
	msg := message("no=1;code=A;seen=202609011000\n")
	zone := time.FixedZone("east", 3*60*60)
	for at, want := range map[time.Time]string{
		time.Date(2026, 4, 1, 2, 59, 0, 0, zone): "ward", time.Date(2026, 4, 1, 3, 0, 0, 0, zone): "clinic",
	} {
		msg.Received = at
		for got := range m.Translate(msg) {
			if got.Event == nil || string(got.Event.Access.Setting) != want {
				t.Errorf("received at %s: %v, want %s", at, rules(got), want)
			}
		}
	}
}
