// Package change lists what differs between two versions of a supplier's folder, edit by edit, each with the line where it stands and the
// fields of the event that it can touch.
package change

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// What an edit touches besides the fields of the event.
const (
	Condition = "when" // which records are for us
	All       = "*"    // how every record is read, or what is made of it
)

// Edit is one difference between two versions of a folder.
type Edit struct {
	File    string   `json:"file"` // within the folder
	Line    int      `json:"line"` // in the new version; in the old one for what is gone
	Where   string   `json:"what"` // "rule plan.start", "field start_dt", "table plan-type, code P"
	Was     string   `json:"was,omitempty"`
	Is      string   `json:"is,omitempty"`
	Touches []string `json:"touches"` // target fields, Condition or All
	Table   string   `json:"table,omitempty"`
	Code    string   `json:"code,omitempty"` // of the table's row

	OldRow, NewRow string `json:"-"` // of a table's row: where it stands in either version, as TableRow.At says it
}

// At is "mapping.yaml:14", or "mapping.yaml:14 of the old version" for what is gone.
func (e Edit) At() string {
	at := fmt.Sprintf("%s:%d", e.File, e.Line)
	if e.Is == "" {
		at += " of the old version"
	}
	return at
}

// String is the edit on one line: what, where, before and after.
func (e Edit) String() string {
	switch {
	case e.Was == "":
		return fmt.Sprintf("%s  %s added: %s", e.At(), e.Where, e.Is)
	case e.Is == "":
		return fmt.Sprintf("%s  %s removed: %s", e.At(), e.Where, e.Was)
	}
	return fmt.Sprintf("%s  %s: was %s; is %s", e.At(), e.Where, e.Was, e.Is)
}

// Between lists the edits that make the new version of the old one, in order of file and line. What only a person reads (comments, notes of
// tables, reasons) is no edit.
func Between(old, now *mappings.Mapping) []Edit {
	if old.Digest() == now.Digest() {
		return nil
	}
	var out []Edit
	out = append(out, rules(old, now)...)
	out = append(out, condition(old, now)...)
	out = append(out, fields(old, now)...)
	out = append(out, source(old, now)...)
	out = append(out, tables(old, now)...)
	slices.SortStableFunc(out, func(a, b Edit) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Where, b.Where))
	})
	return out
}

// pair is one thing in both versions, by its name.
type pair[T any] struct {
	name     string
	old, now *T
}

// pairs matches things by name, in order of name.
func pairs[T any](old, now []T, name func(T) string) []pair[T] {
	byName := map[string]*pair[T]{}
	at := func(v T) *pair[T] {
		n := name(v)
		if byName[n] == nil {
			byName[n] = &pair[T]{name: n}
		}
		return byName[n]
	}
	for i := range old {
		at(old[i]).old = &old[i]
	}
	for i := range now {
		at(now[i]).now = &now[i]
	}
	var out []pair[T]
	for _, n := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[n])
	}
	return out
}

func rules(old, now *mappings.Mapping) []Edit {
	var out []Edit
	for _, p := range pairs(old.Rules(), now.Rules(), func(r mappings.Rule) string { return r.Target }) {
		e := Edit{File: "mapping.yaml", Where: "rule " + p.name, Touches: []string{p.name}}
		if p.old != nil {
			e.Line, e.Was = p.old.Line, p.old.Text
		}
		if p.now != nil {
			e.Line, e.Is = p.now.Line, p.now.Text
		}
		if e.Was != e.Is {
			out = append(out, e)
		}
	}
	return out
}

func condition(old, now *mappings.Mapping) []Edit {
	was, before, _ := old.When()
	is, line, _ := now.When()
	if was == is {
		return nil
	}
	return []Edit{{File: "mapping.yaml", Line: cmp.Or(line, before), Where: "when", Was: was, Is: is, Touches: []string{Condition}}}
}

// declaration is a declared field as a person wrote it, without its place.
func declaration(f engine.Field) string {
	text := "type: " + string(cmp.Or(f.Type, engine.TypeString))
	for _, part := range [][2]string{{"select", f.Select}, {"layout", f.Layout}, {"enum", strings.Join(f.Enum, " ")}} {
		if part[1] != "" {
			text += ", " + part[0] + ": " + part[1]
		}
	}
	if f.Nullable {
		text += ", nullable: true"
	}
	return text
}

