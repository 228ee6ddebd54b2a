package mappings

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// many ends the name of an element that may stand more than once.
const many = "[]"

// readStructure reads what a nested source looks like: a key is a name, what stands below it are the names in it, and nothing below it
// means a value. The adapter holds every step of every selector against it.
func (s *source) readStructure(n *yaml.Node) []engine.Element {
	var out []engine.Element
	for _, e := range s.entries(n) {
		name, repeats := strings.CutSuffix(e.key.Value, many)
		for _, other := range out {
			if other.Name == name {
				s.fail(e.key, CodeTwice, "%q stands here twice, first on line %d", name, other.Line)
			}
		}
		if name == "" && !repeats {
			s.fail(e.key, CodeWord, "an element has a name; one of a list has [] after it")
		}
		element := engine.Element{Name: name, Many: repeats, Line: e.key.Line}
		_, element.Column = s.locate(e.key, 0)
		if e.value.Kind != yaml.ScalarNode || e.value.Value != "" {
			element.Children = s.readStructure(e.value)
		}
		out = append(out, element)
	}
	return out
}
