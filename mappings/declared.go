package mappings

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// declaredHere is what is said of a declaration that a problem speaks of.
const declaredHere = "declared here"

// spot is where a declared field's name stands.
func (s *source) spot(f *field) Spot {
	return Spot{File: s.name, Line: f.Line, Column: f.Column, Length: utf8.RuneCountInString(f.Name), Note: declaredHere}
}

// layoutSpot is where a field's layout is declared: what contradicts the layout speaks of that, and not of the name.
func (s *source) layoutSpot(f *field) Spot {
	if f.written == nil {
		return s.spot(f)
	}
	at := Spot{File: s.name, Line: f.written.Line, Column: f.written.Column, Length: utf8.RuneCountInString(f.Layout), Note: declaredHere}
	if f.written.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		at.Column++
	}
	return at
}

// declaredAt adds to a problem where the field is declared that it suggests.
func (m *loading) declaredAt(p *Problem) {
	if f := m.source.find(p.Suggest); f != nil && p.Declared.Line == 0 {
		p.Declared = m.source.spot(f)
	}
}

// doubt tells of declarations that nothing reads while something like them is read that nobody declares: then the name may be misspelt where
// it is declared.
func (m *loading) doubt() {
	for i := range *m.problems {
		p := &(*m.problems)[i]
		if m.source == nil || p.Declared.Note != declaredHere {
			continue
		}
		if f := m.source.find(p.Suggest); f != nil && !m.source.used[f.Name] && p.Declared == m.source.spot(f) {
			p.Declared.Note += ", and nothing reads it: perhaps it is misspelt here"
		}
	}
}
