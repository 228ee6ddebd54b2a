package twin

import (
	"cmp"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// Codes keeps what a mapping says is a code: the values that a code table or an enumeration of the source names, where the field that reads them
// stands in this message. An unknown code is replaced like any other value, because it may hold anything; so is one in a record that cannot be read.
func Codes(m *mappings.Mapping, msg engine.Message) Keep {
	type coded struct {
		selector engine.Selector
		codes    map[string]bool
	}
	var fields []coded
	src, tables := m.Schema(), m.Tables()
	add := func(selector string, codes []string) {
		compiled, err := m.Adapter().Compile(selector, src)
		if err != nil || len(codes) == 0 {
			return
		}
		f := coded{compiled, map[string]bool{}}
		for _, c := range codes {
			f.codes[c] = true
		}
		fields = append(fields, f)
	}
	for _, f := range src.Fields {
		add(cmp.Or(f.Select, f.Name), f.Enum)
	}
	for _, r := range m.Rules() {
		var codes []string
		for _, row := range tables[r.Table] {
			codes = append(codes, row.Source)
		}
		selector := r.From
		if f, declared := src.Field(r.From); declared {
			selector = cmp.Or(f.Select, f.Name)
		}
		add(selector, codes)
	}
	keep := map[int64]bool{} // where a code begins
	var found []engine.Value
	for record, err := range m.Adapter().Decode(msg, src) {
		if err != nil && record == nil {
			continue
		}
		for _, f := range fields {
			for _, v := range f.selector.Select(record, found[:0]) {
				keep[v.At.Start] = keep[v.At.Start] || f.codes[strings.TrimSpace(v.Text)]
			}
		}
	}
	return func(c engine.Cell) bool { return keep[c.Start] }
}
