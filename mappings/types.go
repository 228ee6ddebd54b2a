package mappings

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// shape is what the values of a type look like, as far as conversions care.
type shape struct {
	name  string
	reads []kind   // conversions that may take such a value, text apart; nil: every one may
	dates []string // of a shape that says days or moments: forms of it, one of which a layout has to fit
	plain bool     // it goes into a text target without "as: text"
	fits  func(code string) bool
}

func anything(string) bool { return true }

func nothing(string) bool { return false }

func isTruth(code string) bool { return code == "true" || code == "false" }

// The forms of FHIR R4 ("Datatypes", date, dateTime, instant) and of HL7 version 2.4 (chapter 2, DT and TS), each to the day or further.
func fhirDays() []string    { return []string{"2026-01-31"} }
func fhirMoments() []string { return []string{"2026-01-31T10:11:12Z", "2026-01-31T10:11:12.5+01:00"} }
func hl7Days() []string     { return []string{"20260131"} }
func hl7Moments() []string {
	return []string{"20260131", "202601311011", "20260131101112", "20260131101112.5", "20260131101112+0100"}
}

// digits are the forms that a number may have which says a day.
func digits() []string {
	return []string{"20260131", "31012026", "01312026", "202601311011", "20260131101112", "310120261011", "31012026101112"}
}

// shapeOf returns what is known of a selector's type: a primitive of FHIR R4 or of FHIRPath, or a data type of HL7 v2.4. Everything else is
// text, which may be anything.
func shapeOf(typ string) shape {
	dated := []kind{kindDate, kindInstant}
	numbers := []kind{kindNHSNumber, kindTelephone, kindODSCode, kindDate, kindInstant}
	switch name := strings.TrimPrefix(typ, "System."); name {
	case "boolean", "Boolean":
		return shape{name: "boolean", reads: []kind{kindBoolean}, fits: isTruth}
	case "integer", "positiveInt", "unsignedInt", "Integer", "SI":
		return shape{name: name, reads: numbers, dates: digits(), plain: true, fits: isInteger}
	case "decimal", "Decimal", "number":
		return shape{name: name, reads: []kind{}, plain: true, fits: isNumber}
	case "NM":
		return shape{name: name, reads: numbers, dates: digits(), plain: true, fits: isNumber}
	case "date", "Date":
		return shape{name: "date", reads: dated, dates: fhirDays(), fits: nothing}
	case "dateTime", "DateTime":
		return shape{name: "dateTime", reads: dated, dates: append(fhirDays(), fhirMoments()...), fits: nothing}
	case "instant":
		return shape{name: name, reads: dated, dates: fhirMoments(), fits: nothing}
	case "DT":
		return shape{name: name, reads: dated, dates: hl7Days(), fits: nothing}
	case "TS":
		return shape{name: name, reads: dated, dates: hl7Moments(), fits: nothing}
	case "time", "Time", "TM", "base64Binary", "xhtml":
		return shape{name: name, reads: []kind{}, fits: nothing}
	}
	return shape{name: typ, plain: true, fits: anything}
}

// declaredShape is what source.yaml says of a field. A declared date has the form of its layout.
func declaredShape(f *field) shape {
	switch f.Type {
	case engine.TypeString:
		if len(f.Enum) > 0 {
			return shape{name: "string with an enum", plain: true, fits: func(code string) bool { return contains(f.Enum, code) }}
		}
		return shape{name: "string", plain: true, fits: anything}
	case engine.TypeDate:
		if f.Layout == "" {
			return shape{name: "date", plain: true, fits: anything} // which is told where it is declared
		}
		s := shape{name: "date", reads: []kind{kindDate, kindInstant}, fits: nothing}
		for _, form := range slices.Concat(fhirDays(), fhirMoments(), hl7Moments(), written31January(f.Layout)) {
			if _, err := f.layout.Parse(form); err == nil {
				s.dates = append(s.dates, form)
			}
		}
		return s
	}
	return shapeOf(string(f.Type))
}

// written31January writes a day and a time in a layout's own pattern.
func written31January(layout string) []string {
	return []string{strings.NewReplacer("yyyy", "2026", "MM", "01", "dd", "31", "HH", "10", "mm", "11", "ss", "12").Replace(layout)}
}

// typed is what a selector says of itself when its format knows the types of what it finds.
type typed interface{ Types() []string }

// checkTypes holds what a rule reads against the first step that it takes: its table, or else its conversion. Both what the source declares and
// what the format itself knows of the selector count.
func (m *loading) checkTypes(r *rule, keys map[string]*yaml.Node, origin *yaml.Node) {
	if r.selector == nil || m.folder.stored { // a stored mapping loads as it did when it was taken into use, so that its events can be derived again
		return
	}
	if r.field != nil {
		if at, why := refusal(r, keys, origin, []shape{declaredShape(r.field)}); why != "" {
			m.fail(at, CodeType, "%s: the field %q is declared as %s", why, r.field.Name, declaredShape(r.field).name).Declared = m.source.spot(r.field)
			return
		}
	}
	known, ok := r.selector.(typed)
	if !ok || len(known.Types()) == 0 {
		return
	}
	var shapes []shape
	var names []string
	for _, t := range known.Types() {
		shapes = append(shapes, shapeOf(t))
		names = append(names, strings.TrimPrefix(t, "System."))
	}
	if at, why := refusal(r, keys, origin, shapes); why != "" {
		m.fail(at, CodeType, "%s: what is found is %s", why, strings.Join(names, " or "))
	}
}

// refusal says which step can read none of the shapes, and why; nothing when one of them will do.
func refusal(r *rule, keys map[string]*yaml.Node, origin *yaml.Node, shapes []shape) (at *yaml.Node, why string) {
	can := func(ok func(shape) bool) bool { return slices.ContainsFunc(shapes, ok) }
	switch {
	case r.table != nil:
		if len(r.table.rows) > 0 && !can(func(s shape) bool {
			return slices.ContainsFunc(r.table.rows, func(row *tableRow) bool { return s.fits(row.source) })
		}) {
			return keys["table"], "no code of table " + r.table.name + " can ever be found"
		}
	case keys["as"] == nil:
		if !can(func(s shape) bool { return s.plain }) {
			return origin, r.target.path + " takes text (say \"as: text\" if it is meant)"
		}
	case r.convert.to != kindText:
		if !can(func(s shape) bool { return s.readBy(r.convert) }) {
			return keys["as"], "\"as: " + keys["as"].Value + "\" can never read it"
		}
	}
	return nil, ""
}

// readBy reports whether a conversion can read some value of the shape.
func (s shape) readBy(c conversion) bool {
	if s.reads == nil {
		return true
	}
	if !slices.Contains(s.reads, c.to) {
		return false
	}
	if c.to != kindDate && c.to != kindInstant {
		return true
	}
	var v value
	return slices.ContainsFunc(s.dates, func(form string) bool { return c.read(form, &v) == nil })
}
