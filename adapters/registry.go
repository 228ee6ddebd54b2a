// Package adapters is the one list of the formats that Signalbox reads.
package adapters

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/adapters/cpisxml"
	"signalbox/adapters/csv"
	"signalbox/adapters/fhirr4"
	"signalbox/adapters/fixed"
	"signalbox/adapters/hl7v2"
	"signalbox/adapters/json"
	"signalbox/adapters/xml"
	"signalbox/engine"
)

// Registry finds the adapter of a format. It does not change after New, so it is safe for concurrent use.
type Registry struct{ byFormat map[string]engine.Adapter }

// New returns a registry of the given adapters. Two of one format are a programmer's error and panic.
func New(list ...engine.Adapter) *Registry {
	r := &Registry{byFormat: map[string]engine.Adapter{}}
	for _, a := range list {
		if _, twice := r.byFormat[a.Format()]; twice {
			panic(fmt.Sprintf("adapters: two adapters of the format %q", a.Format()))
		}
		r.byFormat[a.Format()] = a
	}
	return r
}

// All returns the registry of every format that comes with Signalbox. A new format is one line here and one folder beside this file.
func All() *Registry {
	return New(
		cpisxml.New(),
		csv.New(),
		fhirr4.New(),
		fixed.New(),
		hl7v2.New(),
		json.New(),
		xml.New(),
	)
}

// Adapter returns the adapter of a format.
func (r *Registry) Adapter(format string) (engine.Adapter, bool) {
	a, ok := r.byFormat[format]
	return a, ok
}

// Formats lists the formats in alphabetical order.
func (r *Registry) Formats() []string { return slices.Sorted(maps.Keys(r.byFormat)) }
