package mappings

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// baseFolder is where an archive keeps the files of the folder that its mapping extends.
const baseFolder = "base"

// extended returns what a mapping.yaml says after "extends". A file that cannot be read extends nothing; the reader proper tells why.
func extended(text string) (name string, ok bool) {
	var top struct {
		Extends yaml.Node `yaml:"extends"`
	}
	if err := yaml.Unmarshal([]byte(text), &top); err != nil || top.Extends.Kind != yaml.ScalarNode {
		return "", false
	}
	return top.Extends.Value, true
}

// base is the mapping.yaml that another one extends, read so far that its parts can be taken over.
type base struct {
	document
	keys    map[string]*yaml.Node
	without []string // targets that the extending mapping sets itself, or leaves out
}

// readBase reads the extended folder's mapping.yaml. What the extending one does not say is taken from it: emit, source, when, every rule
// for a target that it does not set, ignore, and code tables.
func (m *loading) readBase(n *yaml.Node) *base {
	name, ok := m.scalar(n)
	if n == nil || !ok {
		return nil
	}
	text, found := m.folder.files[path.Join(baseFolder, mappingFile)]
	if !found {
		m.fail(n, CodeFile, "no mapping folder %q beside this one, and none is built in", name)
		return nil
	}
	b := &base{document: document{name: m.folder.at(path.Join(baseFolder, mappingFile)), problems: m.problems}}
	top := b.parse(text)
	if top == nil {
		return nil
	}
	b.keys = b.document.keys(top, mappingKeys()...)
	if b.keys["extends"] != nil {
		m.fail(n, CodeContradicts, "%q extends another mapping itself: extend that one", name)
		return nil
	}
	return b
}

// or returns the node of a key and the document that it stands in: the mapping's own, else the extended one's.
func (m *loading) or(own map[string]*yaml.Node, b *base, key string) (*yaml.Node, document) {
	if own[key] == nil && b != nil && b.keys[key] != nil {
		return b.keys[key], b.document
	}
	return own[key], m.document
}

// within runs do while problems are noted in another document.
func (m *loading) within(d document, do func()) {
	own := m.document
	m.document = d
	do()
	m.document = own
}

// readWithout reads the list of extended rules that are left out.
func (m *loading) readWithout(n *yaml.Node, b *base) {
	if n == nil {
		return
	}
	if b == nil {
		m.fail(n, CodeContradicts, "\"without\" leaves out rules of an extended mapping, and this one extends none")
		return
	}
	if !m.is(n, yaml.SequenceNode, "a list of target fields") {
		return
	}
	var known []string
	if set := b.keys["set"]; set != nil {
		for i := 0; i+1 < len(set.Content); i += 2 {
			known = append(known, set.Content[i].Value)
		}
	}
	for _, item := range n.Content {
		target, ok := m.scalar(item)
		if ok && !slices.Contains(known, target) {
			m.fail(item, CodeTarget, "the extended mapping has no rule for %q", target).Suggest = nearest(target, known)
		}
		b.without = append(b.without, target)
	}
}

// baseRules reads the extended mapping's rules for targets that are not the mapping's own.
func (m *loading) baseRules(b *base, own *yaml.Node, ruled map[string]bool) {
	if b == nil || b.keys["set"] == nil {
		return
	}
	if own != nil && own.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(own.Content); i += 2 {
			b.without = append(b.without, own.Content[i].Value)
		}
	}
	m.within(b.document, func() {
		for _, e := range m.entries(b.keys["set"]) {
			if !slices.Contains(b.without, e.key.Value) {
				m.readEntry(e, ruled)
			}
		}
	})
}

// Effective returns the mapping.yaml and the source.yaml that count when what a folder extends has been taken over, comments and all. For
// a mapping that extends nothing they are its own.
func (m *Mapping) Effective() (mapping, source string, err error) {
	f, err := openArchive(m.archive)
	if err != nil {
		return "", "", err
	}
	mapping, source = f.files[mappingFile], f.files[sourceFile]
	parent, extends := f.files[path.Join(baseFolder, mappingFile)]
	if !extends {
		return mapping, source, nil
	}
	if source == "" {
		source = f.files[path.Join(baseFolder, sourceFile)]
	}
	mapping, err = merge(parent, mapping)
	return mapping, source, err
}

// merge writes the extending mapping's keys over the extended one's.
func merge(parent, child string) (string, error) {
	var under, over yaml.Node
	if err := yaml.Unmarshal([]byte(parent), &under); err != nil {
		return "", err
	}
	if err := yaml.Unmarshal([]byte(child), &over); err != nil {
		return "", err
	}
	to, from := under.Content[0], over.Content[0]
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		switch key.Value {
		case "extends":
		case "without":
			for _, target := range value.Content {
				remove(at(to, "set"), target.Value)
			}
		case "set":
			if set := at(to, "set"); set != nil {
				for j := 0; j+1 < len(value.Content); j += 2 {
					put(set, value.Content[j], value.Content[j+1])
				}
				continue
			}
			put(to, key, value)
		default:
			put(to, key, value)
		}
	}
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&under); err != nil {
		return "", err
	}
	return b.String(), encoder.Close()
}

// at returns the value of a key, or nil.
func at(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func put(n, key, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key.Value {
			n.Content[i], n.Content[i+1] = key, value
			return
		}
	}
	n.Content = append(n.Content, key, value)
}

func remove(n *yaml.Node, key string) {
	if n == nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}
