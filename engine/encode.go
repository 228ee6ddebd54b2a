package engine

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// The encoder writes the very bytes that encoding/json makes of the wire types, in one buffer and without reflection: every event of a load
// is encoded once and decoded at least once. Tests hold the two against each other.

// Encode returns the envelope as CloudEvents 1.0 JSON. Unlike every other rendering it reveals the personal data, because this is the
// wire of the stream and of the store.
func (e Envelope) Encode() ([]byte, error) {
	w := writer{b: make([]byte, 0, 1024)}
	w.text(`{"specversion":"`+SpecVersion+`","id":`, string(e.ID))
	w.text(`,"source":`, sourcePrefix+e.Origin.Source)
	w.text(`,"type":`, EventType(e.Kind))
	w.time(`,"time":`, e.Origin.Received.UTC())
	hasData := e.Flag != nil || e.Access != nil || e.Inactive != nil || e.Pattern != nil
	if hasData {
		w.raw(`,"datacontenttype":"application/json"`)
	}
	w.text(`,"partitionkey":`, e.Key())
	w.text(`,"message":`, string(e.Origin.Message))
	w.raw(`,"position":`)
	w.b = strconv.AppendInt(w.b, int64(e.Origin.Position), 10)
	w.option(`,"mapping":`, e.Origin.Mapping)
	if hasData {
		w.raw(`,"data":`)
		w.data(e)
	}
	w.raw(`}`)
	if w.err != nil {
		return nil, &Error{Op: "encode event", Kind: Internal, Err: w.err}
	}
	return w.b, nil
}

// writer appends JSON to a buffer. Names come with their punctuation, so that nothing is decided at run time that the source can say.
type writer struct {
	b   []byte
	err error
}

func (w *writer) data(e Envelope) {
	switch {
	case e.Flag != nil:
		w.flag(e.Flag)
	case e.Access != nil:
		w.access(e.Access)
	case e.Pattern != nil:
		w.pattern(e.Pattern)
	default:
		w.inactive(e.Inactive)
	}
}

func (w *writer) flag(f *Flag) {
	w.subject(`{"subject":`, f.Subject)
	w.text(`,"plan":{"type":`, string(f.Plan.Type))
	if f.Plan.Start.IsZero() {
		w.raw(`,"start":null`)
	}
	w.date(`,"start":`, f.Plan.Start)
	w.date(`,"end":`, f.Plan.End)
	w.date(`,"withdrawn":`, f.Plan.Withdrawn)
	w.text(`},"authority":{"odsCode":`, f.Authority.ODSCode)
	w.text(`,"name":`, f.Authority.Name)
	w.option(`,"officeHours":`, f.Authority.OfficeHours)
	w.option(`,"emergencyDuty":`, f.Authority.EmergencyDuty)
	w.raw(`}`)
	w.option(`,"localId":`, f.LocalID.Reveal())
	w.option(`,"fileId":`, f.FileID)
	w.raw(`}`)
}

func (w *writer) subject(name string, s Subject) {
	w.raw(name)
	w.text(`{"nhsNumber":`, s.NHSNumber.Reveal())
	w.date(`,"birthDate":`, s.BirthDate)
	w.option(`,"given":`, s.Given.Reveal())
	w.option(`,"family":`, s.Family.Reveal())
	w.raw(`}`)
}

func (w *writer) access(a *Access) {
	w.text(`{"id":`, a.ID)
	w.subject(`,"subject":`, a.Subject)
	w.time(`,"at":`, a.At)
	w.raw(`,"scheduled":`)
	w.b = strconv.AppendBool(w.b, a.Scheduled)
	w.raw(`,"by":{`)
	if p := a.By.Person; p != nil {
		w.text(`"person":{"userId":`, p.UserID)
		w.option(`,"roleProfile":`, p.RoleProfile)
		w.option(`,"roleCode":`, p.RoleCode)
		w.option(`,"roleName":`, p.RoleName)
		w.option(`,"name":`, p.Name.Reveal())
		w.raw(`},`)
	}
	w.option(`"deviceId":`, a.By.DeviceID)
	if a.By.DeviceID != "" {
		w.raw(`,`)
	}
	w.text(`"organisation":{"odsCode":`, a.By.Organisation.ODSCode)
	w.option(`,"name":`, a.By.Organisation.Name)
	w.raw(`}}`)
	w.option(`,"setting":`, string(a.Setting))
	w.raw(`}`)
}

func (w *writer) inactive(n *NumberInactive) {
	w.text(`{"old":`, n.Old.Reveal())
	w.raw(`,"replacements":[`)
	for i, r := range n.Replacements {
		if i > 0 {
			w.raw(`,`)
		}
		w.text("", r.Reveal())
	}
	w.raw(`]}`)
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

// option writes a member unless its value is empty.
func (w *writer) option(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// text writes a member whose value is a string, escaped as encoding/json does it.
func (w *writer) text(name, value string) {
	w.b = append(w.b, name...)
	if !plain(value) {
		quoted, err := json.Marshal(value)
		if err != nil {
			w.err = err
		}
		w.b = append(w.b, quoted...)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, value...)
	w.b = append(w.b, '"')
}

// plain reports whether encoding/json writes the text as it is. It escapes some characters that JSON would let pass.
func plain(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			return false
		}
		i += size
	}
	return true
}

// date writes a date that is there.
func (w *writer) date(name string, d Date) {
	if d.IsZero() {
		return
	}
	w.raw(name)
	w.raw(`{"value":"`)
	w.b = d.appendISO(w.b)
	w.text(`","sent":`, d.Sent())
	w.raw(`}`)
}

func (w *writer) time(name string, t time.Time) {
	w.raw(name)
	w.raw(`"`)
	b, err := t.AppendText(w.b)
	if err != nil {
		w.err = err
		return
	}
	w.b = append(b, '"')
}
