package drift_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings/drift"
)

// day is how one day's file is made; its zero value is an ordinary one.
type day struct {
	header      string
	layout      string // of start_dt: Go's
	more        string // appended to each row
	status      string // of the last row
	rows        int
	noBirthdays bool
}

const ordinary = "nhs_no,surname,dob,plan_cat,start_dt,end_dt,status"

// file makes a day's file: 100 to 200 rows, a rare plan, an end date on a third, a birthday missing now and then.
func file(r *rand.Rand, d day) string {
	if d.header == "" {
		d.header = ordinary
	}
	if d.layout == "" {
		d.layout = "dmy"
	}
	if d.rows == 0 {
		d.rows = 100 + r.IntN(100)
	}
	var b strings.Builder
	b.WriteString(d.header + "\n")
	date := func(year int) string {
		y, m, n := year+r.IntN(10), 1+r.IntN(12), 1+r.IntN(28)
		switch d.layout {
		case "mdy":
			return fmt.Sprintf("%02d/%02d/%04d", m, n, y)
		case "iso":
			return fmt.Sprintf("%04d-%02d-%02d", y, m, n)
		}
		return fmt.Sprintf("%02d/%02d/%04d", n, m, y)
	}
	for i := range d.rows {
		dob, end, plan, status := fmt.Sprintf("%02d/%02d/%d", 1+r.IntN(28), 1+r.IntN(12), 2005+r.IntN(15)), "", "P", "L"
		if d.noBirthdays && r.IntN(2) == 0 || r.IntN(50) == 0 {
			dob = ""
		}
		if r.IntN(3) == 0 {
			end = date(2026)
		}
		switch n := r.IntN(100); {
		case n == 0:
			plan = "U" // rare: known to the table
		case n < 40:
			plan = "L"
		}
		if r.IntN(20) == 0 {
			status = "C"
		}
		if i == d.rows-1 && d.status != "" {
			status = d.status
		}
		fmt.Fprintf(&b, "999%07d,Name%d,%s,%s,%s,%s,%s%s\n", r.IntN(10_000_000), r.IntN(100_000), dob, plan, date(2024), end, status, d.more)
	}
	return b.String()
}

func profile(t *testing.T, body string) drift.Profile {
	t.Helper()
	a, _ := adapters.All().Adapter("csv")
	p, err := drift.Of(a, engine.Message{Body: []byte(body)}, engine.Schema{Format: "csv"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// month is a baseline of so many ordinary days, on none of which an alarm is raised.
func month(t *testing.T, r *rand.Rand, days int) *drift.Baseline {
	t.Helper()
	b := drift.New([]string{"P", "L", "U"})
	for n := range days {
		p := profile(t, file(r, day{}))
		for _, a := range b.Check(p) {
			t.Errorf("an ordinary day, the %d.: %s", n+1, a)
		}
		b.Add(p)
	}
	return b
}

func TestOrdinaryMonthsAreSilent(t *testing.T) {
	for seed := range uint64(3) {
		month(t, rand.New(rand.NewPCG(seed, 1)), 30)
	}
}

func TestEachDriftIsToldOnItsFirstFile(t *testing.T) {
	for name, tt := range map[string]struct {
		day  day
		want []string
	}{
		"a new column":          {day{header: ordinary + ",gp_code", more: ",X1"}, []string{"new column: column gp_code: in none of 10 messages before"}},
		"a column renamed":      {day{header: strings.Replace(ordinary, "status", "state", 1)}, []string{"missing column: column status", "new column: column state"}},
		"a new code":            {day{status: "Z", rows: 120}, []string{"new code: column status: 1 values that it never had, the first in record 120"}},
		"American dates":        {day{layout: "mdy"}, []string{"date format: column end_dt: was dd/MM/yyyy", "date format: column start_dt: was dd/MM/yyyy"}},
		"ISO dates":             {day{layout: "iso"}, []string{"date format: column end_dt", "date format: column start_dt"}},
		"ten times as many":     {day{rows: 1500}, []string{"volume: 1500 records, before it were"}},
		"a tenth":               {day{rows: 10}, []string{"volume: 10 records"}},
		"half of the birthdays": {day{noBirthdays: true}, []string{"null rate: column dob"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 7))
			b := month(t, r, 10)
			var got []string
			for _, a := range b.Check(profile(t, file(r, tt.day))) {
				got = append(got, a.String())
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("%q, want %q", got[i], tt.want[i])
				}
				for _, datum := range []string{"999", "Name", "/20"} {
					if strings.Contains(got[i], datum) {
						t.Errorf("the alarm holds a value: %s", got[i])
					}
				}
			}
		})
	}
}

// A file without rows is a step in volume, and nothing else is said of it.
func TestEmptyFile(t *testing.T) {
	b := month(t, rand.New(rand.NewPCG(3, 3)), 5)
	got := b.Check(profile(t, ordinary+"\n"))
	if len(got) != 1 || got[0].Kind != drift.Volume {
		t.Errorf("%v", got)
	}
}

func TestFirstMessageRaisesNothing(t *testing.T) {
	if got := drift.New(nil).Check(profile(t, file(rand.New(rand.NewPCG(1, 1)), day{}))); got != nil {
		t.Errorf("%v", got)
	}
}
