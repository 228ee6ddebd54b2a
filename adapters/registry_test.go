package adapters

import (
	"slices"
	"testing"

	"signalbox/adapters/csv"
	"signalbox/engine"
)

func TestAll(t *testing.T) {
	r := All()
	if got := r.Formats(); !slices.Equal(got, []string{"cpisxml", "csv", "fhir-r4", "fixed", "hl7v2", "json", "xml"}) {
		t.Errorf("formats %v", got)
	}
	for _, format := range r.Formats() {
		if a, ok := r.Adapter(format); !ok || a.Format() != format {
			t.Errorf("%s is not found under its name", format)
		}
	}
	if _, ok := r.Adapter("CSV"); ok {
		t.Error("names of formats are exact")
	}
}

func TestTwoOfOneFormat(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two adapters of one format are accepted")
		}
	}()
	New(csv.New(), csv.New())
}

// TestPure gives every adapter bytes that are not of its format: it yields errors of the engine, twice the same, and never panics.
func TestPure(t *testing.T) {
	for _, format := range All().Formats() {
		a, _ := All().Adapter(format)
		for _, body := range []string{"", "\x00", "{}", "<a/>", "a,b\n1\n", "\xff\xfe\xfd", "{\"resourceType\":\"Bundle\"}"} {
			see := func() (out []string) {
				for rec, err := range a.Decode(engine.Message{Body: []byte(body)}, engine.Schema{Format: format}) {
					if err != nil {
						out = append(out, err.Error())
						if engine.KindOf(err) == engine.Internal {
							t.Errorf("%s, %q: %v", format, body, err)
						}
						continue
					}
					out = append(out, rec.Place().String())
				}
				return out
			}
			if first := see(); !slices.Equal(first, see()) {
				t.Errorf("%s, %q: two decodings differ", format, body)
			}
		}
	}
}
