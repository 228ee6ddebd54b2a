package hl7v2

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// Profile recognises HL7 version 2 in its pipe form and declares what an access is made of, as far as it is there, and every field of the sender's own segments.
func (a Adapter) Profile(sample []byte) (engine.Profile, bool) {
	p := engine.Profile{Schema: engine.Schema{Format: Format}}
	name, why, doubt := chars.Guess(sample)
	if name == "ibm850" {
		name = "iso-8859-1"
	}
	p.Schema.Encoding = name
	d, err := newDialect(p.Schema)
	if err != nil {
		return engine.Profile{}, false
	}
	f := &file{dialect: d, text: d.charset.Decode(sample)}
	f.split()
	if i := slices.IndexFunc(f.lines, func(s segment) bool { return s.name == "MSH" }); i < 0 || i > 2 {
		return engine.Profile{}, false
	}
	p.Reasons = []string{"format hl7v2: the file begins with a message header", "encoding " + name + ": " + why}
	if doubt != "" {
		p.Doubts = append(p.Doubts, doubt+" (MSH-18 may say it)")
	}
	own := f.own()
	if len(own) > 0 {
		var words []string
		for _, s := range slices.Sorted(maps.Keys(own)) {
			words = append(words, fmt.Sprintf("%s:%d", s, own[s]))
		}
		p.Schema.Options = map[string]string{OptionSegments: strings.Join(words, " ")}
		p.Doubts = append(p.Doubts, "segments of the sender's own: ask what their fields are and how many there may be")
	}
	for _, c := range append(f.candidates(), ownFields(own)...) {
		c.Type = engine.TypeString
		if a.finds(c, sample, p.Schema) {
			p.Schema.Fields = append(p.Schema.Fields, c)
		}
	}
	return p, len(p.Schema.Fields) > 0
}

// finds reports whether some message has a value there.
func (a Adapter) finds(c engine.Field, sample []byte, src engine.Schema) bool {
	s, err := a.Compile(c.Select, src)
	if err != nil {
		return false
	}
	for r, err := range a.Decode(engine.Message{Body: sample}, src) {
		if err != nil {
			continue
		}
		if slices.ContainsFunc(s.Select(r, nil), func(v engine.Value) bool { return strings.TrimSpace(v.Text) != "" }) {
			return true
		}
	}
	return false
}

// own finds the Z segments, with how many fields the longest of each has.
func (f *file) own() map[string]int {
	out := map[string]int{}
	mark := byte('|')
	for _, s := range f.lines {
		if s.name == "MSH" && s.end > s.start+3 {
			mark = f.text.String[s.start+3]
		}
		if s.name != "" && s.name[0] == 'Z' && isSegment(s.name) {
			out[s.name] = max(out[s.name], 1, strings.Count(f.text.String[s.start:s.end], string(rune(mark))))
		}
	}
	return out
}

func ownFields(own map[string]int) []engine.Field {
	var out []engine.Field
	for _, s := range slices.Sorted(maps.Keys(own)) {
		for n := range own[s] {
			out = append(out, engine.Field{Name: fmt.Sprintf("%s_%d", strings.ToLower(s), n+1), Select: fmt.Sprintf("%s-%d", s, n+1)})
		}
	}
	return out
}

// candidates are the fields of version 2.4 that an access can be made of. Times have HL7's own layout.
func (f *file) candidates() []engine.Field {
	out := []engine.Field{
		{Name: "event_status", Select: "MSH-9.2"},
		{Name: "processing_status", Select: "MSH-11.1"},
		{Name: "control", Select: "MSH-10"},
		{Name: "organisation_code", Select: "MSH-4.1"},
		{Name: "organisation_name", Select: "MSH-4.2"},
		{Name: "system", Select: "MSH-3.1"},
		{Name: "system_id", Select: "MSH-3.2"},
		{Name: "family", Select: "PID-5[1].1.1"},
		{Name: "given", Select: "PID-5[1].2"},
		{Name: "birth_date", Select: "PID-7.1", Layout: engine.LayoutHL7TS},
		{Name: "sex", Select: "PID-8"},
		{Name: "care_class", Select: "PV1-2"},
		{Name: "ward_location", Select: "PV1-3.1"},
		{Name: "visit_number", Select: "PV1-19.1"},
		{Name: "admitted_at", Select: "PV1-44.1", Layout: engine.LayoutHL7TS},
		{Name: "attending_id", Select: "PV1-7[1].1"},
		{Name: "attending_name", Select: "PV1-7[1].2.1"},
	}
	for _, kind := range f.identifiers() {
		out = append(out, engine.Field{Name: chars.FieldName("patient_id_"+strings.ToLower(kind), map[string]bool{}), Select: `PID-3[5="` + kind + `"].1`})
	}
	return out
}

// identifiers lists the types (CX.5) of the patient identifiers that the sample has.
func (f *file) identifiers() []string {
	seen := map[string]bool{}
	s := &surveying{file: f, yield: func(c engine.Cell) bool {
		if c.Path == "PID-3.5" && c.Text != "" && !strings.ContainsAny(c.Text, `"'`) {
			seen[c.Text] = true
		}
		return true
	}}
	for i := range f.lines {
		s.segment(&f.lines[i])
	}
	return slices.Sorted(maps.Keys(seen))
}
