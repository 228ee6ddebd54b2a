package pipeline

import (
	"iter"
	"sync"
	"testing"

	"signalbox/engine"
	"signalbox/engine/notify"
)

type named string

func (n named) Digest() string  { return string(n) }
func (n named) Archive() []byte { return nil }
func (n named) Translate(engine.Message) iter.Seq[engine.Translated] {
	return func(func(engine.Translated) bool) {}
}

// A mapping is replaced for all who use its folder and for nobody else, also while the table is read.
func TestReplaceAMapping(t *testing.T) {
	routes, err := NewRoutes([]Route{{Name: "a", Mailbox: "M", Sender: "A", Workflow: "W", Supplier: "one", Mapping: named("old"), Party: notify.Party{Authority: engine.Authority{ODSCode: "1"}}},
		{Name: "b", Mailbox: "M", Sender: "B", Workflow: "W", Supplier: "two", Mapping: named("two"), Party: notify.Party{Authority: engine.Authority{ODSCode: "2"}}}},
		[]Source{{Name: "fhir/t", Supplier: "one", Mapping: named("old"), TransactionSupplier: "two", TransactionMapping: named("two")}})
	if err != nil {
		t.Fatal(err)
	}
	of := func(source string) string {
		m, _ := routes.Mapping(engine.Message{Source: source, WorkflowID: "W"})
		return m.Digest()
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 1000 {
				if d := of("mesh/M/A"); d != "old" && d != "new" {
					t.Errorf("digest %s", d)
				}
			}
		})
	}
	if !routes.Replace("one", named("new")) || routes.Replace("three", named("new")) {
		t.Error("Replace says that it found what is not there, or did not find what is")
	}
	readers.Wait()
	for source, want := range map[string]string{"mesh/M/A": "new", "mesh/M/B": "two", "fhir/t": "new"} {
		if got := of(source); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
	if all := routes.mappings(); all["one"].Digest() != "new" || all["two"].Digest() != "two" {
		t.Errorf("%v", all)
	}
}
