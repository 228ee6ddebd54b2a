package engine

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// DecodeEnvelope reads what Encode wrote, and any other CloudEvents JSON that says the same. The error is an *Error of kind Invalid and
// never quotes the input.
func DecodeEnvelope(raw []byte) (Envelope, error) {
	s := scanner{text: string(raw)}
	var w wireEvent
	if s.event(&w); s.off || s.at != len(s.text) {
		return decodePlain(raw)
	}
	return w.envelope()
}

// scanner reads JSON in the very form that Encode writes: members in their order, nothing between tokens. At anything else it goes off,
// and encoding/json reads the whole again; it decides what is refused and why.
type scanner struct {
	text  string // every string read is a part of it, so that one event costs one copy
	at    int
	off   bool
	dates [4]wireDate // the most that an event has
	dated int
}

// is passes over the token if it comes next.
func (s *scanner) is(token string) bool {
	if s.off || !strings.HasPrefix(s.text[s.at:], token) {
		return false
	}
	s.at += len(token)
	return true
}

func (s *scanner) need(token string) {
	if !s.is(token) {
		s.off = true
	}
}

// member reads `"name":` (given with its punctuation) and a string.
func (s *scanner) member(name string) string {
	s.need(name)
	return s.string()
}

// option reads a member that may be left out.
func (s *scanner) option(name string) string {
	if !s.is(name) {
		return ""
	}
	return s.string()
}

// string reads a string. One with escapes or bytes that are not UTF-8 is left to encoding/json.
func (s *scanner) string() string {
	s.need(`"`)
	if s.off {
		return ""
	}
	start, ascii := s.at, true
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			if part := s.text[start:i]; ascii || utf8.ValidString(part) {
				return part
			}
			return s.unquote(start - 1)
		case c == '\\':
			return s.escaped(start-1, i)
		case c < ' ':
			s.off = true
			return ""
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.off = true
	return ""
}

// escaped reads a string that begins at start and has its first escape at i.
func (s *scanner) escaped(start, i int) string {
	for ; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '"':
			s.at = i + 1
			return s.unquote(start)
		}
	}
	s.off = true
	return ""
}

// unquote has encoding/json read the string from start to the current place.
func (s *scanner) unquote(start int) string {
	var out string
	if json.Unmarshal([]byte(s.text[start:s.at]), &out) != nil {
		s.off = true
	}
	return out
}

// number reads a small number without a sign.
func (s *scanner) number() int {
	start, n := s.at, 0
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		n = n*10 + int(s.text[s.at]-'0')
		s.at++
	}
	if digits := s.at - start; digits == 0 || digits > 9 || digits > 1 && s.text[start] == '0' {
		s.off = true
	}
	return n
}

// date reads a date that may be left out.
func (s *scanner) date(name string) *wireDate {
	if !s.is(name) {
		return nil
	}
	if s.dated == len(s.dates) {
		s.off = true
		return nil
	}
	d := &s.dates[s.dated]
	s.dated++
	d.Value = s.member(`{"value":`)
	d.Sent = s.member(`,"sent":`)
	s.need(`}`)
	return d
}

// wireEvent is a whole event: its attributes, and the data of its kind.
type wireEvent struct {
	cloudEvent
	flag     wireFlag
	access   wireAccess
	inactive wireInactive
	pattern  wirePattern
	fault    error // what is wrong with the data
}

func (s *scanner) event(w *wireEvent) {
	w.SpecVersion = s.member(`{"specversion":`)
	w.ID = EventID(s.member(`,"id":`))
	w.Source = s.member(`,"source":`)
	w.Type = s.member(`,"type":`)
	s.time(`,"time":`, &w.Time)
	w.DataContentType = s.option(`,"datacontenttype":`)
	w.PartitionKey = s.member(`,"partitionkey":`)
	w.Message = MessageID(s.member(`,"message":`))
	s.need(`,"position":`)
	w.Position = s.number()
	w.Mapping = s.option(`,"mapping":`)
	switch kindOf(w.Type) {
	case KindFlag:
		s.need(`,"data":`)
		s.flag(&w.flag)
	case KindAccess:
		s.need(`,"data":`)
		s.access(&w.access)
	case KindNumberInactive:
		s.need(`,"data":`)
		s.inactive(&w.inactive)
	case KindPattern: // rare
		s.off = true
	}
	s.need(`}`)
}

func (s *scanner) flag(w *wireFlag) {
	s.need(`{"subject":`)
	s.subject(&w.Subject)
	w.Plan.Type = PlanType(s.member(`,"plan":{"type":`))
	w.Plan.Start = s.date(`,"start":`)
	w.Plan.End = s.date(`,"end":`)
	w.Plan.Withdrawn = s.date(`,"withdrawn":`)
	w.Authority.ODSCode = s.member(`},"authority":{"odsCode":`)
	w.Authority.Name = s.member(`,"name":`)
	w.Authority.OfficeHours = s.option(`,"officeHours":`)
	w.Authority.EmergencyDuty = s.option(`,"emergencyDuty":`)
	s.need(`}`)
	w.LocalID = s.option(`,"localId":`)
	w.FileID = s.option(`,"fileId":`)
	s.need(`}`)
}

func (s *scanner) subject(w *wireSubject) {
	w.NHSNumber = s.member(`{"nhsNumber":`)
	w.BirthDate = s.date(`,"birthDate":`)
	w.Given = s.option(`,"given":`)
	w.Family = s.option(`,"family":`)
	s.need(`}`)
}

func (s *scanner) access(w *wireAccess) {
	w.ID = s.member(`{"id":`)
	s.need(`,"subject":`)
	s.subject(&w.Subject)
	s.time(`,"at":`, &w.At)
	switch {
	case s.is(`,"scheduled":true`):
		w.Scheduled = true
	default:
		s.need(`,"scheduled":false`)
	}
	s.need(`,"by":{`)
	if s.is(`"person":{`) {
		w.By.Person = &wirePerson{
			UserID: s.member(`"userId":`), RoleProfile: s.option(`,"roleProfile":`), RoleCode: s.option(`,"roleCode":`),
			RoleName: s.option(`,"roleName":`), Name: s.option(`,"name":`),
		}
		s.need(`},`)
	}
	if s.is(`"deviceId":`) {
		w.By.DeviceID = s.string()
		s.need(`,`)
	}
	w.By.Organisation.ODSCode = s.member(`"organisation":{"odsCode":`)
	w.By.Organisation.Name = s.option(`,"name":`)
	s.need(`}}`)
	w.Setting = CareSetting(s.option(`,"setting":`))
	s.need(`}`)
}

func (s *scanner) inactive(w *wireInactive) {
	w.Old = s.member(`{"old":`)
	s.need(`,"replacements":[`)
	for !s.off && !s.is(`]`) {
		if len(w.Replacements) > 0 {
			s.need(`,`)
		}
		w.Replacements = append(w.Replacements, s.string())
	}
	s.need(`}`)
}

// time reads a time as encoding/json does: the text between the quotes, without escapes.
func (s *scanner) time(name string, t interface{ UnmarshalText([]byte) error }) {
	s.need(name + `"`)
	if s.off {
		return
	}
	end := strings.IndexByte(s.text[s.at:], '"')
	if end < 0 || t.UnmarshalText([]byte(s.text[s.at:s.at+end])) != nil {
		s.off = true
		return
	}
	s.at += end + 1
}
