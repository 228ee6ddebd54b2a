package conformance_test

import (
	"fmt"
	"io/fs"
	"path"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"signalbox/adapters"
	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/mappings"
)

// inputs returns the inputs of a supplier's own tests.
func inputs(t testing.TB, supplier string) [][]byte {
	t.Helper()
	files, err := fs.Glob(mappings.Embedded(), path.Join(supplier, "tests", "*.txtar"))
	harness.Must(t, err)
	var out [][]byte
	for _, name := range files {
		raw, err := fs.ReadFile(mappings.Embedded(), name)
		harness.Must(t, err)
		for _, f := range txtar.Parse(raw).Files {
			if f.Name == "input" {
				out = append(out, f.Data)
			}
		}
	}
	if len(out) < 4 {
		t.Fatalf("%s: only %d inputs", supplier, len(out))
	}
	return out
}

// told is everything that a translation says, in comparable form.
func told(m *mappings.Mapping, body []byte) (out []string, positions []int, places []engine.Place) {
	msg := engine.Message{ID: "0123456789abcdef0123456789abcdef", Source: "mesh/A/B", Upstream: "1", LocalID: "7",
		Received: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Body: body}
	for r := range m.Translate(msg) {
		line := fmt.Sprintf("%d %s", r.Place.Record, r.Outcome)
		if r.Event != nil {
			raw, err := r.Event.Encode()
			line += fmt.Sprintf(" %s %v", raw, err)
		}
		for _, f := range r.Faults {
			line += " " + f.Rule + " " + f.Error()
			places = append(places, f.Place)
		}
		out, positions, places = append(out, line), append(positions, r.Place.Record), append(places, r.Place)
	}
	return out, positions, places
}

// What every adapter promises, held against every supplier's inputs and thousands of damaged copies of them: the same bytes make the same
// records, positions are unique and ascend, places lie within the file, and nothing panics.
func TestEveryAdapterKeepsTheContract(t *testing.T) {
	entries, err := fs.ReadDir(mappings.Embedded(), ".")
	harness.Must(t, err)
	tried := map[string]bool{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		m, err := mappings.Load(mappings.Embedded(), e.Name(), adapters.All())
		harness.Must(t, err)
		tried[m.Schema().Format] = true
		all := inputs(t, e.Name())
		t.Run(e.Name(), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				body := damaged(rt, all)
				keepsContract(rt, m, body)
			})
		})
	}
	for _, format := range adapters.All().Formats() {
		if !tried[format] {
			t.Errorf("no supplier uses the format %s, so nothing holds its adapter to the contract", format)
		}
	}
}

// damaged is one of the inputs, with up to three bytes changed, a piece cut out or doubled.
func damaged(rt *rapid.T, all [][]byte) []byte {
	body := append([]byte(nil), rapid.SampledFrom(all).Draw(rt, "input")...)
	for range rapid.IntRange(0, 3).Draw(rt, "damages") {
		if len(body) == 0 {
			break
		}
		from := rapid.IntRange(0, len(body)-1).Draw(rt, "from")
		to := min(len(body), from+rapid.IntRange(1, 40).Draw(rt, "length"))
		switch rapid.IntRange(0, 2).Draw(rt, "how") {
		case 0:
			body[from] = rapid.Byte().Draw(rt, "byte")
		case 1:
			body = append(body[:from:from], body[to:]...)
		case 2:
			body = append(body[:to:to], body[from:]...)
		}
	}
	return body
}

func keepsContract(rt *rapid.T, m *mappings.Mapping, body []byte) {
	first, positions, places := told(m, body)
	second, _, _ := told(m, body)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		rt.Fatalf("two readings of the same bytes differ")
	}
	last := 0
	for _, p := range positions {
		if p != 0 && p <= last {
			rt.Fatalf("position %d comes after %d", p, last)
		}
		last = max(last, p)
	}
	for _, at := range places {
		if at.Start < 0 || at.Start > at.End || at.End > int64(len(body)) {
			rt.Fatalf("a place lies outside the file: %+v of %d bytes", at, len(body))
		}
	}
}
