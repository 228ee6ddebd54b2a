package mappings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/internal/figure"
	"signalbox/mappings"
)

const tracedRows = "9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1001,L,\n" + // accepted
	"9990000018,Ada\n" + // unreadable
	"9990000026,Ben,Testtwo,20/11/2010,X,10/05/2026,,,N-1002,L,\n" + // an unmapped code
	"9990000034,Cara,Testthree,02/01/1999,U,15/08/2026,24/12/2026,,,C,\n" // left out by the condition

// step writes what a rule read, from where, and what it made.
func step(m *mappings.Mapping, s mappings.Step) string {
	out := "when"
	if s.Rule >= 0 {
		out = m.Rules()[s.Rule].Target
	}
	for _, v := range s.Read {
		out += fmt.Sprintf(" <%q %s [%d,%d)", v.Text, v.At.Path, v.At.Start, v.At.End)
	}
	if s.Row != nil {
		out += fmt.Sprintf(" %s:%d", s.Row.File, s.Row.Line)
	}
	out += " = " + strings.Join(s.Made, "|")
	for _, f := range s.Faults {
		out += " ! " + f.Rule
	}
	return out
}

func TestTraceShowsWhatEachRuleReadAndMade(t *testing.T) {
	m := northshire(t)
	all := slices.Collect(m.Trace(message(northshireHeader + tracedRows)))
	if len(all) != 4 {
		t.Fatalf("%d records, want 4", len(all))
	}
	at := len(northshireHeader)
	for _, tt := range []struct {
		record, rule int // rule -1: the condition
		want         string
	}{
		{0, -1, fmt.Sprintf(`when <"L" column record_status [%d,%d) = true`, at+56, at+57)},
		{0, 0, fmt.Sprintf(`subject.nhsNumber <"9990000018" column nhs_no [%d,%d) = 9990000018`, at, at+10)},
		{0, 4, fmt.Sprintf(`plan.type <"P" column plan_cat [%d,%d) tables/plan-type.csv:2 = child-protection`, at+34, at+35)},
		{0, 5, fmt.Sprintf(`plan.start <"01/09/2026" column start_dt [%d,%d) = 2026-09-01 (sent 01/09/2026)`, at+36, at+46)},
		{0, 8, `authority.odsCode = 998`},
		{0, 13, `fileId = 7`},
	} {
		s := all[tt.record].When
		if tt.rule >= 0 {
			s = &all[tt.record].Steps[tt.rule]
		}
		if got := step(m, *s); got != tt.want {
			t.Errorf("record %d, rule %d: %s\nwant %s", tt.record+1, tt.rule, got, tt.want)
		}
	}
	if all[1].When != nil || all[1].Steps != nil || all[1].Outcome != engine.Rejected {
		t.Errorf("the unreadable record has the work of rules: %+v", all[1])
	}
	parked := all[2].Steps[4]
	if parked.Row != nil || len(parked.Faults) != 1 || parked.Faults[0].Rule != engine.RuleCode || len(parked.Made) != 0 {
		t.Errorf("the unmapped code: %s", step(m, parked))
	}
	if all[2].Steps[0].Made[0] != "9990000026" {
		t.Error("a parked record does not show what its other rules made")
	}
	if w := all[3].When; w == nil || w.Read[0].Text != "C" || w.Made[0] != "false" || len(all[3].Steps) != 0 {
		t.Errorf("the record that the condition left out: %+v", all[3])
	}
}

func TestTraceOfSomeRecords(t *testing.T) {
	m := northshire(t)
	for _, only := range [][]int{{1}, {2}, {3}, {2, 4}, {9}} {
		var got []int
		for traced := range m.Trace(message(northshireHeader+tracedRows), only...) {
			got = append(got, traced.Place.Record)
		}
		want := slices.DeleteFunc(slices.Clone(only), func(n int) bool { return n > 4 })
		if !slices.Equal(got, want) {
			t.Errorf("asked for %v: %v", only, got)
		}
	}
}

// Whatever the rows, tracing changes nothing: the same outcomes, places, faults and events.
func TestTraceTranslatesLikeTranslate(t *testing.T) {
	m := northshire(t)
	cell := rapid.SampledFrom([]string{"9990000018", "9990000019", "", "P", "X", "01/09/2026", "31/02/2026", "L", "\"", "Zo", "a\"b"})
	rapid.Check(t, func(t *rapid.T) {
		body := northshireHeader
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			cells := rapid.SliceOfN(cell, 10, 12).Draw(t, "cells")
			body += strings.Join(cells, ",") + "\n"
		}
		plain := translate(m, body)
		i := 0
		for traced := range m.Trace(message(body)) {
			if i >= len(plain) || say(plain[i]) != say(traced.Translated) {
				t.Fatalf("record %d: traced %s", i+1, say(traced.Translated))
			}
			i++
		}
		if i != len(plain) {
			t.Fatalf("%d records traced, %d translated", i, len(plain))
		}
	})
}

// say is everything that a result holds.
func say(r engine.Translated) string {
	out := fmt.Sprintf("%s %+v", r.Outcome, r.Place)
	for _, f := range r.Faults {
		out += "; " + f.Error()
	}
	if r.Event != nil {
		body, err := r.Event.Encode()
		out += fmt.Sprint(string(body), err)
	}
	return out
}

func TestRulesTellWhatTheyRead(t *testing.T) {
	m := northshire(t)
	byTarget := map[string]mappings.Rule{}
	for _, r := range m.Rules() {
		byTarget[r.Target] = r
	}
	if r := byTarget["plan.type"]; r.Table != "plan-type" || !slices.Equal(r.Fields, []string{"plan_cat"}) || r.Text != "from: plan_cat, table: plan-type, else: park" {
		t.Errorf("plan.type: %+v", r)
	}
	if r := byTarget["authority.odsCode"]; !r.Const || r.Fields != nil {
		t.Errorf("a constant: %+v", r)
	}
	text, line, fields := m.When()
	if text != `row.record_status == "L"` || line == 0 || !slices.Equal(fields, []string{"record_status"}) {
		t.Errorf("when: %q line %d reads %v", text, line, fields)
	}
	if all := m.Ignored(); len(all) != 1 || all[0].Field != "worker_name" || all[0].Why == "" {
		t.Errorf("ignored: %+v", all)
	}
	rows := m.Tables()["plan-type"]
	if len(rows) != 3 || rows[1] != (mappings.TableRow{File: "tables/plan-type.csv", Line: 3, Source: "L", Target: "looked-after"}) {
		t.Errorf("table: %+v", rows)
	}
}

// BenchmarkTrace is what it costs to see the work of every rule on every record; x_ref is against Translate on the same rows in the same run.
func BenchmarkTrace(b *testing.B) {
	m := northshire(b)
	body := northshireHeader + strings.Repeat("9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1001,L,\n", benchRecords)
	msg := message(body)
	b.ReportAllocs()
	each := figure.Compare(b, "untraced", func() {
		for range m.Trace(msg) {
		}
	}, func() { count(m, msg) })
	b.ReportMetric(benchRecords/each.Seconds(), "rows/s")
}
