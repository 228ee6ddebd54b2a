package xml

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/engine"
)

func surveyed(body string, src engine.Schema) string {
	var b strings.Builder
	for c := range New().Survey(engine.Message{Body: []byte(body)}, src) {
		fmt.Fprintf(&b, "%d %s %q fixed=%v apart=%v %s\n", c.Record, c.Path, body[c.Start:c.End], c.Fixed, c.Apart, c.Escape)
	}
	return b.String()
}

func TestSurvey(t *testing.T) {
	src := engine.Schema{Format: Format, Options: map[string]string{OptionRecord: "/R/C", OptionNamespace: "urn:x"},
		Structure: []engine.Element{{Name: "R", Children: []engine.Element{{Name: "C", Many: true, Children: []engine.Element{{Name: "P", Many: true, Children: []engine.Element{{Name: "@use"}}}}}}}},
		Fields:    []engine.Field{{Name: "p", Select: "P[@use='duty']"}}}
	for name, tt := range map[string]struct{ body, want string }{
		"attributes, text and entities": {`<R xmlns="urn:x" b="1"><C><P use="duty"> a&amp;b </P><P use='day'><![CDATA[<c>]]></P></C></R>`,
			"0 /R/@b \"1\" fixed=false apart=false xml\n1 /R/C/P/@use \"duty\" fixed=true apart=false xml\n1 /R/C/P \"a&amp;b\" fixed=false apart=false xml\n" +
				"1 /R/C/P/@use \"day\" fixed=false apart=false xml\n1 /R/C/P \"<c>\" fixed=false apart=false \n"},
		"a comment may hold anything": {`<R xmlns="urn:x"><!-- Ada --><C/></R>`, "0 comment \"<!-- Ada -->\" fixed=false apart=true xml\n"},
		"broken markup":               {`<R xmlns="urn:x"><C><P>a</P></C><C><P>Ada</X></C>`, "1 /R/C/P \"a\" fixed=false apart=false xml\n2 /R/C/P \"Ada\" fixed=false apart=false xml\n2 unreadable \"</X></C>\" fixed=false apart=true \n"},
	} {
		if got := surveyed(tt.body, src); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
}

func TestProfile(t *testing.T) {
	body := `<?xml version="1.0" encoding="ISO-8859-1"?><q:Reg xmlns:q="urn:q" xmlns:c="urn:c" run="7"><c:Tel use="day">1</c:Tel><c:Tel use="duty">2</c:Tel>` +
		`<q:All><q:Kid id="1"><q:No>9990000018</q:No><q:Name>A</q:Name><q:Name>B</q:Name></q:Kid><q:Kid id="2"><q:No>9990000026</q:No></q:Kid></q:All></q:Reg>`
	p, ok := New().Profile([]byte(body))
	if !ok || p.Schema.Encoding != "iso-8859-1" || p.Schema.Options[OptionRecord] != "/Reg/All/Kid" || p.Schema.Options[OptionNamespace] != "urn:q" || p.Schema.Options[OptionNamespaces] != "c=urn:c" {
		t.Fatalf("%v %+v", ok, p)
	}
	selects := []string{}
	for _, f := range p.Schema.Fields {
		selects = append(selects, f.Select)
		if _, err := New().Compile(f.Name, p.Schema); err != nil {
			t.Errorf("%s: %v", f.Select, err)
		}
	}
	if got := strings.Join(selects, " "); got != "@id No Name[1] /Reg/@run /Reg/c:Tel[@use='day'] /Reg/c:Tel[@use='duty']" {
		t.Error(got)
	}
	if err := New().Check(p.Schema); err != nil {
		t.Error(err)
	}
	n := 0
	for r, err := range New().Decode(engine.Message{Body: []byte(body)}, p.Schema) {
		if n++; err != nil || r == nil {
			t.Error(err)
		}
	}
	if n != 2 {
		t.Errorf("%d records", n)
	}
	for _, bad := range []string{"", "x", "<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "a,b\n1,2\n"} {
		if _, ok := New().Profile([]byte(bad)); ok {
			t.Errorf("%q is taken for XML", bad)
		}
	}
}
