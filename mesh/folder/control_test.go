package folder

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func full() Control {
	return Control{
		Version: "1.0", AddressType: "DTS", MessageType: "Data", WorkflowID: "TEST_CPIS_UPLOAD", FromESMTP: "a@example.test", FromDTS: "TESTLA01", ToESMTP: "b@example.test",
		ToDTS: "TESTTR01", Subject: "Daily <file> & more", LocalID: "batch-7", DTSID: "20260102030405000000_ABCDEF", ProcessID: "P1", Compress: "Y", AllowChunking: "Y",
		Encrypted: "N", IsCompressed: "N", DataChecksum: "md5:0a1b", PartnerID: "X1",
		Status: &Status{DateTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Event: "TRANSFER", Status: "SUCCESS", StatusCode: "00", Description: "Transferred to recipient mailbox"},
	}
}

const fullText = `<DTSControl>
  <Version>1.0</Version>
  <AddressType>DTS</AddressType>
  <MessageType>Data</MessageType>
  <WorkflowId>TEST_CPIS_UPLOAD</WorkflowId>
  <From_ESMTP>a@example.test</From_ESMTP>
  <From_DTS>TESTLA01</From_DTS>
  <To_ESMTP>b@example.test</To_ESMTP>
  <To_DTS>TESTTR01</To_DTS>
  <Subject>Daily &lt;file&gt; &amp; more</Subject>
  <LocalId>batch-7</LocalId>
  <DTSId>20260102030405000000_ABCDEF</DTSId>
  <ProcessId>P1</ProcessId>
  <Compress>Y</Compress>
  <AllowChunking>Y</AllowChunking>
  <Encrypted>N</Encrypted>
  <IsCompressed>N</IsCompressed>
  <DataChecksum>md5:0a1b</DataChecksum>
  <PartnerId>X1</PartnerId>
  <StatusRecord>
    <DateTime>20260102030405</DateTime>
    <Event>TRANSFER</Event>
    <Status>SUCCESS</Status>
    <StatusCode>00</StatusCode>
    <Description>Transferred to recipient mailbox</Description>
  </StatusRecord>
</DTSControl>
`

