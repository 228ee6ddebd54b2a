package mappings

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/internal/figure"
)

// unwatched is Translate as it would be if nobody could ever watch: the same steps, and no line that knows of a tracer.
func unwatched(m *Mapping, msg engine.Message) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		t := &translation{mapping: m, msg: &msg}
		t.view.msg = &msg
		for record, err := range m.source.adapter.Decode(msg, m.source.schema) {
			out := unreadable(err)
			if record != nil {
				out = t.unwatchedRecord(record, err)
			}
			if !yield(out) {
				return
			}
		}
	}
}

// unwatchedRecord is record without its questions to the tracer.
func (t *translation) unwatchedRecord(record engine.Record, broken error) engine.Translated {
	t.view.record, t.faults, t.outcome = record, nil, engine.Accepted
	place := record.Place()
	if broken != nil {
		for _, fault := range asFaults(broken) {
			t.add(fault, engine.Rejected)
		}
	}
	if !t.wanted() {
		return engine.Translated{Outcome: t.outcome, Place: place, Faults: t.faults}
	}
	t.draft.begin(t.mapping.emit)
	for i := range t.mapping.rules {
		t.mapping.rules[i].run(t)
	}
	envelope := engine.NewEnvelope(t.mapping.emit, engine.Origin{
		Source: t.msg.Source, Message: t.msg.ID, Position: record.Position(), Mapping: t.mapping.digest, Received: t.msg.Received,
	})
	t.check(t.draft.body(t.mapping.emit, &envelope))
	out := engine.Translated{Outcome: t.outcome, Place: place, Faults: t.faults}
	switch {
	case t.outcome == engine.Accepted:
		out.Event = &envelope
	case envelope.Flag != nil:
		out.About = envelope.Flag.About()
	}
	return out
}

// northshireRows is a mapping with condition, expression and code table, and a message of n records, some of them faulty.
func northshireRows(t testing.TB, n int) (*Mapping, engine.Message) {
	t.Helper()
	m, err := Load(Embedded(), "northshire-csv", adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n")
	for i := range n {
		number, status, code := "9990000018", "L", "P"
		switch i % 50 {
		case 10:
			number = "9990000019"
		case 20:
			status = "C"
		case 30:
			code = "Q"
		}
		fmt.Fprintf(&b, "%s,Ada,Testone,12/03/2015,%s,01/09/2026,,,N-%d,%s,\n", number, code, i, status)
	}
	return m, engine.Message{ID: "m", Source: "file", LocalID: "7", Body: []byte(b.String())}
}

// What the reference of BenchmarkUntraced makes is what Translate makes, or the figure would compare two different things.
func TestUnwatchedMakesTheSame(t *testing.T) {
	m, msg := northshireRows(t, 100)
	next, stop := iter.Pull(unwatched(m, msg))
	defer stop()
	n := 0
	for want := range m.Translate(msg) {
		got, ok := next()
		if !ok || fmt.Sprintf("%+v %v", got.Place, got.Outcome) != fmt.Sprintf("%+v %v", want.Place, want.Outcome) || encoded(t, got) != encoded(t, want) || len(got.Faults) != len(want.Faults) {
			t.Fatalf("record %d differs", n+1)
		}
		n++
	}
	if n != 100 {
		t.Errorf("%d records", n)
	}
}

func encoded(t *testing.T, r engine.Translated) string {
	t.Helper()
	if r.Event == nil {
		return ""
	}
	raw, err := r.Event.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Tracing that is off allocates nothing a record; at most two things a message.
func TestUntracedAllocatesNothingMore(t *testing.T) {
	m, msg := northshireRows(t, 200)
	count := func(all iter.Seq[engine.Translated]) {
		for range all {
		}
	}
	off := testing.AllocsPerRun(20, func() { count(m.Translate(msg)) })
	bare := testing.AllocsPerRun(20, func() { count(unwatched(m, msg)) })
	if off > bare+2 { // the closure of Translate itself, and of the fault that is held back
		t.Errorf("200 records take %v allocations with tracing off and %v without any tracing", off, bare)
	}
}

// BenchmarkUntraced is what the possibility of tracing costs where it is off; x_ref is against the same steps written without it.
func BenchmarkUntraced(b *testing.B) {
	m, msg := northshireRows(b, 2000)
	b.ReportAllocs()
	each := figure.Compare(b, "no-tracing", func() {
		for range m.Translate(msg) {
		}
	}, func() {
		for range unwatched(m, msg) {
		}
	})
	b.ReportMetric(2000/each.Seconds(), "rows/s")
}
