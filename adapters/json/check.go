package json

import (
	"fmt"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// state is what the declared structure knows of the values that a path has reached.
type state struct {
	elements []engine.Element // names that an object there may have; none: a value
	list     bool             // an array of those
}

// root makes the state of the document. A structure whose one element is called [] is that of an array at the root.
func root(structure []engine.Element) state {
	if len(structure) == 1 && structure[0].Name == "" {
		return enter(structure[0])
	}
	return state{elements: structure}
}

func enter(e engine.Element) state { return state{elements: e.Children, list: e.Many} }

// follow holds every step of a path against the structure. The error is a *engine.CompileError under the step.
func (p path) follow(document, record state) (state, error) {
	at := record
	if p.absolute {
		at = document
	}
	for _, s := range p.steps {
		next, err := at.step(s)
		if err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}

func (at state) step(s step) (state, error) {
	fail := func(text, suggest string) (state, error) {
		err := &engine.CompileError{Offset: s.offset, Length: s.length, Text: text, Suggest: suggest}
		for _, e := range at.elements {
			if suggest != "" && e.Name == suggest {
				err.Line, err.Column = e.Line, e.Column
			}
		}
		return at, err
	}
	if s.kind == byName {
		if at.list {
			return fail("the value before this is a list: say which of it with [*], [0] or [?@.name=='value']", "")
		}
		var known []string
		for _, e := range at.elements {
			if e.Name == s.name {
				return enter(e), nil
			}
			known = append(known, e.Name)
		}
		if len(known) == 0 {
			return fail("the structure declares a value here, which has no members", "")
		}
		return fail(fmt.Sprintf("no %q is declared here", s.name), chars.Nearest(s.name, known))
	}
	if !at.list {
		return fail("the structure declares no list here: a name that may stand more than once ends in []", "")
	}
	item := state{elements: at.elements}
	if s.kind == byFilter {
		found, err := s.filter.path.follow(item, item)
		if err != nil {
			return at, err
		}
		if found.list || s.filter.operator != "" && len(found.elements) > 0 {
			return fail("a filter compares a value, and this is none", "")
		}
	}
	return item, nil
}