func TestControlIsWrittenExactly(t *testing.T) {
	if got := string(full().Bytes()); got != fullText {
		t.Errorf("got\n%s", got)
	}
	if got, want := string((Control{Version: "1.0", ToDTS: "T"}).Bytes()), "<DTSControl>\n  <Version>1.0</Version>\n  <To_DTS>T</To_DTS>\n</DTSControl>\n"; got != want {
		t.Errorf("empty elements are left out: got\n%s", got)
	}
	got, err := Parse(strings.NewReader(fullText))
	if err != nil || !reflect.DeepEqual(got, full()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestControlIsReadLeniently(t *testing.T) {
	want := Control{Version: "1.0", WorkflowID: "WF", ToDTS: "T", Subject: "caf\u00e9", PartnerID: "P"}
	for name, text := range map[string]string{
		"order":               "<DTSControl><To_DTS>T</To_DTS><PartnerId>P</PartnerId><Subject>caf\u00e9</Subject><WorkflowId>WF</WorkflowId><Version>1.0</Version></DTSControl>",
		"declaration":         `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\r\n<DTSControl><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><Subject>caf\u00e9</Subject><PartnerId>P</PartnerId></DTSControl>\r\n\r\n",
		"byte order mark":     "\xef\xbb\xbf<DTSControl><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><Subject>caf\u00e9</Subject><PartnerId>P</PartnerId></DTSControl>",
		"ISO-8859-1":          "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><DTSControl><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><Subject>caf\xe9</Subject><PartnerId>P</PartnerId></DTSControl>",
		"case":                "<dtscontrol><VERSION>1.0</VERSION><workflowid>WF</workflowid><TO_dts>T</TO_dts><Subject>caf\u00e9</Subject><PartnerID>P</PartnerID></dtscontrol>",
		"namespace, comments": `<d:DTSControl xmlns:d="urn:x"><!-- c --><d:Version>1.0</d:Version><d:WorkflowId>WF</d:WorkflowId><d:To_DTS>T</d:To_DTS><d:Subject>caf&#233;</d:Subject><d:PartnerId>P</d:PartnerId></d:DTSControl>`,
		"white space":         "<DTSControl>\n <Version> 1.0\n</Version><WorkflowId>WF</WorkflowId><To_DTS>\tT </To_DTS><Subject>caf\u00e9</Subject><PartnerId>P</PartnerId>\n</DTSControl>",
		"unknown elements":    "<DTSControl><Version>1.0</Version><X><Version>9</Version></X><X>a</X><X>b</X><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><Subject>caf\u00e9</Subject><PartnerId>P</PartnerId></DTSControl>",
		"schema's name":       "<DTSControl><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><Subject>caf\u00e9</Subject><PartnerIdentifier>P</PartnerIdentifier></DTSControl>",
		"said twice the same": "<DTSControl><Version>1.0</Version><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS>T</To_DTS><To_DTS/><Subject>caf\u00e9</Subject><PartnerId>P</PartnerId></DTSControl>",
		"CDATA, attributes":   `<DTSControl a="b"><Version>1.0</Version><WorkflowId>WF</WorkflowId><To_DTS><![CDATA[T]]></To_DTS><Subject>caf` + "\u00e9" + `</Subject><PartnerId>P</PartnerId><StatusRecord/></DTSControl>`,
	} {
		if got, err := Parse(strings.NewReader(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestControlThatIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":           "",
		"no XML":          "Version=1.0",
		"cut off":         "<DTSControl><Version>1.0</Version>",
		"document type":   `<!DOCTYPE DTSControl [<!ENTITY a "9990000018">]><DTSControl><Version>&a;</Version></DTSControl>`,
		"entity":          `<DTSControl><Version>&a;</Version></DTSControl>`,
		"other root":      "<Control><Version>1.0</Version></Control>",
		"two roots":       "<DTSControl/><DTSControl/>",
		"two recipients":  "<DTSControl><To_DTS>A</To_DTS><To_DTS>B</To_DTS></DTSControl>",
		"too deep":        "<DTSControl>" + strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20) + "</DTSControl>",
		"too long":        "<DTSControl><Subject>" + strings.Repeat("9990000018", MaxControl/10) + "</Subject></DTSControl>",
		"encoding":        `<?xml version="1.0" encoding="UTF-16"?><DTSControl/>`,
		"not UTF-8":       "<DTSControl><Subject>caf\xe9</Subject></DTSControl>",
		"bytes after end": "<DTSControl></DTSControl>x<",
	} {
		_, err := Parse(strings.NewReader(text))
		if !errors.Is(err, ErrControl) || strings.Contains(err.Error(), "999") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestControlRoundTripProperty(t *testing.T) {
	text := rapid.StringMatching(`[A-Za-z0-9<>&"' ._@:\x{e9}-]{0,40}`)
	rapid.Check(t, func(t *rapid.T) {
		var c Control
		for _, f := range fields() {
			*f.at(&c) = strings.TrimSpace(text.Draw(t, f.name))
		}
		if rapid.Bool().Draw(t, "status") {
			c.Status = &Status{DateTime: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC(), Event: strings.TrimSpace(text.Draw(t, "event")), Status: "ERROR", StatusCode: "14"}
		}
		back, err := Parse(strings.NewReader(string(c.Bytes())))
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("%+v came back as %+v, %v", c, back, err)
		}
	})
}

func FuzzControl(f *testing.F) {
	f.Add(fullText)
	f.Add("<DTSControl><To_DTS>A</To_DTS></DTSControl>")
	f.Add(`<!DOCTYPE x><DTSControl/>`)
	f.Add("\xef\xbb\xbf<?xml version='1.0' encoding='latin1'?><DTSControl><Subject>\xe9</Subject></DTSControl>")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrControl) {
				t.Errorf("error %v", err)
			}
			return
		}
		back, err := Parse(strings.NewReader(string(c.Bytes())))
		if len(c.Bytes()) > MaxControl {
			return
		}
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%+v came back as %+v, %v", c, back, err)
		}
	})
}
