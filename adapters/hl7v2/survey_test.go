package hl7v2

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/engine"
)

func surveyed(body string, src engine.Schema) string {
	var b strings.Builder
	for c := range New().Survey(engine.Message{Body: []byte(body)}, src) {
		fmt.Fprintf(&b, "%d %s %q [%d,%d) fixed=%v apart=%v %s\n", c.Record, c.Path, c.Text, c.Start, c.End, c.Fixed, c.Apart, c.Escape)
	}
	return b.String()
}

// Codes, separators and set ids stay; every other value is shown with its bytes and its escapes read.
func TestSurvey(t *testing.T) {
	src := engine.Schema{Format: Format, Options: map[string]string{OptionSegments: "ZSU:2"}, Fields: []engine.Field{{Name: "n", Select: `PID-3[5="LOCAL"].1`}}}
	got := surveyed("BHS|^~\\&|X\rMSH|^~\\&|PAS||||||ADT^A01\rPID|1||7^^^^LOCAL~8^^^^NH||A\\T\\B&C\rZSU|u\rBTS|1\rMSHbad\r", src)
	for _, want := range []string{
		`0 BHS-3 "X" [9,10) fixed=false`,
		`1 MSH-3.1 "PAS" [20,23) fixed=false`,
		`1 MSH-9.1 "ADT" [29,32) fixed=true`,
		`1 PID-1 "1" [41,42) fixed=true`,
		`1 PID-3.1 "7" [44,45) fixed=false`,
		`1 PID-3.5 "LOCAL" [49,54) fixed=true`,
		`1 PID-3.5 "NH" [60,62) fixed=true`,
		`1 PID-5.1.1 "A&B" [64,69) fixed=false apart=false hl7\`,
		`1 PID-5.1.2 "C" [70,71) fixed=false`,
		`1 ZSU-1 "u" [76,77) fixed=false`,
		`0 BTS-1 "1" [82,83) fixed=true`,
		`2 unreadable "bad" [87,90) fixed=false apart=true`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// What a message holds is declared: identifiers by their type, the sender's own segments by how long they are.
func TestProfile(t *testing.T) {
	p, ok := New().Profile([]byte("MSH|^~\\&|PAS^1|T^Trust||||||ADT^A01|1|P|2.4\rPID|1||7^^^^MR~9990000018^^^^NH||A^B\rZSU|a|b|c\r"))
	if !ok || p.Schema.Options[OptionSegments] != "ZSU:3" {
		t.Fatalf("%v %+v", ok, p)
	}
	selects := ""
	for _, f := range p.Schema.Fields {
		selects += f.Select + "\n"
	}
	for _, want := range []string{`PID-3[5="MR"].1`, `PID-3[5="NH"].1`, "PID-5[1].2", "MSH-4.2", "ZSU-3"} {
		if !strings.Contains(selects, want+"\n") {
			t.Errorf("no %s in\n%s", want, selects)
		}
	}
	if strings.Contains(selects, "PV1") {
		t.Error("a segment that the sample lacks is declared")
	}
	if err := New().Check(p.Schema); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "PID|1", "a,b\n1,2\n", "MSH"} {
		if p, ok := New().Profile([]byte(bad)); ok {
			t.Errorf("%q is taken for HL7: %+v", bad, p)
		}
	}
}
