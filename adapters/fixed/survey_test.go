package fixed

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/engine"
)

func surveyed(body string, src engine.Schema) string {
	var b strings.Builder
	for c := range New().Survey(engine.Message{Body: []byte(body)}, src) {
		fmt.Fprintf(&b, "%d %s %q [%d,%d) fixed=%v apart=%v\n", c.Record, c.Path, c.Text, c.Start, c.End, c.Fixed, c.Apart)
	}
	return b.String()
}

func TestSurvey(t *testing.T) {
	src := engine.Schema{Format: Format, Options: map[string]string{OptionHead: "H", OptionDetail: "D", OptionTrailer: "T", OptionCount: "2-3"},
		Fields: []engine.Field{{Name: "hk", Select: "head.1"}, {Name: "h", Select: "head.2-3"}, {Name: "k", Select: "1"}, {Name: "a", Select: "2-4"}}}
	want := "0 characters head.1 \"H\" [0,1) fixed=true apart=false\n0 characters head.2-3 \"xy\" [1,3) fixed=false apart=false\n" +
		"1 characters 1 \"D\" [4,5) fixed=true apart=false\n1 characters 2-4 \"abc\" [5,8) fixed=false apart=false\n" +
		"2 characters 1 \"D\" [9,10) fixed=true apart=false\n2 characters 2-4 \"abc\" [10,13) fixed=false apart=false\n2 characters after the last \"de\" [13,15) fixed=false apart=true\n" +
		"0 the trailer's kind \"T\" [16,17) fixed=true apart=false\n0 the trailer's count \"02\" [17,19) fixed=true apart=false\n0 the trailer \"zz\" [19,21) fixed=false apart=true\n"
	if got := surveyed("Hxy\nDabc\nDabcde\nT02zz\n", src); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestProfile(t *testing.T) {
	body := "00SHIRE 0042\n" +
		"10A0019990000018TESTONE   ADA   12032015\n" +
		"10A0029990000026TESTTWO   BEN   25112010\n" +
		"99000002\n"
	p, ok := New().Profile([]byte(body))
	selects := []string{}
	for _, f := range p.Schema.Fields {
		selects = append(selects, f.Select)
	}
	if got := strings.Join(selects, " "); !ok || got != "1-2 3-6 7-16 17-26 27-32 33-40 head.1-2 head.3-8 head.9-12" {
		t.Fatal(ok, got)
	}
	o := p.Schema.Options
	if o[OptionHead] != "00" || o[OptionDetail] != "10" || o[OptionTrailer] != "99" || o[OptionCount] != "3-8" {
		t.Error(o)
	}
	if err := New().Check(p.Schema); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"nothing": "", "one line": "10A0019990000018TESTONE   ADA\n", "no NHS number": strings.Repeat("abcdefghij0123456780abc\n", 3),
		"delimited": strings.Repeat("A001;9990000018;TESTONE;ADA\n", 3), "lines of any width": "a9990000018bbbbbbbbbbbbbb\nb9990000018bbbbbbbb\nb9990000018bbbbbbbb\nc9990000018bbbbbbbbbbbbbbbbbbb\n",
	} {
		if p, ok := New().Profile([]byte(bad)); ok {
			t.Errorf("%s: taken for fixed width: %+v", name, p)
		}
	}
}
