package backtest_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/backtest"
)

const (
	model  = "northshire-csv"
	header = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n"
)

// edited is the northshire folder with texts replaced: file, old, new.
func edited(t testing.TB, edits ...string) *mappings.Mapping {
	t.Helper()
	folder := fstest.MapFS{}
	for _, name := range []string{"mapping.yaml", "source.yaml", "tables/plan-type.csv"} {
		raw, err := fs.ReadFile(mappings.Embedded(), model+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		for e := range slices.Chunk(edits, 3) {
			if e[0] != name {
				continue
			}
			if !bytes.Contains(raw, []byte(e[1])) {
				t.Fatalf("%s does not hold %q", name, e[1])
			}
			raw = bytes.ReplaceAll(raw, []byte(e[1]), []byte(e[2]))
		}
		folder[model+"/"+name] = &fstest.MapFile{Data: raw}
	}
	m, err := mappings.Load(folder, model, adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// messages are two files; the day of every date but those of rows 1 and 4 is at most 12.
func messages() []engine.Message {
	var out []engine.Message
	for i, body := range []string{
		"9990000018,Ada,Testone,12/03/2015,P,21/09/2026,,,N-1,L,\n" +
			"9990000026,Ben,Testtwo,20/11/2010,L,10/05/2026,,,N-2,L,\n" +
			"9990000034,Cara,Testthree,02/01/1999,U,05/08/2026,24/12/2026,,N-3,L,\n",
		"9990000018,Ada,Testone,12/03/2015,X,25/09/2026,,,N-1,L,\n" +
			"9990000026,Ben,Testtwo,20/11/2010,L,11/11/2026,,,N-2,L,\n" +
			"9990000034,Cara,Testthree,02/01/1999,P,05/08/2026,,,N-3,C,\n",
	} {
		upstream := fmt.Sprint(i)
		out = append(out, engine.Message{ID: engine.NewMessageID("test/TESTLA01", upstream), Source: "test/TESTLA01", Upstream: upstream,
			LocalID: upstream, Received: time.Date(2026, 10, 1+i, 2, 0, 0, 0, time.UTC), Body: []byte(header + body)})
	}
	return out
}

func run(old, now *mappings.Mapping) *backtest.Report {
	r := backtest.New(now, nil)
	for _, m := range messages() {
		r.Message(m, old)
	}
	return r.Report()
}

// short writes differences and causes in one line each.
func short(r *backtest.Report) string {
	var b strings.Builder
	for _, c := range r.Causes {
		fmt.Fprintf(&b, "[%d] %s %s\n", c.Number, c.Edit.At(), c.Edit.Where)
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "%s/%d %s %v %v %v\n", d.Received.Format("02"), d.Record, d.What, d.Fields, d.Rules, d.Causes)
	}
	return b.String()
}

func TestBacktestNamesEventsAndCauses(t *testing.T) {
	for name, tt := range map[string]struct {
		edits []string
		want  string
	}{
		"a changed date format": {
			[]string{"mapping.yaml", "from: start_dt, as: date(dd/MM/yyyy)", "from: start_dt, as: date(MM/dd/yyyy)", "source.yaml", "start_dt, type: date, layout: dd", "start_dt, type: date, layout: MM",
				"source.yaml", "MM/MM", "MM/dd"},
			"[1] mapping.yaml:16 rule plan.start\n[2] source.yaml:13 field start_dt\n" +
				"01/1 newly rejected [plan.start] [date] [1 2]\n01/2 changed [plan.start] [] [1 2]\n01/3 changed [plan.start] [] [1 2]\n" +
				"02/1 refused otherwise [plan.start] [code-unmapped date] [1 2]\n",
		},
		"a code that means something else": {
			[]string{"tables/plan-type.csv", "L,looked-after", "L,child-protection"},
			"[1] tables/plan-type.csv:3 table plan-type, code L\n01/2 changed [plan.type] [] [1]\n02/2 changed [plan.type] [] [1]\n",
		},
		"a code that is mapped now": {
			[]string{"tables/plan-type.csv", "P,child-protection,CP plan\n", "P,child-protection,CP plan\nX,looked-after,\n"},
			"[1] tables/plan-type.csv:3 table plan-type, code X\n02/1 added [plan.type] [] [1]\n",
		},
		"a code that is gone": {
			[]string{"tables/plan-type.csv", "U,unborn-child-protection,Unborn: the row is about the mother\n", ""},
			"[1] tables/plan-type.csv:4 of the old version table plan-type, code U\n01/3 newly parked [plan.type] [code-unmapped] [1]\n",
		},
		"another condition": {
			[]string{"mapping.yaml", `row.record_status == "L"`, `row.record_status == "C"`},
			"[1] mapping.yaml:7 when\n01/1 removed [] [] [1]\n01/2 removed [] [] [1]\n01/3 removed [] [] [1]\n02/1 refused otherwise [] [] [1]\n02/2 removed [] [] [1]\n02/3 added [] [] [1]\n",
		},
		"a rule that is gone": {
			[]string{"mapping.yaml", "  localId: { from: case_ref, optional: true }\n", "", "mapping.yaml", "ignore:\n", "ignore:\n  - { column: case_ref, why: test }\n"},
			"[1] mapping.yaml:26 of the old version rule localId\n01/1 changed [localId] [] [1]\n01/2 changed [localId] [] [1]\n01/3 changed [localId] [] [1]\n02/2 changed [localId] [] [1]\n",
		},
		"an end that comes to lie before the start is laid at the start's door": {
			[]string{"mapping.yaml", "plan.start:     { from: start_dt, as: date(dd/MM/yyyy), else: reject }", "plan.start:     { const: 2026-12-31 }",
				"mapping.yaml", "ignore:\n", "ignore:\n  - { column: start_dt, why: test }\n"},
			"[1] mapping.yaml:16 rule plan.start\n01/1 changed [plan.start] [] [1]\n01/2 changed [plan.start] [] [1]\n01/3 newly rejected [plan.start] [plan-period] [1]\n02/2 changed [plan.start] [] [1]\n",
		},
		"another delimiter makes every record unreadable": {
			[]string{"source.yaml", `delimiter: ","`, `delimiter: ";"`},
			"[1] source.yaml:4 options\n01/0 refused otherwise [] [column-count] [1]\n01/1 removed [] [] [1]\n01/2 removed [] [] [1]\n01/3 removed [] [] [1]\n" +
				"02/0 refused otherwise [] [column-count] [1]\n02/1 refused otherwise [] [] [1]\n02/2 removed [] [] [1]\n02/3 refused otherwise [] [] [1]\n",
		},
		"what only a person reads": {[]string{"mapping.yaml", "# The extract does not say", "# Nobody says", "tables/plan-type.csv", "CP plan", "A plan"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(edited(t), edited(t, tt.edits...))
			if got := short(r); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			if r.Clean() != (tt.want == "") || r.Unexplained > 0 {
				t.Errorf("clean %v, %d unexplained", r.Clean(), r.Unexplained)
			}
			n := 0
			for _, c := range r.Counts {
				n += c
			}
			if n != len(r.Differences) {
				t.Errorf("%d counted, %d listed", n, len(r.Differences))
			}
		})
	}
}

// forms writes a report in all three.
func forms(t testing.TB, r *backtest.Report) []string {
	t.Helper()
	var out []string
	for _, write := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return r.Text(b, 2) },
		func(b *bytes.Buffer) error { return r.JSON(b) },
		func(b *bytes.Buffer) error { return r.HTML(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b.String())
	}
	return out
}

func TestReportIsTheSameTwiceAndHoldsNoValue(t *testing.T) {
	old, now := edited(t), edited(t, "tables/plan-type.csv", "L,looked-after", "L,child-protection", "mapping.yaml", "{ from: surname,", "{ from: forename,",
		"mapping.yaml", "ignore:\n", "ignore:\n  - { column: surname, why: test }\n")
	first := forms(t, run(old, now))
	for range 3 {
		if again := forms(t, run(old, now)); !slices.Equal(first, again) {
			t.Fatal("the same backtest makes another report")
		}
	}
	for _, text := range first {
		for _, datum := range []string{"99900000", "Ada", "Testone", "21/09", "N-1", "2015"} {
			if strings.Contains(text, datum) {
				t.Errorf("the report holds the datum %q:\n%s", datum, text)
			}
		}
		if !strings.Contains(text, "mapping.yaml") || !strings.Contains(text, "plan-type.csv") {
			t.Errorf("the report does not name the causes:\n%s", text)
		}
	}
	if !strings.Contains(first[0], "and 2 more") || strings.Contains(first[2], "<link") || strings.Contains(first[2], "src=") {
		t.Errorf("text:\n%s\nhtml:\n%s", first[0], first[2])
	}
}

func TestSameVersionComesOutTheSame(t *testing.T) {
	r := run(edited(t), edited(t))
	if !r.Clean() || r.Records != 6 || r.Same != 6 || r.Messages != 2 {
		t.Errorf("%+v", r)
	}
}

// Rows of one code that count on different days are edits of their own: a difference is laid at the door of the row that the record's date picks.
func TestBacktestOfADatedTable(t *testing.T) {
	dated := []string{"tables/plan-type.csv", "source,target,note\nP,child-protection,CP plan\nL,looked-after,Looked after child\nU,unborn-child-protection,Unborn: the row is about the mother\n",
		"source,target,note,valid-from,valid-to\nP,child-protection,,,\nL,looked-after,,,2026-06-30\nL,child-protection,,2026-07-01,\nU,unborn-child-protection,,,\n",
		"mapping.yaml", "table: plan-type,", "table: plan-type, at: start_dt,"}
	with := func(edits ...string) []string { return append(append([]string{}, dated...), edits...) }
	for name, tt := range map[string]struct {
		edits []string
		want  string
	}{
		"the later meaning": {with("tables/plan-type.csv", "L,child-protection,,2026-07-01,", "L,looked-after,,2026-07-01,"),
			"[1] tables/plan-type.csv:4 table plan-type, code L\n02/2 changed [plan.type] [] [1]\n"},
		"both meanings": {with("tables/plan-type.csv", "L,child-protection,,2026-07-01,", "L,looked-after,,2026-07-01,", "tables/plan-type.csv", "L,looked-after,,,2026-06-30", "L,child-protection,,,2026-06-30"),
			"[1] tables/plan-type.csv:3 table plan-type, code L\n[2] tables/plan-type.csv:4 table plan-type, code L\n01/2 changed [plan.type] [] [1]\n02/2 changed [plan.type] [] [2]\n"},
		"an earlier end": {with("tables/plan-type.csv", "2026-06-30", "2026-04-30"),
			"[1] tables/plan-type.csv:3 table plan-type, code L\n01/2 newly parked [plan.type] [code-unmapped] [1]\n"},
		"another date": {with("mapping.yaml", "at: start_dt,", ""),
			"[1] mapping.yaml:15 rule plan.type\n01/2 changed [plan.type] [] [1]\n"},
	} {
		r := run(edited(t, dated...), edited(t, tt.edits...))
		if got := short(r); got != tt.want || r.Unexplained > 0 {
			t.Errorf("%s: %d unexplained, got\n%swant\n%s", name, r.Unexplained, got, tt.want)
		}
	}
}
