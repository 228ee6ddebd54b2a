package cpisxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"strings"

	"signalbox/engine"
	"signalbox/mesh/cpis"
)

// Survey yields every attribute and every text of the file. What the message specification fixes (class codes, template ids, types) is fixed. It
// reads as far as the file is well-formed; comments, instructions and all that follows broken markup stand apart.
func (Adapter) Survey(msg engine.Message, _ engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		s := surveying{body: msg.Body, decoder: xml.NewDecoder(bytes.NewReader(msg.Body)), yield: yield}
		s.decoder.Strict = true
		for s.more() {
		}
	}
}

type surveying struct {
	body    []byte
	decoder *xml.Decoder
	path    []string
	record  int
	inside  int   // depth of the record element, 0 outside
	last    int64 // where the last token ended
	yield   func(engine.Cell) bool
}

// more reads one token and reports whether to go on.
func (s *surveying) more() bool {
	start := s.decoder.InputOffset()
	token, err := s.decoder.RawToken()
	end := s.decoder.InputOffset()
	if err != nil {
		if !errors.Is(err, io.EOF) && s.last < int64(len(s.body)) {
			s.apart("unreadable", s.last, int64(len(s.body)))
		}
		return false
	}
	s.last = end
	switch t := token.(type) {
	case xml.Comment, xml.Directive:
		return s.apart("comment", start, end)
	case xml.ProcInst:
		return t.Target == "xml" || s.apart("instruction", start, end)
	case xml.StartElement:
		s.path = append(s.path, t.Name.Local)
		if t.Name.Local == "record" && len(s.path) == 2 {
			s.record++
			s.inside = len(s.path)
		}
		return s.attributes(t, start, end)
	case xml.EndElement:
		if len(s.path) == s.inside {
			s.inside = 0
		}
		if len(s.path) > 0 {
			s.path = s.path[:len(s.path)-1]
		}
	case xml.CharData:
		text := strings.TrimSpace(string(t))
		if text == "" || len(s.path) == 0 {
			return true
		}
		raw := s.body[start:end]
		start += int64(len(raw) - len(bytes.TrimLeft(raw, " \t\r\n")))
		end -= int64(len(raw) - len(bytes.TrimRight(raw, " \t\r\n")))
		return s.cell(strings.Join(s.path, "/"), text, start, end, false)
	}
	return true
}

// apart yields what no rule can read.
func (s *surveying) apart(path string, start, end int64) bool {
	return s.yield(engine.Cell{Path: path, Text: string(s.body[start:end]), Start: start, End: end, Escape: engine.EscapeXML, Apart: true})
}

func (s *surveying) cell(path, text string, start, end int64, fixed bool) bool {
	record := 0
	if s.inside > 0 {
		record = s.record
	}
	return s.yield(engine.Cell{Record: record, Path: "/" + path, Text: text, Start: start, End: end, Fixed: fixed, Escape: engine.EscapeXML})
}

// attributes finds the values of a start tag in its bytes: the decoder says what they are, not where.
func (s *surveying) attributes(t xml.StartElement, start, end int64) bool {
	at := start
	coded := false // the element's extension is a code of the message, not an identifier
	for _, a := range t.Attr {
		coded = coded || a.Name.Local == "root" && strings.HasPrefix(a.Value, "2.16.840.1.113883.2.1.3.2.4.18.") && t.Name.Local == "contentId"
	}
	for _, a := range t.Attr {
		raw := s.body[at:end]
		i := bytes.IndexAny(raw, `"'`)
		if i < 0 {
			return true
		}
		n := bytes.IndexByte(raw[i+1:], raw[i])
		if n < 0 {
			return true
		}
		from := at + int64(i) + 1
		at = from + int64(n) + 1
		fixed := a.Name.Local != "value" && a.Name.Local != "extension" || a.Name.Local == "extension" && coded
		fixed = fixed || t.Name.Local == "transmissionQuantity" // a count of records
		if !s.cell(strings.Join(s.path, "/")+"/@"+a.Name.Local, a.Value, from, from+int64(n), fixed) {
			return false
		}
	}
	return true
}

// Profile recognises a CP-IS upload and declares what its specification says that a flag is made of.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	decoder := cpis.NewDecoder(sample, cpis.Limits{})
	header, err := decoder.Header()
	if err != nil || header == nil || header.Element == nil {
		return engine.Profile{}, false
	}
	return engine.Profile{
		Schema:  engine.Schema{Format: Format, Fields: declared()},
		Reasons: []string{"format cpisxml: the file is a CP-IS upload, whose elements the message specification REPC_MT000002GB01 fixes"},
	}, true
}

// declared are the elements of the upload that a flag is made of (REPC_MT000002GB01).
func declared() []engine.Field {
	return []engine.Field{
		{Name: "nhs_number", Select: ".//id[@root='2.16.840.1.113883.2.1.4.1']/@extension"},
		{Name: "local_id", Select: ".//id[@root='2.16.840.1.113883.2.1.3.2.4.18.24']/@extension"},
		{Name: "birth_time", Select: ".//birthTime/@value"},
		{Name: "given", Select: ".//given"},
		{Name: "family", Select: ".//family"},
		{Name: "plan_template", Select: "CP-ISRecord/pertinentInformation/contentId/@extension"},
		{Name: "start_date", Select: "CP-ISRecord/pertinentInformation/*/component/*/value/@value"},
		{Name: "end_date", Select: "CP-ISRecord/pertinentInformation/*/component1/*/value/@value"},
		{Name: "withdrawn_date", Select: "CP-ISRecord/pertinentInformation/*/component2/*/value/@value"},
		{Name: "authority_code", Select: "/File/communicationFunctionSnd/organisation/id/@extension"},
		{Name: "authority_name", Select: "/File/communicationFunctionSnd/organisation/name"},
		{Name: "authority_office_phone", Select: "/File/communicationFunctionSnd/organisation/telecom[@use='WP']/@value"},
		{Name: "authority_duty_phone", Select: "/File/communicationFunctionSnd/organisation/telecom[@use='EC']/@value"},
		{Name: "file_id", Select: "/File/id/@extension"},
	}
}
