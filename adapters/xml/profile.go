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
	"unicode"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// shown is what a sample shows of one element or attribute.
type shown struct {
	name     string // with the source's prefix, "@" before an attribute's
	in       *shown
	many     bool // two of them stood in one element
	children []*shown
	text     bool
	values   map[string]bool // of an attribute; nil when there are too many to tell elements apart
	numbers  int             // NHS numbers that it held
	seen     int
}

func (s *shown) child(name string) *shown {
	for _, c := range s.children {
		if c.name == name {
			return c
		}
	}
	c := &shown{name: name, in: s, values: map[string]bool{}}
	s.children = append(s.children, c)
	return c
}

func (s *shown) path() string {
	if s.in == nil {
		return ""
	}
	return s.in.path() + "/" + s.name
}

// reading builds what a sample shows.
type reading struct {
	prefixes map[string]string // namespace to prefix
	space    string            // of the root: names in it have no prefix
	root     *shown
}

// Profile recognises XML that is none of the formats of its own, takes for records the elements that repeat and have NHS numbers in them, and declares the structure
// that the sample shows.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	encoding, ok := known(sample)
	if !ok || !bytes.Contains(sample[:min(len(sample), 200)], []byte("<")) {
		return engine.Profile{}, false
	}
	c, _ := chars.NewCharset(encoding)
	r := &reading{prefixes: map[string]string{}, root: &shown{}}
	if !r.read(c.Decode(sample).String) {
		return engine.Profile{}, false
	}
	record := r.record()
	p := engine.Profile{Schema: engine.Schema{Format: Format, Encoding: encoding, Options: map[string]string{OptionRecord: record.path()}, Structure: elements(r.root)}}
	p.Reasons = []string{"format xml: the file is XML", "encoding " + encoding + ": the file's own declaration, or that of XML",
		"record " + record.path() + ": it repeats, or holds the NHS numbers"}
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
	d := &declaring{taken: map[string]bool{}}
	d.leaves(record, "", nil)
	d.stop = record
	d.leaves(r.root, "", nil)
	p.Schema.Fields = d.fields
	return p, len(d.fields) > 0
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
			return errors.Is(err, io.EOF) && len(r.root.children) == 1
		}
		switch t := token.(type) {
		case stdxml.StartElement:
			r.spaces(t, names, at == r.root)
			at = at.child(r.name(t.Name.Space, t.Name.Local))
			at.seen++
			last := counts[len(counts)-1]
			last[at.name]++
			at.many = at.many || last[at.name] > 1
			counts = append(counts, map[string]int{})
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					at.child("@" + r.attribute(a.Name)).see(a.Value)
				}
			}
		case stdxml.EndElement:
			at, counts = at.in, counts[:len(counts)-1]
		case stdxml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" && at != r.root {
				at.see(text)
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

func (s *shown) see(text string) {
	s.text = true
	if s.values != nil && len(s.values) < 8 && len(text) <= 24 {
		s.values[text] = true
	} else {
		s.values = nil
	}
	if _, err := engine.ParseNHSNumber(text); err == nil {
		for n := s; n != nil; n = n.in {
			n.numbers++
		}
	}
}

// record is the outermost element that repeats and holds as many NHS numbers as there are; without any, the innermost that holds them all.
func (r *reading) record() *shown {
	at := r.root.children[0]
	for {
		var next *shown
		for _, c := range at.children {
			if !strings.HasPrefix(c.name, "@") && c.numbers == r.root.numbers && (len(c.children) > 0 || c.many) {
				next = c
			}
		}
		if next == nil || r.root.numbers == 0 {
			return at
		}
		if at = next; at.many {
			return at
		}
	}
}

func elements(s *shown) []engine.Element {
	var out []engine.Element
	for _, c := range s.children {
		out = append(out, engine.Element{Name: c.name, Many: c.many, Children: elements(c)})
	}
	return out
}

// declaring makes a field of every attribute and text.
type declaring struct {
	fields []engine.Field
	taken  map[string]bool
	stop   *shown // the records, when what stands around them is declared
}

// leaves declares what is in an element. path is its selector, words what the names of its fields begin with.
func (d *declaring) leaves(s *shown, path string, words []string) {
	for _, c := range s.children {
		if c == d.stop {
			continue
		}
		at, named := c.name, append(slices.Clone(words), strings.TrimPrefix(c.name, "@"))
		if path != "" || d.stop != nil {
			at = path + "/" + c.name
		}
		if c.many && !d.holds(c) {
			d.apart(c, at, named)
			continue
		}
		d.one(c, at, named)
	}
}

func (d *declaring) one(c *shown, at string, named []string) {
	elements := slices.ContainsFunc(c.children, func(below *shown) bool { return !strings.HasPrefix(below.name, "@") })
	if c.text && !elements {
		d.add(at, named)
	}
	d.leaves(c, at, named)
}

// holds reports whether the records stand somewhere in an element.
func (d *declaring) holds(s *shown) bool {
	return s == d.stop && s != nil || slices.ContainsFunc(s.children, d.holds)
}

// apart declares elements that repeat by the attribute that tells them apart, Phone[@use='duty'], and else the first of them.
func (d *declaring) apart(c *shown, at string, named []string) {
	for _, name := range []string{"@use", "@type", "@kind", "@system", "@scheme", "@code"} {
		for _, a := range c.children {
			if !strings.EqualFold(a.name, name) || len(a.values) == 0 || !areWords(a.values) {
				continue
			}
			rest := *c
			rest.children = slices.DeleteFunc(slices.Clone(c.children), func(other *shown) bool { return other == a })
			for _, text := range slices.Sorted(maps.Keys(a.values)) {
				d.one(&rest, at+"["+a.name+"='"+text+"']", append(slices.Clone(named), text))
			}
			return
		}
	}
	d.one(c, at+"[1]", named)
}

func areWords(set map[string]bool) bool {
	for s := range set {
		if !strings.ContainsFunc(s, unicode.IsLetter) || strings.ContainsAny(s, `'"`) {
			return false
		}
	}
	return true
}

func (d *declaring) add(path string, words []string) {
	if d.stop != nil && len(words) > 1 {
		words = words[1:] // the root's own name says nothing
	}
	for i, w := range words {
		_, local, prefixed := strings.Cut(w, ":")
		if prefixed {
			words[i] = local
		}
	}
	d.fields = append(d.fields, engine.Field{Name: chars.FieldName(strings.Join(words, "_"), d.taken), Select: path, Type: engine.TypeString})
}
