package oracle

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

var (
	documents = flag.Int("documents", 5040, "how many generated documents both readers are asked about, half of them damaged")
	seed      = flag.Uint64("seed", 1, "seed of the generated documents")
	corpus    = flag.String("corpus", "", "folder with resources in JSON, or Bundles of them, that both readers are asked about as well")
)

// tally counts verdicts, and what each class came from.
type tally struct {
	t       *testing.T
	other   *Validator
	counts  map[string]int
	sources map[string]map[string]int
	total   int
	refused int // by both
}

func newTally(t *testing.T) *tally {
	return &tally{t: t, other: newValidator(t), counts: map[string]int{}, sources: map[string]map[string]int{}}
}

// ask holds both verdicts on one document against the decided classes.
func (c *tally) ask(from string, in []byte) Opinions {
	o := Compare(in, fhir.Limits{MaxBytes: 64 << 20, MaxNodes: 10_000_000, MaxString: 16 << 20}, c.other)
	c.total++
	c.counts[o.Class]++
	if c.sources[o.Class] == nil {
		c.sources[o.Class] = map[string]int{}
	}
	c.sources[o.Class][from]++
	switch {
	case o.Class == Undecided:
		c.t.Errorf("nobody has decided this difference (%s):\nours: %v\ntheirs: %v\n%.2000s", from, o.Ours, o.Theirs, in)
	case o.Class == Agreed && len(o.Ours) > 0:
		c.refused++
	}
	return o
}

// report logs the counts, and makes sure that gotchas.md knows every class.
func (c *tally) report() {
	c.t.Logf("%d documents: both take %d, both refuse %d, they differ on %d", c.total, c.counts[Agreed]-c.refused, c.refused, c.total-c.counts[Agreed])
	raw, err := os.ReadFile(gotchas)
	require.NoError(c.t, err)
	for _, d := range Differences() {
		assert.Contains(c.t, string(raw), "| `"+d.Class+"` |", "gotchas.md says nothing of a class")
		c.t.Logf("%6d %s (%s)", c.counts[d.Class], d.Class, strings.Join(slices.Sorted(maps.Keys(c.sources[d.Class])), ", "))
	}
}

const gotchas = "../gotchas.md"

// written holds the counts that gotchas.md gives against those of the run that it names; -update writes them.
func (c *tally) written() {
	raw, err := os.ReadFile(gotchas)
	require.NoError(c.t, err)
	text := string(raw)
	for _, d := range Differences() {
		row := regexp.MustCompile("(?m)^\\| `" + d.Class + "` \\| (\\d+) \\|")
		text = row.ReplaceAllString(text, fmt.Sprintf("| `%s` | %d |", d.Class, c.counts[d.Class]))
	}
	if *update {
		require.NoError(c.t, os.WriteFile(gotchas, []byte(text), 0o644))
	}
	assert.True(c.t, *update || text == string(raw), "the counts in gotchas.md are of another run: go test ./fhir/oracle -run Agree -update")
}

// TestReadersAgreeOrItIsDecided asks both readers about generated documents: every type of R4, sound, and damaged in every way that mutations
// knows. What one takes and the other refuses has to be of a class that gotchas.md decides.
func TestReadersAgreeOrItIsDecided(t *testing.T) {
	g, c := newGenerator(t, *seed), newTally(t)
	for i := range *documents / 2 {
		in := []byte(text(g.resource(g.resources[i%len(g.resources)], 0)))
		if o := c.ask("sound", in); len(o.Ours) > 0 {
			t.Errorf("our reader refuses what the table allows: %v\n%s", o.Ours, in)
		}
	}
	kinds := mutations()
	for i := range *documents / 2 {
		m := kinds[i%len(kinds)]
		r, done := g.damaged(m)
		if !done {
			t.Errorf("%s: no resource has a place for it", m.name)
			continue
		}
		c.ask(m.name, []byte(text(r)))
	}
	damages := around()
	for _, name := range slices.Sorted(maps.Keys(damages)) {
		for range 3 {
			c.ask(name, []byte(damages[name](text(g.resource("Patient", 0)))))
		}
	}
	c.report()
	if *seed == 1 && *documents == 5040 {
		c.written()
	}
	assert.GreaterOrEqual(t, c.total, *documents)
	assert.Greater(t, c.refused, c.total/5, "the damage is seen by both")
}

// damaged makes resources until one has a place for the mutation.
func (g *generator) damaged(m mutation) (*object, bool) {
	for range 400 {
		if r := g.resource(pick(g, g.resources), 0); m.do(g, r) {
			return r, true
		}
	}
	return nil, false
}

// TestXMLAndJSONAreOneTree takes generated resources of every type through JSON, XML and JSON again.
func TestXMLAndJSONAreOneTree(t *testing.T) {
	g := newGenerator(t, *seed+1)
	for i := range *documents / 10 {
		in := text(g.resource(g.resources[i%len(g.resources)], 0))
		doc, faults := fhir.Examine([]byte(in), fhir.Limits{}, nil)
		require.Empty(t, faults, in)
		asXML, err := fhir.AppendXML(nil, doc)
		require.NoError(t, err, in)
		again, faults := fhir.ExamineXML(asXML, fhir.Limits{}, nil)
		require.Empty(t, faults, "%s\n%s", in, asXML)
		require.True(t, sameTree(doc.Root(), again.Root()), "%s\n%s", in, asXML)
		require.Equal(t, string(fhir.AppendJSON(nil, again)), string(fhir.AppendJSON(nil, reread(t, again))))
	}
}

func reread(t *testing.T, d *fhir.Document) *fhir.Document {
	doc, err := fhir.Read(fhir.AppendJSON(nil, d), fhir.Limits{})
	require.NoError(t, err)
	return doc
}

// sameTree compares two nodes; members may stand in another order.
func sameTree(a, b *fhir.Node) bool {
	if a == nil || b == nil || a.Kind() != b.Kind() || a.Text() != b.Text() || a.Path() != b.Path() {
		return false
	}
	count := 0
	for c := range a.Children {
		other := b.Child(c.Name())
		if a.Kind() == fhir.Array {
			other = b.Item(count)
		}
		if !sameTree(c, other) {
			return false
		}
		count++
	}
	for range b.Children {
		count--
	}
	return count == 0
}

// TestCorpus asks both readers about every resource of a folder: `make fhir-corpus` fetches the definitions that npm carries.
func TestCorpus(t *testing.T) {
	if *corpus == "" {
		t.Skip("DID NOT RUN: no folder of resources is named: -corpus DIR")
	}
	c := newTally(t)
	require.NoError(t, filepath.WalkDir(*corpus, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		doc, err := fhir.Read(raw, fhir.Limits{MaxBytes: 64 << 20, MaxNodes: 10_000_000, MaxString: 16 << 20})
		if err != nil || doc.Type() != "Bundle" {
			c.ask(filepath.Base(path), raw)
			return nil
		}
		for entry := range doc.Root().Child("entry").Children {
			if r := entry.Child("resource"); r != nil {
				c.ask(filepath.Base(path), r.AppendJSON(nil))
			}
		}
		return nil
	}))
	c.report()
	assert.Positive(t, c.total)
}
