package bench

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure" // Bloblang's functions of time

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/internal/figure"
	"signalbox/mappings"
)

//go:embed twelve.blobl
var twelveBlobl string

// The benchmark's message has as many rows; the sample's are repeated.
const mappedRows = 2_000

// mapped is the same supplier twice: as a folder of ours, and as a Bloblang mapping. Both are compiled once.
type mapped struct {
	ours    *mappings.Mapping
	message engine.Message
	rows    *bloblang.Executor // the file's rows as objects
	row     *bloblang.Executor // one of them
	about   map[string]any     // the message, as the row's mapping sees it
}

func newMapped(t testing.TB, repeat int) *mapped {
	t.Helper()
	ours, err := mappings.Load(os.DirFS("../../mappings/testdata"), "twelve", adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("../../mappings/testdata/twelve/sample.csv")
	if err != nil {
		t.Fatal(err)
	}
	header, records, _ := bytes.Cut(sample, []byte("\n"))
	m := &mapped{ours: ours}
	m.message = engine.Message{ID: engine.NewMessageID("test/TESTLA01", "1"), Source: "test/TESTLA01", LocalID: "7", Received: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC),
		Body: append(append(header, '\n'), bytes.Repeat(records, repeat)...)}
	m.rows, m.row = parse(t, `root = this.parse_csv()`), parse(t, twelveBlobl)
	m.about = map[string]any{"id": string(m.message.ID), "source": m.message.Source, "localId": m.message.LocalID, "received": m.message.Received.Format(time.RFC3339),
		"mapping": ours.Digest(), "prefix": "", "type": engine.EventType(engine.KindFlag)}
	for _, event := range m.byUs(t)[:1] { // how an event names its source is ours alone
		source, _ := event.(map[string]any)["source"].(string)
		m.about["prefix"] = strings.TrimSuffix(source, m.message.Source)
	}
	return m
}

func parse(t testing.TB, text string) *bloblang.Executor {
	t.Helper()
	e, err := bloblang.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// translate is our whole path: from the file's bytes to each event's.
func (m *mapped) translate(t testing.TB, each func(engine.Translated, []byte)) {
	for r := range m.ours.Translate(m.message) {
		var event []byte
		if r.Event != nil {
			var err error
			if event, err = r.Event.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		each(r, event)
	}
}

// query is Bloblang's whole path: from the file's bytes to each event's.
func (m *mapped) query(t testing.TB, each func(result map[string]any, event []byte)) {
	rows, err := m.rows.Query(m.message.Body)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows.([]any) {
		object := row.(map[string]any)
		object["position"], object["message"] = int64(i+1), m.about
		result, err := m.row.Query(object)
		if err != nil {
			t.Fatal(i+1, err)
		}
		var event []byte
		if made, ok := result.(map[string]any)["event"]; ok {
			if event, err = json.Marshal(made); err != nil {
				t.Fatal(err)
			}
		}
		each(result.(map[string]any), event)
	}
}

func (m *mapped) byUs(t testing.TB) []any {
	var out []any
	m.translate(t, func(r engine.Translated, event []byte) {
		out = append(out, read(t, event, string(r.Outcome), targets(r.Faults)))
	})
	return out
}

// targets lists the target fields that faults speak of, in alphabetical order.
func targets(faults []*engine.Error) []string {
	var out []string
	for _, f := range faults {
		target, _, _ := strings.Cut(f.Text, ":")
		out = append(out, target)
	}
	slices.Sort(out)
	return out
}

// read is an event as JSON, or what became of a row without one.
func read(t testing.TB, event []byte, outcome string, faults []string) any {
	if event == nil {
		return outcome + " " + strings.Join(faults, " ")
	}
	var v any
	if err := json.Unmarshal(event, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Both sides do the same work: the same events to the last field, the same outcomes, faults of the same target fields.
func TestBloblangMakesTheSameEvents(t *testing.T) {
	m := newMapped(t, 1)
	ours := m.byUs(t)
	i := 0
	m.query(t, func(result map[string]any, event []byte) {
		var faults []string
		if list, ok := result["faults"].([]any); ok {
			for _, f := range list {
				faults = append(faults, f.(string))
			}
		}
		slices.Sort(faults)
		if theirs := read(t, event, result["outcome"].(string), faults); !reflect.DeepEqual(theirs, ours[i]) {
			t.Errorf("row %d:\nBloblang %v\nours     %v", i+1, theirs, ours[i])
		}
		i++
	})
	if i != len(ours) || i != 100 {
		t.Errorf("%d rows by Bloblang, %d by us, want 100", i, len(ours))
	}
}

// BenchmarkWholeCSV takes a supplier's CSV from its bytes to each event's bytes; the reference is the same mapping in Bloblang, rows cut by its own
// parse_csv and events written by encoding/json, without the pipeline that Bloblang runs in elsewhere.
func BenchmarkWholeCSV(b *testing.B) {
	m := newMapped(b, mappedRows/100)
	each := figure.Compare(b, "bloblang", func() { m.translate(b, func(engine.Translated, []byte) {}) }, func() { m.query(b, func(map[string]any, []byte) {}) })
	b.ReportMetric(mappedRows/each.Seconds(), "rows/s")
}
