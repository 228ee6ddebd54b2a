package json

import (
	"bytes"
	"slices"
	"strings"

	"signalbox/adapters/internal/sampled"
	"signalbox/engine"
)

// see takes a value in.
func see(n *sampled.Node, v *value) {
	switch v.kind {
	case object:
		for _, m := range v.items {
			see(n.Child(m.name), m)
		}
	case array:
		n.Many = true
		for _, item := range v.items {
			see(n, item)
		}
	case scalar:
		n.See(v.text)
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
	all := &sampled.Node{}
	for _, t := range texts {
		see(all, t.root)
	}
	steps := recordPath(texts)
	path := "$" + strings.Join(steps, "")
	p.Reasons = append([]string{"format json: the file is JSON"}, append(p.Reasons, "records "+path+": most of these have an NHS number")...)
	if path != "$" {
		p.Schema.Options[OptionRecords] = path
	}
	p.Schema.Structure = all.Elements()
	if all.Many {
		p.Schema.Structure = []engine.Element{{Many: true, Children: all.Elements()}}
	}
	p.Doubts = append(p.Doubts, "the structure is what the sample shows: ask for what else may stand in it")
	d := &declaring{}
	record := all
	for _, s := range steps {
		if name, ok := strings.CutPrefix(s, "."); ok {
			record = record.Child(name)
		}
	}
	d.leaves(record, "", nil)
	if record != all {
		d.Stop = record
		d.leaves(all, "$", nil)
	}
	p.Schema.Fields = d.All
	return p, len(d.All) > 0
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

// declaring makes a field of every value.
type declaring struct{ sampled.Fields }

// leaves declares what is below a place. path is its selector; words are what the names of its fields begin with.
func (d *declaring) leaves(n *sampled.Node, path string, words []string) {
	for _, m := range n.Children {
		if m == d.Stop {
			continue
		}
		at := join(path, m.Name)
		named := append(slices.Clone(words), m.Name)
		switch {
		case len(m.Children) == 0 && m.Values == 0 && !m.Many:
			d.add(at, named) // always null
		case len(m.Children) == 0 && m.Many:
			d.add(at+"[0]", named)
		case len(m.Children) == 0:
			d.add(at, named)
		case m.Many && d.Holds(m):
			d.leaves(m, at+"[*]", named)
		case m.Many:
			d.apart(m, at, named)
		default:
			d.leaves(m, at, named)
		}
	}
}

// apart declares the items of an array by what tells them apart: identifiers[?@.system=='nhs'].value.
func (d *declaring) apart(n *sampled.Node, path string, words []string) {
	tells, texts := n.Discriminator("system", "kind", "type", "use", "scheme", "qualifier", "label", "code")
	if tells == nil || len(n.Children) < 2 {
		d.leaves(n, path+"[0]", words)
		return
	}
	for _, text := range texts {
		d.leaves(n.Without(tells), path+"[?@."+tells.Name+"=='"+text+"']", append(slices.Clone(words), text))
	}
}

func (d *declaring) add(path string, words []string) {
	if d.Stop != nil && len(words) > 2 { // the document's own name says nothing
		words = words[1:]
	}
	d.Add(path, words)
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
