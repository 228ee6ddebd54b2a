package cpis

import "strings"

// nsID is a namespace the messages know, or nsOther.
type nsID uint8

const (
	nsNone nsID = iota
	nsHL7
	nsLocal
	nsXSI
	nsXML
	nsOther
)

// binding is one prefix in scope; the empty prefix is the default namespace.
type binding struct {
	prefix, uri string
	ns          nsID
}

func namespaceID(uri string) nsID {
	switch uri {
	case "":
		return nsNone
	case NamespaceHL7:
		return nsHL7
	case NamespaceLocalisation:
		return nsLocal
	case namespaceXSI:
		return nsXSI
	case namespaceXML:
		return nsXML
	}
	return nsOther
}

func (s *scanner) lookup(prefix string) (binding, bool) {
	for i := len(s.binds) - 1; i >= 0; i-- {
		if s.binds[i].prefix == prefix {
			return s.binds[i], true
		}
	}
	if prefix == "xml" {
		return binding{prefix, namespaceXML, nsXML}, true
	}
	return binding{}, prefix == ""
}

func (s *scanner) space() bool {
	from := s.off
	for s.off < len(s.src) && isSpace(s.src[s.off]) {
		s.off++
	}
	return s.off > from
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.'
}

// name reads a qualified name: NCName, or NCName ':' NCName.
func (s *scanner) name() (string, *Fault) {
	from, colons := s.off, 0
	for first := true; s.off < len(s.src); s.off++ {
		c := s.src[s.off]
		switch {
		case first && isNameStart(c), !first && isNameByte(c):
			first = false
		case !first && c == ':' && colons == 0:
			colons, first = 1, true
		case first:
			return "", s.malformed("a name is not well-formed")
		default:
			return s.src[from:s.off], nil
		}
	}
	return "", s.malformed("the file ends inside a tag")
}

func splitName(qname string) (prefix, local string, prefixed bool) {
	if i := strings.IndexByte(qname, ':'); i >= 0 {
		return qname[:i], qname[i+1:], true
	}
	return "", qname, false
}

// attributes reads what stands between a tag's name and its '>' or '/', and
// leaves s.off there. Namespace declarations go to the binding stack.
func (s *scanner) attributes() *Fault {
	s.attrs = s.attrs[:0]
	for count := 0; ; count++ {
		spaced := s.space()
		if s.off >= len(s.src) {
			return s.malformed("the file ends inside a tag")
		}
		if c := s.src[s.off]; c == '>' || c == '/' {
			return nil
		}
		if !spaced {
			return s.malformed("white space is missing before an attribute")
		}
		if count >= s.limits.MaxAttributes {
			return s.fault(RuleLimitAttributes, s.off, "an element has more attributes than the limit")
		}
		if f := s.attribute(); f != nil {
			return f
		}
	}
}

func (s *scanner) attribute() *Fault {
	qname, f := s.name()
	if f != nil {
		return f
	}
	s.space()
	if s.off >= len(s.src) || s.src[s.off] != '=' {
		return s.malformed("an attribute has no value")
	}
	s.off++
	s.space()
	if s.off >= len(s.src) || s.src[s.off] != '"' && s.src[s.off] != '\'' {
		return s.malformed("an attribute value is not quoted")
	}
	from := s.off + 1
	n := strings.IndexByte(s.src[from:], s.src[s.off])
	if s.unclosed = n < 0; n < 0 {
		return s.malformed("an attribute value is not closed")
	}
	if n > s.limits.MaxValueBytes {
		return s.fault(RuleLimitValue, s.off, "an attribute value is longer than the limit")
	}
	value, f := s.unescape(s.src[from:from+n], from, true)
	if f != nil {
		return f
	}
	s.off = from + n + 1
	prefix, local, _ := splitName(qname)
	if prefix == "xmlns" || prefix == "" && local == "xmlns" {
		return s.declare(prefix, local, value)
	}
	s.attrs = append(s.attrs, rawAttr{prefix: prefix, local: local, value: value, start: from, end: from + n})
	return nil
}

func (s *scanner) declare(prefix, local, uri string) *Fault {
	name := local
	if prefix == "" {
		name = ""
	}
	bad := name == "xmlns" || uri == namespaceXMLNS || (name == "xml") != (uri == namespaceXML) || name != "" && uri == ""
	if bad {
		return s.malformed("a namespace declaration is not allowed")
	}
	for _, b := range s.binds[s.stack[len(s.stack)-1].bindings:] {
		if b.prefix == name {
			return s.malformed("a namespace prefix is declared twice on one element")
		}
	}
	s.binds = append(s.binds, binding{name, uri, namespaceID(uri)})
	return nil
}

// resolve gives the element and its attributes their namespaces, and refuses
// unbound prefixes and attributes given twice.
func (s *scanner) resolve(qname string, at int) *Fault {
	prefix, local, _ := splitName(qname)
	b, ok := s.lookup(prefix)
	if !ok {
		return s.fault(RuleWellFormed, at, "a namespace prefix is not declared")
	}
	s.local, s.ns = local, b.ns
	for i := range s.attrs {
		a := &s.attrs[i]
		if a.prefix != "" {
			b, ok := s.lookup(a.prefix)
			if !ok {
				return s.fault(RuleWellFormed, a.start, "a namespace prefix is not declared")
			}
			a.ns, a.uri = b.ns, b.uri
		}
		for _, earlier := range s.attrs[:i] {
			if earlier.local == a.local && earlier.uri == a.uri {
				return s.fault(RuleWellFormed, a.start, "an attribute is given twice")
			}
		}
	}
	return nil
}
