package cpis

import (
	"fmt"
	"strconv"
	"strings"
)

// SelectorError says why a selector does not compile, and where.
type SelectorError struct {
	Offset int // byte offset in the expression
	Text   string
}

// Error gives offset and reason.
func (e *SelectorError) Error() string {
	return fmt.Sprintf("cpis: selector: offset %d: %s", e.Offset, e.Text)
}

// maxSelector bounds an expression; maxPredicates those of one step.
const (
	maxSelector   = 4096
	maxPredicates = 4
)

// CompileSelector compiles a path; see [Selector] for the grammar. Its error is
// a *[SelectorError].
func CompileSelector(expr string) (*Selector, error) {
	p := &selectorParser{src: expr}
	if len(expr) > maxSelector {
		return nil, &SelectorError{maxSelector, "the selector is too long"}
	}
	s := &Selector{expr: expr}
	for {
		b, err := p.branch()
		if err != nil {
			return nil, err
		}
		s.branches = append(s.branches, *b)
		s.repeats = s.repeats || len(s.branches) > 1 || b.deepSteps() > 1
		if !p.accept("|") {
			break
		}
	}
	if p.off < len(expr) {
		return nil, p.errorf(p.off, "unexpected %q", expr[p.off:p.off+1])
	}
	return s, nil
}

func (b *branch) deepSteps() int {
	n := 0
	for i := range b.steps {
		if b.steps[i].deep {
			n++
		}
	}
	return n
}

type selectorParser struct {
	src string
	off int
	at  []*node // where in the model the path has come to
}

func (p *selectorParser) errorf(off int, format string, args ...any) *SelectorError {
	return &SelectorError{off, fmt.Sprintf(format, args...)}
}

func (p *selectorParser) space() {
	for p.off < len(p.src) && isSpace(p.src[p.off]) {
		p.off++
	}
}

func (p *selectorParser) accept(token string) bool {
	p.space()
	if strings.HasPrefix(p.src[p.off:], token) {
		p.off += len(token)
		return true
	}
	return false
}

func (p *selectorParser) branch() (*branch, error) {
	p.space()
	from := p.off
	b := &branch{}
	deep, err := p.anchor(b)
	if err != nil {
		return nil, err
	}
	for {
		end, err := p.last(b, deep)
		if err != nil {
			return nil, err
		}
		if end {
			break
		}
		st, err := p.step(deep)
		if err != nil {
			return nil, err
		}
		b.steps = append(b.steps, *st)
		if deep = p.accept("//"); !deep && !p.accept("/") {
			break
		}
	}
	b.path = strings.TrimSpace(p.src[from:p.off])
	return b, nil
}

// anchor reads what a path starts with and says whether .// follows.
func (p *selectorParser) anchor(b *branch) (deep bool, err error) {
	at := p.off
	switch {
	case p.accept("//"):
		return false, p.errorf(at, "a path may not start with //; use .// or /File//")
	case p.accept("/"):
		b.header = true
		p.at = []*node{upload.header}
		nameAt := p.off
		if name := p.name(); name != upload.header.name {
			return false, p.errorf(nameAt, "an absolute path starts with /File%s", suggest(name, []string{"File"}))
		}
		if deep = p.accept("//"); !deep && !p.accept("/") {
			return false, p.errorf(p.off, "a step is missing after /File")
		}
		return deep, nil
	}
	p.at = []*node{upload.record}
	if p.accept(".//") {
		return true, nil
	}
	p.accept("./")
	return false, nil
}

// last reads @attr or text(), which end a path.
func (p *selectorParser) last(b *branch, deep bool) (bool, error) {
	at := p.off
	switch {
	case p.accept("@"):
		name, err := p.attribute(deep)
		b.attr = name
		return true, err
	case p.accept("text()"):
		if deep {
			return false, p.errorf(at, "name the element whose text is meant")
		}
		if !hasText(p.at) {
			return false, p.errorf(at, "no element at this place holds text")
		}
		b.text = true
		return true, nil
	}
	return false, nil
}

func (p *selectorParser) attribute(deep bool) (string, error) {
	at := p.off
	name := p.qname()
	if name == "" {
		return "", p.errorf(at, "an attribute name is missing after @")
	}
	if deep {
		return "", p.errorf(at, "name the element whose attribute is meant")
	}
	if names := attrNames(p.at); !contains(names, name) {
		return "", p.errorf(at, "no element at this place may have the attribute %s%s", name, suggest(name, names))
	}
	return name, nil
}

func (p *selectorParser) step(deep bool) (*step, error) {
	p.space()
	at := p.off
	st := &step{deep: deep}
	if p.accept("*") {
		st.name = "*"
	} else if st.name = p.name(); st.name == "" {
		return nil, p.errorf(at, "an element name is missing")
	}
	to := st.places(p.at)
	if len(to) == 0 {
		if st.name == "record" && p.at[0] == upload.header {
			return nil, p.errorf(at, "an absolute path reads the header; a record's paths start inside <record>")
		}
		return nil, p.errorf(at, "%s can not occur at this place%s", st.name, suggest(st.name, st.reachable(p.at)))
	}
	p.at = to
	for p.accept("[") {
		if len(st.predicates) == maxPredicates {
			return nil, p.errorf(p.off-1, "a step may have %d predicates at most", maxPredicates)
		}
		pr, err := p.predicate()
		if err != nil {
			return nil, err
		}
		st.predicates = append(st.predicates, *pr)
	}
	return st, nil
}

func (p *selectorParser) predicate() (*predicate, error) {
	pr := &predicate{}
	p.space()
	at := p.off
	if p.accept("@") {
		name, err := p.attribute(false)
		if err != nil {
			return nil, err
		}
		pr.attr = name
		if !p.accept("=") {
			return nil, p.errorf(p.off, "'=' is missing in a predicate")
		}
		if pr.value, err = p.literal(); err != nil {
			return nil, err
		}
	} else {
		for p.off < len(p.src) && p.src[p.off] >= '0' && p.src[p.off] <= '9' {
			p.off++
		}
		n, err := strconv.Atoi(p.src[at:p.off])
		if err != nil || n < 1 {
			return nil, p.errorf(at, "a predicate is [n] with n from 1, or [@name='value']")
		}
		pr.position = n
	}
	if !p.accept("]") {
		return nil, p.errorf(p.off, "']' is missing")
	}
	return pr, nil
}

func (p *selectorParser) literal() (string, error) {
	p.space()
	at := p.off
	if at >= len(p.src) || p.src[at] != '\'' && p.src[at] != '"' {
		return "", p.errorf(at, "a quoted value is missing")
	}
	n := strings.IndexByte(p.src[at+1:], p.src[at])
	if n < 0 {
		return "", p.errorf(at, "a quoted value is not closed")
	}
	p.off = at + n + 2
	return p.src[at+1 : at+1+n], nil
}

// name reads an element name; the usual prefix of the localisation namespace
// may stand before it.
func (p *selectorParser) name() string {
	name := p.qname()
	return strings.TrimPrefix(strings.TrimPrefix(name, "npfitlc:"), "hl7:")
}

func (p *selectorParser) qname() string {
	from := p.off
	for p.off < len(p.src) && (isNameByte(p.src[p.off]) || p.src[p.off] == ':' && p.off > from) {
		p.off++
	}
	return p.src[from:p.off]
}
