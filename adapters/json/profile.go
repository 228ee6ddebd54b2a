package json

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// shown is what the texts of a sample show of one place: the values there and what is in them.
type shown struct {
	name    string
	many    bool // an array stood here
	members []*shown
	values  int
	texts   map[string]bool // of a member that may tell the items of an array apart; nil when there are too many
}

func (s *shown) member(name string) *shown {
	for _, m := range s.members {
		if m.name == name {
			return m
		}
	}
	m := &shown{name: name, texts: map[string]bool{}}
	s.members = append(s.members, m)
	return m
}

// see takes a value in.
func (s *shown) see(v *value) {
	switch v.kind {
	case object:
		for _, m := range v.items {
			s.member(m.name).see(m)
		}
	case array:
		s.many = true
		for _, item := range v.items {
			s.see(item)
		}
	case scalar:
		s.values++
		if s.texts != nil && len(s.texts) < 8 && len(v.text) <= 24 {
			s.texts[v.text] = true
		} else {
			s.texts = nil
		}
	}
}

// Profile recognises JSON, takes for records the values of the list in which most have an NHS number, and declares the structure that the sample shows.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	p := engine.Profile{Schema: engine.Schema{Format: Format, Options: map[string]string{}}}
	texts := []*tree{read(bytes.TrimPrefix(sample, []byte("\ufeff")), 0)}
	if texts[0].stop != nil {
		if texts = eachText(sample); texts == nil {
			return engine.Profile{}, false
		}
		p.Schema.Options[OptionLines] = "true"
		p.Reasons = append(p.Reasons, "lines: every line is a JSON text of its own")
	}
	if k := texts[0].root.kind; k != object && k != array {
		return engine.Profile{}, false
	}
	all := &shown{}
	for _, t := range texts {
		all.see(t.root)
	}
	steps := recordPath(texts)
	path := "$" + strings.Join(steps, "")
	p.Reasons = append([]string{"format json: the file is JSON"}, append(p.Reasons, "records "+path+": most of these have an NHS number")...)
	if path != "$" {
		p.Schema.Options[OptionRecords] = path
	}
	p.Schema.Structure = elements(all)
	if all.many {
		p.Schema.Structure = []engine.Element{{Many: true, Children: elements(all)}}
	}
	p.Doubts = append(p.Doubts, "the structure is what the sample shows: ask for what else may stand in it")
	d := &declaring{taken: map[string]bool{}}
	record := all
	for _, s := range steps {
		if name, ok := strings.CutPrefix(s, "."); ok {
			record = record.member(name)
		}
	}
	d.leaves(record, "", nil)
	if record != all {
		d.stop = record
		d.leaves(all, "$", nil)
	}
	p.Schema.Fields = d.fields
	return p, len(d.fields) > 0
}

// eachText reads every line as a JSON text; nil when one is none.
func eachText(sample []byte) []*tree {
	var out []*tree
	for line := range bytes.Lines(sample) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		t := read(line, 0)
		if t.stop != nil || t.root.kind != object {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// recordPath finds the list that holds the records, as the steps of a path: .children, [*].
func recordPath(texts []*tree) []string {
	held := map[string]int{}
	var look func(v *value, path []string) bool
	look = func(v *value, path []string) bool {
		found := false
		for _, item := range v.items {
			below := append(slices.Clone(path), "[*]")
			if v.kind == object {
				below = append(slices.Clone(path), "."+item.name)
				if !plain(item.name) {
					continue
				}
			}
			has := look(item, below)
			if has && v.kind == array && item.kind == object {
				held[strings.Join(below, "\x00")]++
			}
			found = found || has
		}
		_, err := engine.ParseNHSNumber(v.text)
		return found || v.kind == scalar && err == nil
	}
	for _, t := range texts {
		look(t.root, nil)
	}
	best := ""
	for path, n := range held {
		if n > held[best] || n == held[best] && (len(path) < len(best) || len(path) == len(best) && path < best) {
			best = path
		}
	}
	if best == "" || len(texts) > 1 && held[best] <= len(texts) {
		return nil
	}
	return strings.Split(best, "\x00")
}

// plain reports whether a name needs no quotes in a path.
func plain(name string) bool {
	for i := range len(name) {
		if !isNameStart(name[i]) && (i == 0 || name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return name != ""
}

func elements(s *shown) []engine.Element {
	var out []engine.Element
	for _, m := range s.members {
		out = append(out, engine.Element{Name: m.name, Many: m.many, Children: elements(m)})
	}
	return out
}

// declaring makes a field of every value.
type declaring struct {
	fields []engine.Field
	taken  map[string]bool
	stop   *shown // the records, when what stands around them is declared
}

// leaves declares what is below a place. path is its selector; words are what the names of its fields begin with.
func (d *declaring) leaves(s *shown, path string, words []string) {
	for _, m := range s.members {
		if m == d.stop {
			continue
		}
		at := join(path, m.name)
		named := append(slices.Clone(words), m.name)
		switch {
		case len(m.members) == 0 && m.values == 0 && !m.many:
			d.add(at, named) // always null
		case len(m.members) == 0 && m.many:
			d.add(at+"[0]", named)
		case len(m.members) == 0:
			d.add(at, named)
		case m.many && d.holds(m):
			d.leaves(m, at+"[*]", named)
		case m.many:
			d.apart(m, at, named)
		default:
			d.leaves(m, at, named)
		}
	}
}

// holds reports whether the records stand somewhere in a place.
func (d *declaring) holds(s *shown) bool {
	return s == d.stop && s != nil || slices.ContainsFunc(s.members, d.holds)
}

// apart declares the items of an array by what tells them apart: identifiers[?@.system=='nhs'].value.
func (d *declaring) apart(s *shown, path string, words []string) {
	tells := s.discriminator()
	if tells == nil {
		d.leaves(s, path+"[0]", words)
		return
	}
	for _, text := range sorted(tells.texts) {
		rest := &shown{}
		for _, m := range s.members {
			if m != tells {
				rest.members = append(rest.members, m)
			}
		}
		d.leaves(rest, path+"[?@."+tells.name+"=='"+text+"']", append(slices.Clone(words), text))
	}
}

func sorted(set map[string]bool) []string {
	var out []string
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// discriminator is the member by which the items of an array differ: a few short words under a name that such members have.
func (s *shown) discriminator() *shown {
	for _, name := range []string{"system", "kind", "type", "use", "scheme", "qualifier", "label", "code"} {
		for _, m := range s.members {
			if !strings.EqualFold(m.name, name) || len(m.texts) == 0 || len(m.members) > 0 || len(s.members) < 2 || !plain(m.name) {
				continue
			}
			words := true
			for text := range m.texts {
				words = words && strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsAny(text, `'\`)
			}
			if words {
				return m
			}
		}
	}
	return nil
}

func (d *declaring) add(path string, words []string) {
	name := strings.Join(words, "_")
	if d.stop != nil && len(words) > 2 { // the document's own name says nothing
		name = strings.Join(words[1:], "_")
	}
	d.fields = append(d.fields, engine.Field{Name: chars.FieldName(name, d.taken), Select: path, Type: engine.TypeString})
}

func join(path, name string) string {
	switch {
	case !plain(name):
		return path + "['" + name + "']"
	case path == "":
		return name
	}
	return path + "." + name
}
