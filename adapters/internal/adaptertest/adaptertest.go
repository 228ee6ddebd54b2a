// Package adaptertest holds every adapter to the same contract: what it yields is written on one line a record, and what must hold for any
// bytes is checked for any bytes.
package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/engine"
)

// Source makes a schema of pairs of field name and selector.
func Source(format string, pairs ...string) engine.Schema {
	s := engine.Schema{Format: format}
	for pair := range slices.Chunk(pairs, 2) {
		s.Fields = append(s.Fields, engine.Field{Name: pair[0], Select: pair[1], Type: engine.TypeString})
	}
	return s
}

// Structure makes elements of an indented text, two spaces a level; a name that ends in [] may stand more than once.
func Structure(text string) []engine.Element {
	root := &engine.Element{}
	open := []*engine.Element{root}
	for line := range strings.Lines(text) {
		name := strings.TrimSpace(line)
		if name == "" {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		e := engine.Element{Many: strings.HasSuffix(name, "[]"), Name: strings.TrimSuffix(name, "[]")}
		in := open[depth]
		in.Children = append(in.Children, e)
		open = append(open[:depth+1], &in.Children[len(in.Children)-1])
	}
	return root.Children
}

// Show decodes a body and writes one line a record: its position, every field's values with their places, its byte range; or the
// faults' position, rule and place.
func Show(t testing.TB, a engine.Adapter, body string, src engine.Schema) []string {
	t.Helper()
	if err := a.Check(src); err != nil {
		t.Fatal(err)
	}
	selectors := compile(t, a, src)
	var out []string
	for rec, err := range a.Decode(engine.Message{Body: []byte(body)}, src) {
		if err != nil {
			out = append(out, fault(err))
			continue
		}
		line := fmt.Sprint(rec.Position())
		for _, s := range selectors {
			for _, v := range s.Select(rec, nil) {
				line += fmt.Sprintf(" %q@%d:%d", v.Text, v.At.Line, v.At.Column)
			}
		}
		out = append(out, line)
	}
	return out
}

func fault(err error) string {
	var e *engine.Error
	if !errors.As(err, &e) {
		return "not an error of the engine: " + err.Error()
	}
	return fmt.Sprintf("%d %s %d:%d", e.Place.Record, e.Rule, e.Place.Line, e.Place.Column)
}

func compile(t testing.TB, a engine.Adapter, src engine.Schema) []engine.Selector {
	t.Helper()
	var out []engine.Selector
	for _, f := range src.Fields {
		s, err := a.Compile(f.Name, src)
		if err != nil {
			t.Fatalf("field %s: %v", f.Name, err)
		}
		out = append(out, s)
	}
	return out
}

// Hold checks what must hold for any bytes: two decodings say the same, positions rise, ranges lie in the body, a record's values stand in
// the bytes that their ranges name, and faults are the engine's and not internal.
func Hold(t testing.TB, a engine.Adapter, body []byte, src engine.Schema) {
	t.Helper()
	selectors := compile(t, a, src)
	if first, second := once(t, a, selectors, body, src), once(t, a, selectors, body, src); !slices.Equal(first, second) {
		t.Fatal("two decodings of the same bytes differ")
	}
}

func once(t testing.TB, a engine.Adapter, selectors []engine.Selector, body []byte, src engine.Schema) (said []string) {
	t.Helper()
	last, faulty := 0, false
	for rec, err := range a.Decode(engine.Message{Body: body}, src) {
		if err != nil {
			var e *engine.Error
			if !errors.As(err, &e) || e.Kind == engine.Internal || e.Rule == "" {
				t.Fatalf("a fault without kind or rule: %v", err)
			}
			within(t, e.Place, len(body))
			said = append(said, err.Error())
			if e.Place.Record > 0 && (!faulty || e.Place.Record != last) { // several faults of one record follow each other
				last = rising(t, last, e.Place.Record)
			}
			faulty = true
			continue
		}
		last, faulty = rising(t, last, rec.Position()), false
		within(t, rec.Place(), len(body))
		for _, s := range selectors {
			for _, v := range s.Select(rec, nil) {
				within(t, v.At, len(body))
				said = append(said, fmt.Sprint(v))
			}
		}
	}
	return said
}

func rising(t testing.TB, last, position int) int {
	t.Helper()
	if position <= last {
		t.Fatalf("position %d follows %d", position, last)
	}
	return position
}

func within(t testing.TB, p engine.Place, size int) {
	t.Helper()
	if p.Start < 0 || p.End < p.Start || p.End > int64(size) || p.Line < 0 || p.Line > 0 && p.Column < 1 {
		t.Fatalf("a place outside the %d bytes: %+v", size, p)
	}
}

// Refusals compiles selectors and compares what is said of each: "offset+length text", with the suggestion where there is one.
func Refusals(t testing.TB, a engine.Adapter, src engine.Schema, want map[string]string) {
	t.Helper()
	for expr, text := range want {
		got := ""
		if _, err := a.Compile(expr, src); err != nil {
			var e *engine.CompileError
			if !errors.As(err, &e) {
				t.Errorf("%s: %v is no *engine.CompileError", expr, err)
				continue
			}
			got = fmt.Sprintf("%d+%d %s", e.Offset, e.Length, e.Text)
			if e.Suggest != "" {
				got += " ?" + e.Suggest
			}
		}
		if text == "" && got != "" || text != "" && !strings.HasPrefix(got, text) {
			t.Errorf("%s:\n got  %s\n want %s", expr, got, text)
		}
	}
}
