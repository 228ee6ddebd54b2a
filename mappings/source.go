package mappings

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// Formats finds the adapter of a format. The engine's registry of adapters is one.
type Formats interface {
	Adapter(format string) (engine.Adapter, bool)
}

// source is source.yaml, compiled: the declared schema and a selector for each of its fields.
type source struct {
	document
	schema  engine.Schema
	adapter engine.Adapter
	fields  []*field
	used    map[string]bool
}

// field is one declared field ready to be read and checked.
type field struct {
	engine.Field
	node     *yaml.Node // of its name
	selector engine.Selector
	layout   engine.Layout
	written  *yaml.Node          // where the layout is; nil: there is none
	plain    engine.TextSelector // selector, where it can give the text alone; else nil
	single   bool
}

// singular is what a selector says of itself when it never finds more than one value in a record.
type singular interface{ Single() bool }

func isSingle(s engine.Selector) bool {
	one, ok := s.(singular)
	return ok && one.Single()
}

// plainOf is the selector where it can give its text alone, else nil.
func plainOf(s engine.Selector) engine.TextSelector {
	plain, _ := s.(engine.TextSelector)
	return plain
}

func (s *source) find(name string) *field {
	for _, f := range s.fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func (s *source) names() []string {
	var names []string
	for _, f := range s.fields {
		names = append(names, f.Name)
	}
	return names
}

// loadSource reads and compiles source.yaml. What it returns is usable for checking the mapping even when there were problems; its adapter
// is nil when the format is unknown.
func loadSource(f folder, name string, formats Formats, problems *Problems) *source {
	s := &source{document: document{name: f.at(name), problems: problems}, used: map[string]bool{}}
	top := s.parse(f.files[name])
	if top == nil {
		return s
	}
	keys := s.keys(top, "format", "encoding", "options", "structure", "fields")
	s.readFormat(top, keys["format"], formats)
	s.readSettings(keys["encoding"], keys["options"])
	if keys["structure"] != nil {
		s.schema.Structure = s.readStructure(keys["structure"])
	}
	if keys["fields"] != nil && s.is(keys["fields"], yaml.SequenceNode, "a list of fields") {
		for _, n := range keys["fields"].Content {
			s.readField(n)
		}
	}
	if s.adapter != nil {
		s.compile(keys)
	}
	return s
}

func (s *source) readFormat(top, n *yaml.Node, formats Formats) {
	if n == nil {
		s.fail(top, CodeMissing, "the key \"format\" is missing")
		return
	}
	format, ok := s.scalar(n)
	if !ok {
		return
	}
	s.schema.Format = format
	if s.adapter, ok = formats.Adapter(format); !ok {
		s.adapter = nil
		p := s.fail(n, CodeFormat, "no adapter reads the format %q", format)
		if listed, ok := formats.(interface{ Formats() []string }); ok {
			p.Suggest = nearest(format, listed.Formats())
			p.Why = "no message could be read: the formats are " + strings.Join(listed.Formats(), ", ")
		}
	}
}

func (s *source) readSettings(encoding, options *yaml.Node) {
	if encoding != nil {
		s.schema.Encoding, _ = s.scalar(encoding)
	}
	if options == nil {
		return
	}
	s.schema.Options = map[string]string{}
	for _, e := range s.entries(options) {
		if value, ok := s.scalar(e.value); ok {
			s.schema.Options[e.key.Value] = value
		}
	}
}

// identifier is what CEL can select from a record: row.<name>.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func fieldTypes() []string {
	return []string{string(engine.TypeString), string(engine.TypeInteger), string(engine.TypeNumber), string(engine.TypeBoolean), string(engine.TypeDate)}
}

func (s *source) readField(n *yaml.Node) {
	keys := s.keys(n, "name", "select", "type", "layout", "nullable", "enum")
	name, ok := s.scalar(keys["name"])
	if !ok {
		if keys["name"] == nil {
			s.fail(n, CodeMissing, "the field has no \"name\"")
		}
		return
	}
	if !identifier.MatchString(name) || contains(celWords(), name) {
		s.fail(keys["name"], CodeWord, "a field's name is letters, digits and _, and no word of CEL: use \"select\" for what the source calls it")
		return
	}
	if other := s.find(name); other != nil {
		s.fail(keys["name"], CodeTwice, "the field %q stands here twice, first on line %d", name, other.Line)
		return
	}
	f := &field{node: keys["name"]}
	f.Field = engine.Field{Name: name, Type: engine.TypeString, Nullable: s.flag(keys["nullable"]), Line: keys["name"].Line}
	_, f.Column = s.locate(keys["name"], 0)
	if keys["select"] != nil {
		f.Select, _ = s.scalar(keys["select"])
		f.node = keys["select"]
	}
	s.readType(f, keys)
	s.readEnum(f, keys["enum"])
	s.fields = append(s.fields, f)
	s.schema.Fields = append(s.schema.Fields, f.Field)
}

