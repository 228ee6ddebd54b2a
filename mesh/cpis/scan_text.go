package cpis

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// prolog checks the encoding of the whole file and reads the XML declaration.
func (s *scanner) prolog() *Fault {
	if s.refusal != nil && s.refusal.Rule == RuleLimitSize {
		return s.refusal
	}
	if len(s.src) > s.limits.MaxBytes {
		return s.fault(RuleLimitSize, 0, "the file is larger than the limit")
	}
	if strings.HasPrefix(s.src, "\xff\xfe") || strings.HasPrefix(s.src, "\xfe\xff") {
		return s.fault(RuleEncoding, 0, "the file is in UTF-16: UTF-8 is required")
	}
	if s.refusal != nil {
		return s.refusal
	}
	if !s.surveyed {
		if off, text := badCharacter(s.src); off >= 0 {
			return s.fault(RuleEncoding, off, text)
		}
	}
	if strings.HasPrefix(s.src, "\uFEFF") {
		s.off = len("\uFEFF")
	}
	if rest := s.src[s.off:]; strings.HasPrefix(rest, "<?xml") && len(rest) > 5 && isSpace(rest[5]) {
		return s.declaration()
	}
	return nil
}

// badCharacter finds the first byte that is not UTF-8 or not an XML character.
func badCharacter(src string) (int, string) {
	for i := 0; i < len(src); {
		for i < len(src) && src[i] >= 0x20 && src[i] < 0x80 {
			i++
		}
		if i == len(src) {
			break
		}
		c := src[i]
		if c == '\n' || c == '\r' || c == '\t' {
			i++
			continue
		}
		if c < 0x20 {
			return i, "a control character is not allowed in XML"
		}
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i, "the file is not in UTF-8"
		}
		if !xmlChar(r) {
			return i, "a character is not allowed in XML"
		}
		i += n
	}
	return -1, ""
}

// xmlChar is the Char production of XML 1.0.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// declaration reads <?xml version="1.0" encoding="…" standalone="…"?>.
func (s *scanner) declaration() *Fault {
	end := strings.Index(s.src[s.off:], "?>")
	if s.unclosed = end < 0; end < 0 {
		return s.malformed("the XML declaration is not closed")
	}
	rest := s.src[s.off+5 : s.off+end]
	for i, name := range []string{"version", "encoding", "standalone"} {
		value, after, ok := pseudoAttribute(rest, name)
		if !ok && i == 0 {
			return s.malformed("the XML declaration has no version")
		}
		if !ok {
			continue
		}
		if f := s.declared(name, value); f != nil {
			return f
		}
		rest = after
	}
	if !blank(rest) {
		return s.malformed("the XML declaration is not well-formed")
	}
	s.off += end + 2
	return nil
}

func (s *scanner) declared(name, value string) *Fault {
	switch name {
	case "version":
		if value != "1.0" {
			return s.malformed("the XML version is not 1.0")
		}
	case "encoding":
		if strings.EqualFold(value, "UTF-8") || strings.EqualFold(value, "US-ASCII") && s.isASCII() {
			return nil
		}
		return s.fault(RuleEncoding, s.off, "the declared encoding is not UTF-8")
	case "standalone":
		if value != "yes" && value != "no" {
			return s.malformed("standalone is neither yes nor no")
		}
	}
	return nil
}

func pseudoAttribute(in, name string) (value, rest string, ok bool) {
	t := strings.TrimLeft(in, " \t\r\n")
	if len(t) == len(in) || !strings.HasPrefix(t, name) {
		return "", in, false
	}
	t = strings.TrimLeft(t[len(name):], " \t\r\n")
	if !strings.HasPrefix(t, "=") {
		return "", in, false
	}
	t = strings.TrimLeft(t[1:], " \t\r\n")
	if t == "" || t[0] != '"' && t[0] != '\'' {
		return "", in, false
	}
	end := strings.IndexByte(t[1:], t[0])
	if end < 0 {
		return "", in, false
	}
	return t[1 : 1+end], t[end+2:], true
}

// isASCII looks at the whole file.
func (s *scanner) isASCII() bool {
	if s.surveyed {
		return s.ascii
	}
	return isASCII(s.src)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func blank(s string) bool {
	for i := range len(s) {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}

// normalLines turns the line ends of the wire into the one that XML has.
func normalLines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// unescape replaces entities and normalises line ends, and in an attribute
// white space too. at is the offset of raw.
func (s *scanner) unescape(raw string, at int, attr bool) (string, *Fault) {
	special := -1
	for i := range len(raw) {
		if c := raw[i]; c == '&' || c == '<' || c == '\r' || c == ']' || attr && (c == '\n' || c == '\t') {
			special = i
			break
		}
	}
	if special < 0 {
		return raw, nil
	}
	if attr && strings.IndexByte(raw, '<') >= 0 {
		return "", s.fault(RuleWellFormed, at, "an attribute value holds a '<'")
	}
	if !attr && strings.Contains(raw[special:], "]]>") {
		return "", s.fault(RuleWellFormed, at, "a text holds ']]>'")
	}
	return s.rewrite(raw, at, attr)
}

func (s *scanner) rewrite(raw string, at int, attr bool) (string, *Fault) {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '&':
			r, n := entity(raw[i:])
			if n == 0 {
				return "", s.fault(RuleWellFormed, at+i, "an entity is not one of the five of XML, nor a character")
			}
			b.WriteRune(r)
			i += n - 1
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			b.WriteByte(newline(attr))
		case attr && (c == '\n' || c == '\t'):
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func newline(attr bool) byte {
	if attr {
		return ' '
	}
	return '\n'
}

// entity decodes the reference at the start of s; n is its length, 0 if bad.
func entity(s string) (r rune, n int) {
	end := strings.IndexByte(s, ';')
	if end < 0 || end > 12 {
		return 0, 0
	}
	switch name := s[1:end]; name {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		return characterReference(name, end+1)
	}
}

func characterReference(name string, length int) (rune, int) {
	if len(name) < 2 || name[0] != '#' {
		return 0, 0
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !xmlChar(rune(v)) || v > 0x10FFFF {
		return 0, 0
	}
	return rune(v), length
}