func fields(old, now *mappings.Mapping) []Edit {
	var out []Edit
	for _, p := range pairs(old.Schema().Fields, now.Schema().Fields, func(f engine.Field) string { return f.Name }) {
		e := Edit{File: "source.yaml", Where: "field " + p.name, Touches: users(p.name, old, now)}
		if p.old != nil {
			e.Line, e.Was = p.old.Line, declaration(*p.old)
		}
		if p.now != nil {
			e.Line, e.Is = p.now.Line, declaration(*p.now)
		}
		if e.Was != e.Is {
			out = append(out, e)
		}
	}
	return out
}

// users lists the targets whose rules read a declared field in either version.
func users(name string, versions ...*mappings.Mapping) []string {
	out := []string{}
	for _, m := range versions {
		for _, r := range m.Rules() {
			if slices.Contains(r.Fields, name) && !slices.Contains(out, r.Target) {
				out = append(out, r.Target)
			}
		}
		if _, _, read := m.When(); slices.Contains(read, name) && !slices.Contains(out, Condition) {
			out = append(out, Condition)
		}
	}
	slices.Sort(out)
	return out
}

// source compares how messages are read at all.
func source(old, now *mappings.Mapping) []Edit {
	var out []Edit
	add := func(file, where, was, is string) {
		if was != is {
			out = append(out, Edit{File: file, Line: lineOf(now, file, where), Where: where, Was: cmp.Or(was, "default"), Is: cmp.Or(is, "default"), Touches: []string{All}})
		}
	}
	a, b := old.Schema(), now.Schema()
	add("mapping.yaml", "emit", string(old.Emit()), string(now.Emit()))
	add("source.yaml", "format", a.Format, b.Format)
	add("source.yaml", "encoding", a.Encoding, b.Encoding)
	add("source.yaml", "options", options(a), options(b))
	return out
}

func options(s engine.Schema) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Options)) {
		parts = append(parts, name+": "+s.Options[name])
	}
	return strings.Join(parts, ", ")
}

// lineOf finds the line on which a top-level key stands; 1 when it is not there.
func lineOf(m *mappings.Mapping, file, key string) int {
	n := 0
	for line := range strings.Lines(m.Files()[file]) {
		n++
		if strings.HasPrefix(line, key+":") {
			return n
		}
	}
	return 1
}

func tables(old, now *mappings.Mapping) []Edit {
	var out []Edit
	before, after := old.Tables(), now.Tables()
	names := map[string]bool{}
	for _, t := range []map[string][]mappings.TableRow{before, after} {
		for name := range t {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, p := range pairs(before[name], after[name], period) {
			code, _, _ := strings.Cut(p.name, "\x00")
			e := Edit{File: path.Join("tables", name+".csv"), Where: "table " + name + ", code " + code, Table: name, Code: code, Touches: lookups(name, old, now)}
			if p.old != nil {
				e.File, e.Line, e.Was, e.OldRow = p.old.File, p.old.Line, meaning(*p.old), p.old.At()
			}
			if p.now != nil {
				e.File, e.Line, e.Is, e.NewRow = p.now.File, p.now.Line, meaning(*p.now), p.now.At()
			}
			if e.Was != e.Is {
				out = append(out, e)
			}
		}
	}
	return out
}

// period names a row by its code and the first day on which it counts.
func period(r mappings.TableRow) string { return r.Source + "\x00" + r.From.ISO() }

// meaning is what a row says: its target, and on which days.
func meaning(r mappings.TableRow) string {
	if days := r.Days(); days != "" {
		return r.Target + " " + days
	}
	return r.Target
}

// lookups lists the targets whose rules look up a table in either version.
func lookups(table string, versions ...*mappings.Mapping) []string {
	out := []string{}
	for _, m := range versions {
		for _, r := range m.Rules() {
			if r.Table == table && !slices.Contains(out, r.Target) {
				out = append(out, r.Target)
			}
		}
	}
	return out
}