func (s *source) readType(f *field, keys map[string]*yaml.Node) {
	if n := keys["type"]; n != nil {
		word, ok := s.scalar(n)
		if ok && !contains(fieldTypes(), word) {
			s.fail(n, CodeWord, "no field type %q: it is one of %s", word, strings.Join(fieldTypes(), ", ")).Suggest = nearest(word, fieldTypes())
			return
		}
		f.Type = engine.FieldType(word)
	}
	n := keys["layout"]
	switch {
	case f.Type == engine.TypeDate && n == nil:
		s.fail(keys["name"], CodeMissing, "the date field %q has no \"layout\"", f.Name)
	case f.Type != engine.TypeDate && n != nil:
		s.fail(n, CodeContradicts, "a layout belongs to a field of type date")
	case n != nil:
		word, _ := s.scalar(n)
		layout, err := engine.NewLayout(word)
		if err != nil {
			s.fail(n, CodeLayout, "%s", strings.TrimPrefix(err.Error(), "date layout: "))
			return
		}
		f.Layout, f.layout, f.written = word, layout, n
	}
}

func (s *source) readEnum(f *field, n *yaml.Node) {
	if n == nil || !s.is(n, yaml.SequenceNode, "a list of values") {
		return
	}
	if f.Type != engine.TypeString {
		s.fail(n, CodeContradicts, "an enum belongs to a field of type string")
	}
	for _, item := range n.Content {
		value, ok := s.scalar(item)
		if ok && trim(value) == "" {
			s.fail(item, CodeWord, "an empty value is said by \"nullable: true\"")
		}
		if ok && contains(f.Enum, value) {
			s.fail(item, CodeTwice, "the enum has this value twice")
		}
		f.Enum = append(f.Enum, value)
	}
}

// compile asks the adapter whether it can honour the schema, then for every field's selector.
func (s *source) compile(keys map[string]*yaml.Node) {
	if err := s.adapter.Check(s.schema); err != nil {
		text := err.Error()
		if e, ok := errors.AsType[*engine.Error](err); ok {
			text = e.Text
		}
		at := s.blame(text, keys)
		if refusal, ok := errors.AsType[*engine.CompileError](err); ok {
			p := s.failAt(at, refusal.Offset, refusal.Length, CodeSchema, text+": "+refusal.Text)
			s.suggested(p, refusal)
			return
		}
		s.fail(at, CodeSchema, "%s", text)
		return
	}
	for _, f := range s.fields {
		expr := f.Select
		if expr == "" {
			expr = f.Name
		}
		selector, err := s.adapter.Compile(expr, s.schema)
		if err != nil {
			s.selectorProblem(&s.document, f.node, err)
			continue
		}
		f.selector, f.plain, f.single = selector, plainOf(selector), isSingle(selector)
	}
}

// blame finds the node that an adapter's refusal speaks of.
func (s *source) blame(text string, keys map[string]*yaml.Node) *yaml.Node {
	if keys["encoding"] != nil && strings.HasPrefix(text, "encoding") {
		return keys["encoding"]
	}
	if keys["options"] != nil {
		for i := 0; i+1 < len(keys["options"].Content); i += 2 {
			key := keys["options"].Content[i]
			if strings.Contains(text, fmt.Sprintf("option %q", key.Value)) || names(text, "option "+key.Value+" is unknown") {
				return key
			}
			if names(text, "option "+key.Value) {
				return keys["options"].Content[i+1]
			}
		}
	}
	for _, f := range s.fields {
		if names(text, "field "+f.Name) || strings.Contains(text, fmt.Sprintf("field %q", f.Name)) {
			return f.node
		}
	}
	return keys["format"]
}

// names reports whether a text speaks of a name, and not of a longer one that begins like it.
func names(text, name string) bool {
	_, rest, found := strings.Cut(text, name)
	return found && (rest == "" || rest[0] != '-' && !isWord(rest[0]))
}

// selectorProblem turns an adapter's refusal of a selector into a problem under the refused part.
func (s *source) selectorProblem(d *document, n *yaml.Node, err error) *Problem {
	refusal, ok := errors.AsType[*engine.CompileError](err)
	if !ok {
		return d.fail(n, CodeSelector, "the selector is refused")
	}
	p := d.failAt(n, refusal.Offset, refusal.Length, CodeSelector, refusal.Text)
	s.suggested(p, refusal)
	return p
}

// suggested adds to a problem what may have been meant, and where the source declares it.
func (s *source) suggested(p *Problem, refusal *engine.CompileError) {
	p.Suggest = refusal.Suggest
	if refusal.Line > 0 {
		p.Declared = Spot{File: s.name, Line: refusal.Line, Column: refusal.Column, Length: utf8.RuneCountInString(refusal.Suggest), Note: declaredHere}
	}
}

// reads reports whether the declaration says of a text no more than that this layout reads it.
func (f *field) reads(layout engine.Layout) bool {
	return f.Type == engine.TypeDate && len(f.Enum) == 0 && f.layout.Name() == layout.Name()
}

// check reads a trimmed, non-empty text as the field's declared type. The rule is empty when it fits.
func (f *field) check(text string) (rule string, err error) {
	switch f.Type {
	case engine.TypeInteger:
		if !isInteger(text) {
			return engine.RuleType, errNotInteger
		}
	case engine.TypeNumber:
		if !isNumber(text) {
			return engine.RuleType, errNotNumber
		}
	case engine.TypeBoolean:
		if text != "true" && text != "false" {
			return engine.RuleType, errNotBoolean
		}
	case engine.TypeDate:
		if _, err := f.layout.Parse(text); err != nil {
			return engine.RuleDate, err
		}
	}
	if len(f.Enum) > 0 && !contains(f.Enum, text) {
		return engine.RuleEnum, errNotInEnum
	}
	return "", nil
}
