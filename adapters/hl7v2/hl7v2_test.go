package hl7v2

import (
	"slices"
	"strings"
	"testing"

	"signalbox/adapters/internal/adaptertest"
	"signalbox/engine"
)

const msh = `MSH|^~\&|PAS|RTEST|||20261001020000||ADT^A01|`

func source() engine.Schema {
	return adaptertest.Source(Format, "event", "MSH-9.2", "number", `PID-3[5="NH"].1`, "family", "PID-5(*)-1.1", "kin", "NK1-2.2")
}

func TestDecode(t *testing.T) {
	latin := source()
	latin.Encoding = "iso-8859-1"
	pid := `PID|1||T41^^^TST^MR~9990000018^^^NHS^NH||Sample&van^Robin~Other^R`
	whole := []string{`1 "A01"@1:42 "9990000018"@2:21 "Sample"@2:42 "Other"@2:59`}
	for name, tt := range map[string]struct {
		src  engine.Schema
		body string
		want []string
	}{
		"one":             {source(), msh + "1\r" + pid + "\r", whole},
		"line feeds":      {source(), msh + "1\n" + pid + "\n", whole},
		"in a frame":      {source(), "\x0b" + msh + "1\r" + pid + "\r\x1c\r", []string{`1 "A01"@1:43 "9990000018"@2:21 "Sample"@2:42 "Other"@2:59`}},
		"two and kin":     {source(), msh + "1\r" + pid + "\rNK1|1|Kin^Ann\rNK1|2|Kin^Bo\r" + msh + "2\r", []string{whole[0] + ` "Ann"@3:11 "Bo"@4:11`, `2 "A01"@5:42`}},
		"a batch":         {source(), "FHS|^~\\&|x\rBHS|^~\\&|y\r" + msh + "1\rBTS|1\rFTS|1\r", []string{`1 "A01"@3:42`}},
		"a wrong batch":   {source(), "BHS|^~\\&|y\r" + msh + "1\rBTS|2\rFTS|2\r", []string{`1 "A01"@2:42`, "0 record-count 3:1", "0 record-count 4:1"}},
		"empty":           {source(), "\r\n", []string{"0 syntax 1:1"}},
		"no header":       {source(), "PID|1\r" + msh + "1\r", []string{"0 syntax 1:1", `1 "A01"@2:42`}},
		"other marks":     {source(), "MSH$%*!@$P$R$$$2026$$ADT%A04$1\rPID$1$$9990000018%%%N%NH$$Sam!T!ple\r", []string{`1 "A04"@1:26 "9990000018"@2:8 "Sam@ple"@2:27`}},
		"marks twice":     {source(), "MSH|^^\\&|P\r", []string{"1 syntax 1:1"}},
		"escapes":         {source(), msh + "1\rPID|1||||A\\S\\B\\F\\\\E\\\\R\\\\X41\\\\.br\\\\H\\b\\N\\\r", []string{`1 "A01"@1:42 "A^B|\\~A\nb"@2:10`}},
		"a bad escape":    {source(), msh + "1\rPID|1||||A\\Q\\B\r" + msh + "2\r", []string{"1 syntax 2:11", `2 "A01"@3:42`}},
		"an unread one":   {source(), msh + "1\rNTE|1||DOMAIN\\user\r", []string{`1 "A01"@1:42`}},
		"deleted":         {source(), msh + "1\rPID|1||\"\"^^^^NH||\"\"\r", []string{`1 "A01"@1:42 ""@2:8 ""@2:18`}},
		"a bad segment":   {source(), msh + "1\rpid|1\r", []string{"1 syntax 2:1"}},
		"a broken byte":   {source(), msh + "1\rPID|1||||\xffx\r" + msh + "2\r", []string{"1 encoding 2:10", `2 "A01"@3:42`}},
		"latin":           {latin, msh + "1\rPID|1||||Zo\xeb\r", []string{`1 "A01"@1:42 "Zoë"@2:10`}},
		"another charset": {latin, msh + "1|P|2.4||||||UNICODE UTF-8\r", []string{"1 encoding 1:1"}},
		"the charset":     {latin, msh + "1|P|2.4||||||8859/1\r", []string{`1 "A01"@1:42`}},
	} {
		if got := adaptertest.Show(t, New(), tt.body, tt.src); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestRawRanges takes every value's bytes out of a message in another encoding than UTF-8.
func TestRawRanges(t *testing.T) {
	src := source()
	src.Encoding = "windows-1252"
	body := msh + "1\rPID|1||\x93^^^\xeb^X~9990000018^^^NHS^NH\r"
	for rec := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		s, _ := New().Compile("number", src)
		at := s.Select(rec, nil)[0].At
		if got := body[at.Start:at.End]; got != "9990000018" || at.Path != "PID-3[2].1" {
			t.Errorf("%s: the range holds %q", at.Path, got)
		}
	}
}

func TestCompile(t *testing.T) {
	src := source()
	src.Options = map[string]string{OptionSegments: "ZCP:3"}
	adaptertest.Refusals(t, New(), src, map[string]string{
		"PID-3.1": "", "PID-3-1": "", "PID-3": "", "PID-3[2].4.2": "", "PID-3(*)-1": "", "NK1[2]-3.1": "", "number": "", "ZCP-3": "", "ZCP-2.9": "", "FHS-11": "",
		"PV1-44.1": "", `PID-3[4.1="NHS"].1`: "", "OBX-5.7": "",
		"PIQ-3":           `0+3 no segment "PIQ" in version 2.4, nor is it declared by the option segments ?`,
		"ZCQ-3":           `0+3 no segment "ZCQ"`,
		"ZCP-4":           "4+1 ZCP has 3 fields",
		"PID-39":          "4+2 PID has 38 fields",
		"PID-3.9":         "6+1 the data type CX has 8 components",
		"PID-3.4.4":       "8+1 the data type HD has 3 subcomponents",
		"PID-8.2":         "6+1 the data type IS has 1 components",
		`PID-3[9="NH"].1`: "6+1 the data type CX has 8 components",
		"PID":             "3+1 here belongs -",
		"PID-":            "4+1 here belongs the number of a field",
		"PID-0":           "4+1 here belongs the number of a field",
		"PID-3[":          "6+1 here belongs the number of a repetition",
		"PID-3[2":         "5+1 the bracket is not closed",
		"PID-3[5=NH]":     "8+1 here belongs a text in quotes",
		"PID-3.1.1.1":     "9+1 the path ends here",
		"pid-3":           "0+5 a path begins with a segment",
		"":                "0+1 a path begins with a segment",
	})
	for expr, want := range map[string]bool{"MSH-10": false, "MSH-10[1]": true, "PID[1]-3[1].1": true, "PID-7": false} {
		s, err := New().Compile(expr, src)
		if err != nil || s.(*path).Single() != want {
			t.Errorf("%s: single is %v, %v", expr, !want, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for want, change := range map[string]func(*engine.Schema){
		`option "segment" is unknown`: func(s *engine.Schema) { s.Options = map[string]string{"segment": "ZCP:1"} },
		"option segments is a list":   func(s *engine.Schema) { s.Options = map[string]string{"segments": "PID:1"} },
		"encoding is one byte":        func(s *engine.Schema) { s.Encoding = "utf-16" },
	} {
		src := source()
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{msh + "1\rPID|1||a^^^^NH||A\\S\\\r", "FHS|^~\\&|\rBHS|\rMSH|^~\\&|\rBTS|1\r", "\x0bMSH|\x1c\r", "BHS"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		src := source()
		src.Fields = append(src.Fields, engine.Field{Name: "batch", Select: "BHS-11"}, engine.Field{Name: "sub", Select: "PID-5[2].1.2"})
		adaptertest.Hold(t, New(), body, src)
		src.Encoding = "windows-1252"
		adaptertest.Hold(t, New(), body, src)
	})
}

func FuzzCompile(f *testing.F) {
	for _, expr := range []string{`PID-3[4.1="NHS"].1.2`, "NK1[2]-3(*)-1", "MSH-9.2"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if _, err := New().Compile(expr, engine.Schema{}); err != nil {
			if e, ok := err.(*engine.CompileError); !ok || e.Offset < 0 || e.Offset > len(expr) || e.Text == "" {
				t.Fatalf("%#v", err)
			}
		}
	})
}
