package mappings_test

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
)

// notes is a format made for tests: a record is a line of "key=value;key=value", so that a selector can find many values. A line
// "!text" is a record that cannot be read, "?key=value" one that can and is wrong all the same, "#n" sets the next position.
type notes struct{}

type note struct {
	position int
	line     string
}

func (n note) Position() int { return n.position }
func (n note) Place() engine.Place {
	return engine.Place{Record: n.position, Line: n.position, Column: 1}
}

type noteKey string

func (k noteKey) Select(r engine.Record, into []engine.Value) []engine.Value {
	for i, pair := range strings.Split(r.(note).line, ";") {
		if key, value, ok := strings.Cut(pair, "="); ok && key == string(k) {
			into = append(into, engine.Value{Text: value, At: engine.Place{Record: r.Position(), Path: "note " + string(k), Line: r.Position(), Column: i + 1}})
		}
	}
	return into
}

// SelectOr fails on a key that holds "broken".
func (k noteKey) SelectOr(r engine.Record, into []engine.Value) ([]engine.Value, error) {
	for _, v := range k.Select(r, nil) {
		if v.Text == "broken" {
			return into, &engine.Error{Op: "select notes", Kind: engine.Invalid, Rule: engine.RuleSelector, Place: v.At, Text: "cannot be worked out"}
		}
	}
	return k.Select(r, into), nil
}

func (notes) Format() string            { return "notes" }
func (notes) Check(engine.Schema) error { return nil }
func (notes) Compile(expr string, _ engine.Schema) (engine.Selector, error) {
	if at := strings.IndexByte(expr, '!'); at >= 0 {
		return nil, &engine.CompileError{Offset: at, Length: 1, Text: "no exclamation"}
	}
	return noteKey(expr), nil
}

func (notes) Decode(msg engine.Message, _ engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		position := 0
		for line := range strings.Lines(string(msg.Body)) {
			line = strings.TrimSuffix(line, "\n")
			if n, ok := strings.CutPrefix(line, "#"); ok {
				position, _ = strconv.Atoi(n)
				position--
				continue
			}
			position++
			var err error
			if text, bad := strings.CutPrefix(line, "!"); bad {
				err = &engine.Error{Op: "notes", Kind: engine.Invalid, Rule: "bad-note", Place: engine.Place{Record: position}, Text: text,
					Err: errors.Join(&engine.Error{Op: "notes", Rule: "worse-note", Place: engine.Place{Record: position}})}
				if !yield(nil, err) {
					return
				}
				continue
			}
			rest, wrong := strings.CutPrefix(line, "?")
			if wrong {
				err = &engine.Error{Op: "notes", Kind: engine.Invalid, Rule: "bad-note", Place: engine.Place{Record: position}}
			}
			if !yield(note{position, rest}, err) {
				return
			}
		}
	}
}

func formats() mappings.Formats { return adapters.New(notes{}, mustCSV()) }

func mustCSV() engine.Adapter {
	a, _ := adapters.All().Adapter("csv")
	return a
}

// load makes a mapping of the two files' text and of tables given as name, content pairs.
func load(t testing.TB, mapping, source string, tables ...string) *mappings.Mapping {
	t.Helper()
	m, err := mappings.Load(folderOf(mapping, source, tables...), "s", formats())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func folderOf(mapping, source string, tables ...string) fstest.MapFS {
	folder := fstest.MapFS{
		"s/mapping.yaml": {Data: []byte(mapping)},
		"s/source.yaml":  {Data: []byte(source)},
	}
	for pair := range slices.Chunk(tables, 2) {
		folder["s/tables/"+pair[0]+".csv"] = &fstest.MapFile{Data: []byte(pair[1])}
	}
	return folder
}

func message(body string) engine.Message {
	return engine.Message{
		ID: engine.NewMessageID("test/TESTLA01", "1"), Source: "test/TESTLA01", From: "TESTLA01", WorkflowID: "TEST_WORKFLOW", LocalID: "7",
		Received: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), Body: []byte(body),
	}
}

func translate(m *mappings.Mapping, body string) []engine.Translated {
	return slices.Collect(m.Translate(message(body)))
}

// rules lists a result's outcome and the rules it breaks: "parked code-unmapped date".
func rules(r engine.Translated) string {
	out := string(r.Outcome)
	for _, f := range r.Faults {
		out += " " + f.Rule
	}
	return out
}
