package mappings

import (
	"bytes"
	"slices"
	"strings"

	"signalbox/engine"
)

// draft2020 is the JSON Schema version that editors' YAML servers read.
const draft2020 = "https://json-schema.org/draft/2020-12/schema"

type object = map[string]any

func text(description string) object {
	return object{"type": []string{"string"}, "description": description}
}

// scalarText is a text that YAML may take for a number or a boolean when nobody quotes it.
func scalarText(description string) object {
	return object{"type": []string{"string", "number", "boolean"}, "description": description}
}

func words(description string, list []string) object {
	return object{"enum": list, "description": description}
}

// MappingSchema returns the JSON Schema of mapping.yaml, made of the same tables that lint reads. With a mapping it is that supplier's own: its
// field names, code tables and target fields, so that an editor completes them.
func MappingSchema(m *Mapping) ([]byte, error) {
	var fields, tables []string
	emit := emits()
	if m != nil {
		fields, tables, emit = m.source.names(), m.tableNames(), []string{string(m.emit)}
	}
	rules := object{}
	for _, kind := range emit {
		dates := datesOf(m, targets(engine.Kind(kind)))
		for _, t := range Targets(engine.Kind(kind)) {
			rules[t.Path] = ruleSchema(t, fields, tables, dates)
		}
	}
	column := text("a declared field")
	if len(fields) > 0 {
		column = words("a declared field", fields)
	}
	required := []string{"supplier"}
	return schemaOf("mapping.yaml", required, object{
		"supplier": text("named like its folder"),
		"extends":  text("the folder whose mapping this one takes over where it says nothing itself"),
		"emit":     words("the event that a record becomes", emits()),
		"source":   object{"const": sourceFile},
		"when":     scalarText("CEL over row and message: records for which it is false are skipped"),
		"without":  object{"type": "array", "items": object{"type": "string"}, "description": "target fields whose extended rules are left out"},
		"set":      object{"type": "object", "additionalProperties": false, "properties": rules, "description": "one rule a target field"},
		"ignore": object{"type": "array", "description": "declared fields that are not used on purpose", "items": object{
			"type": "object", "additionalProperties": false, "required": []string{"column", "why"},
			"properties": object{"column": column, "why": text("the reason")}}},
	})
}

func (m *Mapping) tableNames() []string {
	var names []string
	f, err := openArchive(m.archive)
	if err != nil {
		return nil
	}
	var none Problems
	for name := range loadTables(f, &none) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// datesOf lists what "at" can name: without a mapping the targets alone, of which an event without dates has none.
func datesOf(m *Mapping, known []target) []string {
	l := &loading{source: &source{}, known: known}
	if m != nil {
		l.source = m.source
	}
	return append([]string{}, l.dates()...)
}

// ruleSchema describes the rule of one target field.
func ruleSchema(t Target, fields, tables, dates []string) object {
	from := scalarText("a declared field, or a selector of the source's format")
	if len(fields) > 0 {
		from = object{"anyOf": []object{words("a declared field", fields), text("a selector of the source's format")}}
	}
	table := text("a code table: tables/NAME.csv")
	if tables != nil {
		table = words("a code table of this folder", tables)
	}
	day := text("the date that picks the row of a code table with days of validity: a declared field of type date, or a target field that is one")
	if len(fields) > 0 {
		day = words("the date that picks the row of a code table with days of validity", dates)
	}
	var usages []string
	for _, c := range Conversions() {
		usages = append(usages, c.Usage)
	}
	description := t.Path + " takes " + t.Type
	if t.Mandatory {
		description += ", mandatory"
	}
	return object{
		"type": "object", "additionalProperties": false, "description": description,
		"oneOf": []object{{"required": []string{"from"}}, {"required": []string{"const"}}, {"required": []string{"expr"}}},
		"properties": object{
			"from": from, "const": scalarText("this text"), "expr": scalarText("CEL over row and message"), "table": table, "at": day,
			"as": object{"description": "a conversion", "type": "string", "examples": usages,
				"pattern": "^(" + strings.Join(conversionNames(), "|") + `)(\(.*\))?$`},
			"else": object{"enum": []any{"reject", "park", "null", nil}, // YAML reads null as none at all
				"description": "what becomes of a record that the rule fails on"},
			"optional": object{"type": "boolean", "description": "absent or empty is fine"},
			"one":      object{"type": "boolean", "description": "of several different values the first is taken"},
		},
	}
}

// SourceSchema returns the JSON Schema of source.yaml.
func SourceSchema(formats []string) ([]byte, error) {
	field := object{
		"type": "object", "additionalProperties": false, "required": []string{"name"},
		"properties": object{
			"name":     object{"type": "string", "pattern": identifier.String(), "description": "as rules and expressions call it"},
			"select":   scalarText("where it stands, in the format's own language; the name itself when left out"),
			"type":     words("string when left out", fieldTypes()),
			"layout":   text("of a date: yyyy MM (or MMM: Mar) dd HH mm ss, or hl7, hl7ts, iso"),
			"nullable": object{"type": "boolean", "description": "may be absent or empty"},
			"enum":     object{"type": "array", "items": scalarText("an allowed value")},
		},
	}
	tree := object{"type": []string{"object", "null"}, "additionalProperties": object{"$ref": "#/$defs/structure"}}
	return schemaOf("source.yaml", []string{"format"}, object{
		"format":   words("the adapter that reads it", formats),
		"encoding": text("IANA name; the format's default when left out"),
		"options":  object{"type": "object", "additionalProperties": scalarText("a setting of the format"), "description": "the format's own settings"},
		"structure": object{"$ref": "#/$defs/structure", "description": "names that a nested source holds; [] after one that may stand more than once, " +
			"nothing below one that is a value"},
		"fields": object{"type": "array", "items": field},
		"$defs":  object{"structure": tree},
	})
}

func schemaOf(title string, required []string, properties object) ([]byte, error) {
	out := object{"$schema": draft2020, "title": "Signalbox " + title, "type": "object", "additionalProperties": false, "required": required}
	if defs, ok := properties["$defs"]; ok {
		out["$defs"] = defs
		delete(properties, "$defs")
	}
	out["properties"] = properties
	var b bytes.Buffer
	err := encodeJSON(&b, out)
	return b.Bytes(), err
}
