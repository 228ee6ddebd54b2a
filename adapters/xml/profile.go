package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/adapters/internal/sampled"
	"signalbox/engine"
)

// pathOf is the way from the root to a node.
func pathOf(n *sampled.Node) string {
	if n.In == nil {
		return ""
	}
	return pathOf(n.In) + "/" + n.Name
}

// reading builds what a sample shows.
type reading struct {
	prefixes map[string]string // namespace to prefix
	space    string            // of the root: names in it have no prefix
	root     *sampled.Node
	numbers  map[*sampled.Node]int // NHS numbers that stood in each
}

// Profile recognises XML that is none of the formats of its own, takes for records the elements that repeat and have NHS numbers in them, and declares the structure
// that the sample shows.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	encoding, ok := known(sample)
	if !ok || !bytes.Contains(sample[:min(len(sample), 200)], []byte("<")) {
		return engine.Profile{}, false
	}
	c, _ := chars.NewCharset(encoding)
	r := &reading{prefixes: map[string]string{}, root: &sampled.Node{}, numbers: map[*sampled.Node]int{}}
	if !r.read(c.Decode(sample).String) {
		return engine.Profile{}, false
	}
	record := r.record()
	p := engine.Profile{Schema: engine.Schema{Format: Format, Encoding: encoding, Options: map[string]string{OptionRecord: pathOf(record)}, Structure: r.root.Elements()}}
	p.Reasons = []string{"format xml: the file is XML", "encoding " + encoding + ": the file's own declaration, or that of XML",
		"record " + pathOf(record) + ": it repeats, or holds the NHS numbers"}
	p.Doubts = []string{"the structure is what the sample shows: ask for the schema, or for what else may stand in it"}
	if r.space != "" {
		p.Schema.Options[OptionNamespace] = r.space
	}
	var others []string
	for _, space := range slices.Sorted(maps.Keys(r.prefixes)) {
		others = append(others, r.prefixes[space]+"="+space)
	}
	if len(others) > 0 {
		p.Schema.Options[OptionNamespaces] = strings.Join(others, " ")
	}
	d := &declaring{}
	d.leaves(record, "", nil)
	d.Stop = record
	d.leaves(r.root, "", nil)
	p.Schema.Fields = d.All
	return p, len(d.All) > 0
}

// read takes the sample in; false when it is no XML, or has a document type.
func (r *reading) read(text string) bool {
	decoder := stdxml.NewDecoder(strings.NewReader(text))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	at := r.root
	counts := []map[string]int{{}}
	names := map[string]string{} // prefix as sent to its namespace
	for {
		token, err := decoder.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && len(r.root.Children) == 1
		}
		switch t := token.(type) {
		case stdxml.StartElement:
			r.spaces(t, names, at == r.root)
			at = at.Child(r.name(t.Name.Space, t.Name.Local))
			last := counts[len(counts)-1]
			last[at.Name]++
			at.Many = at.Many || last[at.Name] > 1
			counts = append(counts, map[string]int{})
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					r.see(at.Child("@"+r.attribute(a.Name)), a.Value)
				}
			}
		case stdxml.EndElement:
			at, counts = at.In, counts[:len(counts)-1]
		case stdxml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" && at != r.root {
				r.see(at, text)
			}
		case stdxml.Directive:
			return false
		}
	}
}

// spaces gives each namespace a prefix: the root's own has none, any other the one that the sample uses.
func (r *reading) spaces(t stdxml.StartElement, names map[string]string, root bool) {
	if root {
		r.space = t.Name.Space
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" && a.Value != r.space && a.Name.Local != "" {
			if _, known := r.prefixes[a.Value]; !known && names[a.Name.Local] == "" {
				r.prefixes[a.Value], names[a.Name.Local] = a.Name.Local, a.Value
			}
		}
	}
	if s := t.Name.Space; s != r.space && s != "" && r.prefixes[s] == "" {
		r.prefixes[s] = fmt.Sprintf("n%d", len(r.prefixes)+1)
	}
}

func (r *reading) name(space, local string) string {
	if space == r.space || r.prefixes[space] == "" {
		return local
	}
	return r.prefixes[space] + ":" + local
}

// attribute writes an attribute's name: one without a prefix is in no namespace.
func (r *reading) attribute(n stdxml.Name) string {
	if n.Space == "" || r.prefixes[n.Space] == "" {
		return n.Local
	}
	return r.prefixes[n.Space] + ":" + n.Local
}

// see takes a text in.
func (r *reading) see(n *sampled.Node, text string) {
	n.See(text)
	if _, err := engine.ParseNHSNumber(text); err == nil {
		for ; n != nil; n = n.In {
			r.numbers[n]++
		}
	}
}

// record is the outermost element that repeats and holds as many NHS numbers as there are; without any, the innermost that holds them all.
func (r *reading) record() *sampled.Node {
	at := r.root.Children[0]
	for {
		var next *sampled.Node
		for _, c := range at.Children {
			if !strings.HasPrefix(c.Name, "@") && r.numbers[c] == r.numbers[r.root] && (len(c.Children) > 0 || c.Many) {
				next = c
			}
		}
		if next == nil || r.numbers[r.root] == 0 {
			return at
		}
		if at = next; at.Many {
			return at
		}
	}
}

// declaring makes a field of every attribute and text.
type declaring struct{ sampled.Fields }

// leaves declares what is in an element. path is its selector, words what the names of its fields begin with.
func (d *declaring) leaves(n *sampled.Node, path string, words []string) {
	for _, c := range n.Children {
		if c == d.Stop {
			continue
		}
		at, named := c.Name, append(slices.Clone(words), strings.TrimPrefix(c.Name, "@"))
		if path != "" || d.Stop != nil {
			at = path + "/" + c.Name
		}
		if c.Many && !d.Holds(c) {
			d.apart(c, at, named)
			continue
		}
		d.one(c, at, named)
	}
}

func (d *declaring) one(c *sampled.Node, at string, named []string) {
	elements := slices.ContainsFunc(c.Children, func(below *sampled.Node) bool { return !strings.HasPrefix(below.Name, "@") })
	if c.Values > 0 && !elements {
		d.add(at, named)
	}
	d.leaves(c, at, named)
}

// apart declares elements that repeat by the attribute that tells them apart, Phone[@use='duty'], and else the first of them.
func (d *declaring) apart(c *sampled.Node, at string, named []string) {
	tells, texts := c.Discriminator("@use", "@type", "@kind", "@system", "@scheme", "@code")
	if tells == nil {
		d.one(c, at+"[1]", named)
		return
	}
	for _, text := range texts {
		d.one(c.Without(tells), at+"["+tells.Name+"='"+text+"']", append(slices.Clone(named), text))
	}
}

func (d *declaring) add(path string, words []string) {
	if d.Stop != nil && len(words) > 1 {
		words = words[1:] // the root's own name says nothing
	}
	for i, w := range words {
		_, local, prefixed := strings.Cut(w, ":")
		if prefixed {
			words[i] = local
		}
	}
	d.Add(path, words)
}
