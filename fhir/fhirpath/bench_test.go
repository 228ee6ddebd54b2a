package fhirpath

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

const attendance = "../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json"

func sampleBundle(t testing.TB) *fhir.Document {
	t.Helper()
	raw, err := os.ReadFile(attendance)
	require.NoError(t, err)
	doc, err := fhir.Read(raw, fhir.Limits{})
	require.NoError(t, err)
	return doc
}

// perOp measures f by itself for about 200 ms and returns nanoseconds a call: the reference that a figure is held against.
func perOp(f func()) float64 {
	n := 0
	start := time.Now()
	for time.Since(start) < 200*time.Millisecond {
		for range 64 {
			f()
		}
		n += 64
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

const (
	nhsNumber = "https://fhir.nhs.uk/Id/nhs-number"
	odsCode   = "https://fhir.nhs.uk/Id/ods-organization-code"
	actCode   = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	uuidURI   = "https://tools.ietf.org/html/rfc4122"
)

// tenSelections are what a trust's mapping reads of a message, and the same by hand.
func tenSelections() ([]string, []func(root *fhir.Node, into []*fhir.Node) []*fhir.Node) {
	paths := []string{
		"Bundle.entry.resource.ofType(MessageHeader).event.ofType(Coding).code",
		"Bundle.entry.resource.ofType(Encounter).identifier.where(system = '" + uuidURI + "').value",
		"Bundle.entry.resource.ofType(Encounter).class.where(system = '" + actCode + "').code",
		"Bundle.entry.resource.ofType(Encounter).period.start",
		"Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).identifier.where(system = '" + nhsNumber + "').value",
		"Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).birthDate",
		"Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).name.where(use = 'official').family",
		"Bundle.entry.resource.ofType(MessageHeader).source.endpoint",
		"Bundle.entry.resource.ofType(Encounter).serviceProvider.resolve().ofType(Organization).identifier.where(system = '" + odsCode + "').value",
		"Bundle.entry.resource.ofType(Encounter).serviceProvider.resolve().ofType(Organization).name",
	}
	return paths, byHand()
}

func byHand() []func(root *fhir.Node, into []*fhir.Node) []*fhir.Node {
	type visit = func(n *fhir.Node, into []*fhir.Node) []*fhir.Node
	leaf := func(names ...string) visit {
		return func(n *fhir.Node, into []*fhir.Node) []*fhir.Node {
			for _, name := range names {
				if n = n.Child(name); n == nil {
					return into
				}
			}
			return append(into, n)
		}
	}
	inResource := func(typ string, then visit) visit {
		return func(root *fhir.Node, into []*fhir.Node) []*fhir.Node {
			if root.ResourceType() != "Bundle" {
				return into
			}
			entries := root.Child("entry")
			if entries == nil {
				return into
			}
			for e := entries.First(); e != nil; e = e.Next() {
				if r := e.Child("resource"); r != nil && r.ResourceType() == typ {
					into = then(r, into)
				}
			}
			return into
		}
	}
	where := func(list, key, want string, then visit) visit {
		return func(n *fhir.Node, into []*fhir.Node) []*fhir.Node {
			items := n.Child(list)
			if items == nil {
				return into
			}
			if items.Kind() == fhir.Object {
				if k := items.Child(key); k != nil && k.Text() == want {
					into = then(items, into)
				}
				return into
			}
			for i := items.First(); i != nil; i = i.Next() {
				if k := i.Child(key); k != nil && k.Text() == want {
					into = then(i, into)
				}
			}
			return into
		}
	}
	follow := func(name, typ string, then visit) visit {
		return func(n *fhir.Node, into []*fhir.Node) []*fhir.Node {
			if ref := n.Child(name).Child("reference"); ref != nil {
				if to := ref.Resolve(ref.Text()); to != nil && to.ResourceType() == typ {
					into = then(to, into)
				}
			}
			return into
		}
	}
	return []visit{
		inResource("MessageHeader", leaf("eventCoding", "code")),
		inResource("Encounter", where("identifier", "system", uuidURI, leaf("value"))),
		inResource("Encounter", where("class", "system", actCode, leaf("code"))),
		inResource("Encounter", leaf("period", "start")),
		inResource("Encounter", follow("subject", "Patient", where("identifier", "system", nhsNumber, leaf("value")))),
		inResource("Encounter", follow("subject", "Patient", leaf("birthDate"))),
		inResource("Encounter", follow("subject", "Patient", where("name", "use", "official", leaf("family")))),
		inResource("MessageHeader", leaf("source", "endpoint")),
		inResource("Encounter", follow("serviceProvider", "Organization", where("identifier", "system", odsCode, leaf("value")))),
		inResource("Encounter", follow("serviceProvider", "Organization", leaf("name"))),
	}
}

func compileAll(t testing.TB, expressions []string) []*Path {
	t.Helper()
	out := make([]*Path, len(expressions))
	for i, e := range expressions {
		var err error
		out[i], err = Compile(e, Options{Context: "Bundle"})
		require.NoError(t, err, e)
	}
	return out
}

// TestTenSelections holds that the two sides of the benchmark find the same nodes.
func TestTenSelections(t *testing.T) {
	doc := sampleBundle(t)
	expressions, hand := tenSelections()
	for i, p := range compileAll(t, expressions) {
		found, err := p.Eval(doc.Root(), nil)
		require.NoError(t, err)
		var nodes []*fhir.Node
		for _, r := range found {
			nodes = append(nodes, r.Node)
		}
		require.NotEmpty(t, nodes, expressions[i])
		require.Equal(t, hand[i](doc.Root(), nil), nodes, expressions[i])
	}
}

// BenchmarkTenSelections takes ten values out of a message Bundle that is already read. The reference is hand-written Go on the same tree.
func BenchmarkTenSelections(b *testing.B) {
	doc := sampleBundle(b)
	expressions, hand := tenSelections()
	paths := compileAll(b, expressions)
	var nodes []*fhir.Node
	reference := perOp(func() {
		nodes = nodes[:0]
		for _, f := range hand {
			nodes = f(doc.Root(), nodes)
		}
	})
	require.Len(b, nodes, 10)
	b.ReportAllocs()
	var found []Result
	for b.Loop() {
		found = found[:0]
		for _, p := range paths {
			var err error
			if found, err = p.Eval(doc.Root(), found); err != nil {
				b.Fatal(err)
			}
		}
	}
	require.Len(b, found, 10)
	b.ReportMetric(reference/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "x_ref:hand-written")
}

// BenchmarkCompile compiles one path of usual length.
func BenchmarkCompile(b *testing.B) {
	expressions, _ := tenSelections()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(expressions[4], Options{Context: "Bundle"}); err != nil {
			b.Fatal(err)
		}
	}
}
