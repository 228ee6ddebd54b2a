package json

import (
	"strconv"
	"strings"

	"signalbox/engine"
)

// path is a JSONPath of RFC 9535 without descendants, slices and functions: names, indexes, wildcards and filters of one comparison.
// A path that begins with $ starts at the document's root, any other at the record.
type path struct {
	absolute bool
	steps    []step
}

type stepKind byte

const (
	byName stepKind = iota
	byIndex
	byWildcard
	byFilter
)

// step is one segment of a path.
type step struct {
	kind           stepKind
	offset, length int // of the name within the expression
	name           string
	index          int
	filter         *filter
}

// filter is [?@.a.b=='text']: the child has a value there and it compares.
type filter struct {
	path     path
	operator string // "==", "!=", or empty: it exists
	literal  string // text as the value's own text would be
}

// last is the offset of the path's last step.
func (p path) last() int {
	if len(p.steps) == 0 {
		return 0
	}
	return p.steps[len(p.steps)-1].offset
}

// singular reports whether every step finds one value at most (RFC 9535, section 2.3.5.1, "singular query").
func (p path) singular() bool {
	for _, s := range p.steps {
		if s.kind == byWildcard || s.kind == byFilter {
			return false
		}
	}
	return true
}

// find calls do for every value that the path finds below start, in document order.
func (p path) find(start *value, do func(*value)) { walk(start, p.steps, do) }

func walk(v *value, steps []step, do func(*value)) {
	if v == nil {
		return
	}
	if len(steps) == 0 {
		do(v)
		return
	}
	s, rest := &steps[0], steps[1:]
	switch s.kind {
	case byName:
		if v.kind == object {
			walk(v.member(s.name), rest, do)
		}
	case byIndex:
		i := s.index
		if i < 0 {
			i += len(v.items)
		}
		if v.kind == array && i >= 0 && i < len(v.items) {
			walk(v.items[i], rest, do)
		}
	default:
		if v.kind != array {
			return // the names of an object's members may be data
		}
		for _, item := range v.items {
			if s.kind == byWildcard || s.filter.accepts(item) {
				walk(item, rest, do)
			}
		}
	}
}

func (f *filter) accepts(v *value) bool {
	found, equal := false, false
	f.path.find(v, func(at *value) {
		found = true
		equal = equal || at.kind != object && at.kind != array && at.text == f.literal
	})
	switch f.operator {
	case "==":
		return equal
	case "!=":
		return !equal
	}
	return found
}

// parser reads a path.
type parser struct {
	text string
	pos  int
}

func parse(expr string) (path, error) {
	p := parser{text: expr}
	var out path
	switch {
	case strings.HasPrefix(expr, "$"):
		out.absolute = true
		p.pos = 1
	case strings.HasPrefix(expr, "@"):
		p.pos = 1
	case expr == "" || expr[0] != '[' && !isNameStart(expr[0]):
		return out, p.fail(0, "a path begins with $, @, [ or a name")
	case expr[0] != '[':
		s, err := p.name()
		if err != nil {
			return out, err
		}
		out.steps = append(out.steps, s)
	}
	steps, err := p.steps(func(byte) bool { return false })
	out.steps = append(out.steps, steps...)
	return out, err
}

