package xml

import (
	"slices"
	"strings"
	"testing"

	"signalbox/adapters/internal/adaptertest"
	"signalbox/engine"
)

const structure = `
Register
  @sent
  Authority
    @code
  h:Note
  Child[]
    @ref
    Name
      Given[]
      Family
    Identifier[]
      @type
    Plan
      Start
`

func source() engine.Schema {
	s := adaptertest.Source(Format, "ref", "@ref", "number", "Identifier[@type='NHS']", "given", "Name/Given[1]", "start", ".//Start", "code", "/Register/Authority/@code")
	s.Options = map[string]string{OptionRecord: "/Register/Child"}
	s.Structure = adaptertest.Structure(structure)
	return s
}

const document = `<?xml version="1.0" encoding="UTF-8"?>
<Register sent="2026"><!-- c --><Authority code="998"/>
<Child ref = 'a&amp;b'><Identifier type="L">7</Identifier><Identifier type="NHS">999<!-- x -->1</Identifier><Name><Given>Zo&#235;</Given><Given>B</Given></Name></Child>
<Child><Plan><Start><![CDATA[2026]]></Start></Plan></Child>
</Register>`

func TestDecode(t *testing.T) {
	named := source()
	named.Options = map[string]string{OptionRecord: "/Register/Child", OptionNamespace: "urn:one", OptionNamespaces: "h=urn:two"}
	latin := source()
	latin.Encoding = "windows-1252"
	first := `1 "a&b"@3:15 "9991"@3:82 "Zoë"@3:122 "998"@2:50`
	for name, tt := range map[string]struct {
		src  engine.Schema
		body string
		want []string
	}{
		"two":                 {source(), document, []string{first, `2 "2026"@4:21 "998"@2:50`}},
		"cut short":           {source(), document[:strings.Index(document, "</Start>")], []string{first, "0 syntax 4:37"}},
		"not well-formed":     {source(), strings.Replace(document, "</Plan>", "</Plane>", 1), []string{first, "0 syntax 4:53"}},
		"no children":         {source(), "<Register/>", nil},
		"another document":    {source(), "<Registry/>", []string{"0 mandatory 1:1"}},
		"empty":               {source(), "", []string{"0 syntax 1:1"}},
		"two roots":           {source(), "<Register><Child ref='1'/></Register><Register/>", []string{`1 "1"@1:23`, "0 syntax 1:38"}},
		"text outside":        {source(), "<Register/> x", []string{"0 syntax 1:12"}},
		"a document type":     {source(), "<!DOCTYPE Register [<!ENTITY a 'b'>]><Register/>", []string{"0 syntax 1:1"}},
		"an unknown entity":   {source(), "<Register><Child ref='&a;'/></Register>", []string{"0 syntax 1:26"}},
		"a broken byte":       {source(), "<Register><Child ref='\xff'/><Child ref='2'/></Register>", []string{"1 encoding 1:23", `2 "2"@1:39`}},
		"a broken byte above": {source(), "<Register sent='\xff'><Child ref='2'/></Register>", []string{"0 encoding 1:17"}},
		"windows-1252":        {latin, "<?xml version='1.0' encoding='windows-1252'?><Register><Child ref='Zo\xeb'/></Register>", []string{`1 "Zoë"@1:68`}},
		"another encoding":    {latin, "<?xml version='1.0' encoding='UTF-8'?><Register/>", []string{"0 encoding 1:1"}},
		"namespaces":          {named, "<x:Register xmlns:x='urn:one' xmlns='urn:two'><x:Child xmlns:y='urn:three' ref='1' y:ref='2'/><Child ref='3'/></x:Register>", []string{`1 "1"@1:81`}},
		"no namespace":        {named, "<Register><Child ref='1'/></Register>", []string{"0 mandatory 1:1"}},
		"too deep":            {source(), strings.Repeat("<a>", 70), []string{"0 limit 1:193"}},
	} {
		if got := adaptertest.Show(t, New(), tt.body, tt.src); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestPlaces takes paths and bytes of values, in another encoding than UTF-8 too.
func TestPlaces(t *testing.T) {
	src := source()
	src.Encoding = "iso-8859-1"
	body := "<Register><Child ref='\xeb\xeb'><Identifier type='L'>1</Identifier><Identifier\n type=\"NHS\">9990000018</Identifier></Child><Child/></Register>"
	for rec := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		for field, want := range map[string]string{"number": "/Register/Child[1]/Identifier[2] 9990000018", "ref": "/Register/Child[1]/@ref \xeb\xeb"} {
			s, _ := New().Compile(field, src)
			for _, v := range s.Select(rec, nil) {
				if got := v.At.Path + " " + body[v.At.Start:v.At.End]; got != want {
					t.Errorf("%s: %q", field, got)
				}
			}
		}
	}
}

func TestCompile(t *testing.T) {
	adaptertest.Refusals(t, New(), source(), map[string]string{
		"@ref": "", "Name/Family": "", "Identifier[@type='NHS']": "", "Identifier[@type = 'a' and not(.='')][1]": "", ".//Start": "", "./Plan/Start/text()": "",
		"Name/Family | Name/Given[last()]": "", "/Register/@sent": "", "/Register/h:Note": "", "*/Start": "", "Identifier[contains(@type, 'N')]/@type": "", "ref": "",
		"Identifier[(@type='a' or @type!='b')]": "", "Name[Given='x']/Family": "", "Plan/../Name/Family": "",
		"@rfe":                           `0+4 no attribute "rfe" is declared here ?@ref`,
		"Name/Givn":                      `5+4 no element "Givn" is declared here ?Given`,
		"Identifier[@tpye='NHS']":        `11+5 no attribute "tpye" is declared here ?@type`,
		"/Registr/@sent":                 `1+7 no element "Registr" is declared here ?Register`,
		"/Register/Child/@ref":           "10+5 a path from the root reads what stands outside",
		"//Start":                        "0+2 write the path from the record",
		"../@sent":                       "0+2 this leaves the record",
		"Name":                           "0+4 the path finds an element that holds others",
		"child::Name":                    "0+7 axes are written short",
		"Identifier[contain(@type,'a')]": `11+7 the function "contain" is not read here ?contains`,
		"Identifier[contains(@type)]":    "11+8 the function contains takes at least 2",
		"Identifier[@type='NHS'":         "22+1 here belongs ]",
		"Identifier[@type='NHS]":         "17+1 the quote is not closed",
		"Identifier[(1]":                 "13+1 here belongs )",
		"Plan/*/*":                       "7+1 the structure declares nothing here",
		"Plan/":                          "5+1 here belongs a name",
		"@ref x":                         "5+1 the path ends here",
		"":                               "0+1 here belongs a name",
	})
	for expr, want := range map[string]bool{"@ref": true, "Identifier": false, "Identifier[2]": true, ".//Start": false, "Name/Family": true, "Name/Family|@ref": false, "*/Start": false} {
		s, err := New().Compile(expr, source())
		if err != nil || s.(*selector).Single() != want {
			t.Errorf("%s: single is %v, %v", expr, !want, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for want, change := range map[string]func(*engine.Schema){
		"option record is missing":                                   func(s *engine.Schema) { delete(s.Options, OptionRecord) },
		"option record is a path":                                    func(s *engine.Schema) { s.Options[OptionRecord] = "Register/Child" },
		`no element "Chidl" is declared there, did you mean "Child"`: func(s *engine.Schema) { s.Options[OptionRecord] = "/Register/Chidl" },
		`option "records" is unknown`:                                func(s *engine.Schema) { s.Options["records"] = "/a" },
		"option namespaces is a list":                                func(s *engine.Schema) { s.Options[OptionNamespaces] = "urn:x" },
		"the structure is missing":                                   func(s *engine.Schema) { s.Structure = nil },
		"encoding is utf-8 or":                                       func(s *engine.Schema) { s.Encoding = "utf-16" },
	} {
		src := source()
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestNothingOfTheMessageInFaults keeps names that nobody declared out of faults: they may be data.
func TestNothingOfTheMessageInFaults(t *testing.T) {
	for _, body := range []string{"<SECRET></SECRT>", "<Register><SECRET a=1/></Register>", "<Register><Child>&SECRET;</Child></Register>", "<SECRET/>"} {
		for _, err := range New().Decode(engine.Message{Body: []byte(body)}, source()) {
			if err == nil || strings.Contains(err.Error(), "SECR") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{document, "<Register><Child ref='\xff'", "\ufeff<a/>", "<?xml version='1.0' encoding='utf-16'?><a b=\"'\" xmlns:c='d' c:e='f'/>"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		adaptertest.Hold(t, New(), body, source())
		latin := source()
		latin.Encoding = "windows-1252"
		adaptertest.Hold(t, New(), body, latin)
	})
}

// FuzzCompile gives the checker any expression: it never panics, nor does the library on what the checker lets through, and what compiles
// runs.
func FuzzCompile(f *testing.F) {
	for _, expr := range []string{"@ref", "Identifier[@type='NHS' and position()=1]", "Name/Family | .//Start[1]", "/Register/@sent", "Identifier[translate(.,'a','b')!=1]"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := New().Compile(expr, source())
		if err != nil {
			if e, ok := err.(*engine.CompileError); !ok || e.Offset < 0 || e.Offset > len(expr) || e.Text == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for rec := range New().Decode(engine.Message{Body: []byte(document)}, source()) {
			if rec != nil {
				s.Select(rec, nil)
			}
		}
	})
}