func (p *parser) fail(at int, text string) error {
	return &engine.CompileError{Offset: min(at, len(p.text)), Length: 1, Text: text}
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// steps reads segments until the text ends or until end accepts the next byte.
func (p *parser) steps(end func(byte) bool) ([]step, error) {
	var out []step
	for p.pos < len(p.text) && !end(p.text[p.pos]) {
		var s step
		var err error
		switch {
		case strings.HasPrefix(p.text[p.pos:], ".."):
			return nil, p.fail(p.pos, "descendants (..) are not read here: write the whole path, so that it can be checked")
		case strings.HasPrefix(p.text[p.pos:], ".*"):
			s = step{kind: byWildcard, offset: p.pos + 1, length: 1}
			p.pos += 2
		case p.text[p.pos] == '.':
			p.pos++
			s, err = p.name()
		case p.text[p.pos] == '[':
			s, err = p.bracket()
		default:
			err = p.fail(p.pos, "here belongs . or [")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *parser) name() (step, error) {
	start := p.pos
	if start >= len(p.text) || !isNameStart(p.text[start]) {
		return step{}, p.fail(start, "here belongs a name; one with other characters is written ['like this']")
	}
	for p.pos < len(p.text) && (isNameStart(p.text[p.pos]) || p.text[p.pos] >= '0' && p.text[p.pos] <= '9') {
		p.pos++
	}
	return step{kind: byName, offset: start, length: p.pos - start, name: p.text[start:p.pos]}, nil
}

// bracket reads [*], [0], ['name'] or [?filter].
func (p *parser) bracket() (step, error) {
	open := p.pos
	p.pos++
	s := step{offset: p.pos}
	switch rest := p.text[p.pos:]; {
	case strings.HasPrefix(rest, "*"):
		s.kind = byWildcard
		p.pos++
	case strings.HasPrefix(rest, "'"), strings.HasPrefix(rest, `"`):
		name, err := p.quoted()
		if err != nil {
			return s, err
		}
		s.kind, s.name = byName, name
	case strings.HasPrefix(rest, "?"):
		p.pos++
		f, err := p.filter()
		if err != nil {
			return s, err
		}
		s.kind, s.filter = byFilter, f
	default:
		digits := rest[:max(strings.IndexByte(rest, ']'), 0)]
		n, err := strconv.Atoi(digits)
		if err != nil || digits[0] == '+' || strconv.Itoa(n) != digits {
			return s, p.fail(p.pos, "in brackets belongs *, an index, a name in quotes or a filter that begins with ?")
		}
		s.kind, s.index = byIndex, n
		p.pos += len(digits)
	}
	s.length = p.pos - s.offset
	if p.pos >= len(p.text) || p.text[p.pos] != ']' {
		return s, p.fail(open, "the bracket is not closed")
	}
	p.pos++
	return s, nil
}

// quoted reads a name or literal in quotes. It has no escapes: the other kind of quote serves.
func (p *parser) quoted() (string, error) {
	quote := p.text[p.pos]
	n := strings.IndexByte(p.text[p.pos+1:], quote)
	if n < 0 {
		return "", p.fail(p.pos, "the quote is not closed")
	}
	inner := p.text[p.pos+1 : p.pos+1+n]
	if strings.IndexByte(inner, '\\') >= 0 {
		return "", p.fail(p.pos, "a backslash is not read here")
	}
	p.pos += n + 2
	return inner, nil
}

// filter reads @.a.b=='text', also in round brackets, after the question mark.
func (p *parser) filter() (*filter, error) {
	p.space()
	round := p.pos < len(p.text) && p.text[p.pos] == '('
	if round {
		p.pos++
		p.space()
	}
	if p.pos >= len(p.text) || p.text[p.pos] != '@' {
		return nil, p.fail(p.pos, "a filter begins with @")
	}
	p.pos++
	f := &filter{}
	steps, err := p.steps(func(c byte) bool { return c == ' ' || c == '=' || c == '!' || c == ']' || c == ')' })
	if err != nil {
		return nil, err
	}
	f.path.steps = steps
	p.space()
	for _, op := range []string{"==", "!="} {
		if strings.HasPrefix(p.text[p.pos:], op) {
			f.operator = op
			p.pos += len(op)
			p.space()
			if f.literal, err = p.literal(); err != nil {
				return nil, err
			}
		}
	}
	p.space()
	if round {
		if p.pos >= len(p.text) || p.text[p.pos] != ')' {
			return nil, p.fail(p.pos, "the round bracket is not closed")
		}
		p.pos++
	}
	return f, nil
}

func (p *parser) literal() (string, error) {
	if p.pos < len(p.text) && (p.text[p.pos] == '\'' || p.text[p.pos] == '"') {
		return p.quoted()
	}
	start := p.pos
	for p.pos < len(p.text) && strings.IndexByte(" ])", p.text[p.pos]) < 0 {
		p.pos++
	}
	word := p.text[start:p.pos]
	if _, err := strconv.ParseFloat(word, 64); err != nil && word != "true" && word != "false" {
		return "", p.fail(start, "a filter compares with a text in quotes, a number, true or false")
	}
	return word, nil
}

func (p *parser) space() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}
