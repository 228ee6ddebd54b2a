package fhirpath

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenText     // a string literal
	tokenNumber   // 1 or 1.5
	tokenDate     // @2015-02-04, with or without a time; text without the @
	tokenTime     // @T14:34; text without the @T
	tokenVariable // %name; text without the %
	tokenSpecial  // $this, $index, $total
	tokenMark     // an operator or bracket
)

type token struct {
	kind   tokenKind
	text   string
	offset int
	length int
	quoted bool // a name in backticks
}

func (t token) is(mark string) bool { return t.kind == tokenMark && t.text == mark }

func (t token) word(w string) bool { return t.kind == tokenName && !t.quoted && t.text == w }

func (t token) fault(kind Kind, text string) *Error {
	return &Error{Kind: kind, Offset: t.offset, Length: max(t.length, 1), Text: text}
}

// lex cuts an expression into tokens. White space and comments are left out.
func lex(expr string) ([]token, *Error) {
	if i := invalidUTF8(expr); i >= 0 {
		return nil, &Error{Kind: Syntax, Offset: i, Length: 1, Text: "the expression is not valid UTF-8"}
	}
	tokens := make([]token, 0, len(expr)/4+2)
	for i := 0; i < len(expr); {
		skip, err := space(expr, i)
		if err != nil {
			return nil, err
		}
		if skip > 0 {
			i += skip
			continue
		}
		t, err := lexOne(expr, i)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		i += t.length
	}
	return append(tokens, token{kind: tokenEnd, offset: len(expr)}), nil
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// space returns how many bytes of white space or comment start at i.
func space(expr string, i int) (int, *Error) {
	switch c := expr[i]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		return 1, nil
	case strings.HasPrefix(expr[i:], "//"):
		if end := strings.IndexByte(expr[i:], '\n'); end >= 0 {
			return end, nil
		}
		return len(expr) - i, nil
	case strings.HasPrefix(expr[i:], "/*"):
		end := strings.Index(expr[i+2:], "*/")
		if end < 0 {
			return 0, &Error{Kind: Syntax, Offset: i, Length: len(expr) - i, Text: "the comment is not closed with */"}
		}
		return end + 4, nil
	}
	return 0, nil
}

func lexOne(expr string, i int) (token, *Error) {
	c, rest := expr[i], expr[i:]
	switch {
	case isLetter(c):
		end := span(rest, func(c byte) bool { return isLetter(c) || isDigit(c) })
		return token{kind: tokenName, text: rest[:end], offset: i, length: end}, nil
	case isDigit(c):
		return lexNumber(rest, i), nil
	case c == '\'' || c == '`' || c == '"':
		return lexQuoted(expr, i)
	case c == '@':
		return lexTemporal(rest, i)
	case c == '%':
		return lexVariable(expr, i)
	case c == '$':
		end := 1 + span(rest[1:], isLetter)
		switch rest[:end] {
		case "$this", "$index", "$total":
			return token{kind: tokenSpecial, text: rest[:end], offset: i, length: end}, nil
		}
		return token{}, &Error{Kind: Unknown, Offset: i, Length: end, Text: "FHIRPath has $this, $index and $total"}
	}
	for _, mark := range []string{"!=", "!~", "<=", ">="} {
		if strings.HasPrefix(rest, mark) {
			return token{kind: tokenMark, text: mark, offset: i, length: 2}, nil
		}
	}
	if strings.IndexByte(".,()[]{}|=~<>+-*/&", c) >= 0 {
		return token{kind: tokenMark, text: rest[:1], offset: i, length: 1}, nil
	}
	_, size := utf8.DecodeRuneInString(rest)
	return token{}, &Error{Kind: Syntax, Offset: i, Length: size, Text: "the character has no meaning in FHIRPath"}
}

// span counts the leading bytes that belong.
func span(s string, belongs func(byte) bool) int {
	end := 0
	for end < len(s) && belongs(s[end]) {
		end++
	}
	return end
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func lexNumber(rest string, i int) token {
	end := span(rest, isDigit)
	if end+1 < len(rest) && rest[end] == '.' && isDigit(rest[end+1]) {
		end += 1 + span(rest[end+1:], isDigit)
	}
	return token{kind: tokenNumber, text: rest[:end], offset: i, length: end}
}

// lexTemporal reads @date, @dateTime and @Ttime. That the parts are in range is checked by the parser.
func lexTemporal(rest string, i int) (token, *Error) {
	isTime := func(c byte) bool { return isDigit(c) || c == ':' }
	if strings.HasPrefix(rest, "@T") {
		end := 2 + fraction(rest[2:], span(rest[2:], isTime))
		t := token{kind: tokenTime, text: rest[2:end], offset: i, length: end}
		if end < len(rest) && (rest[end] == 'Z' || rest[end] == '+') {
			return t, t.fault(Syntax, "a time has no time zone")
		}
		return t, nil
	}
	end := 1 + span(rest[1:], func(c byte) bool { return isDigit(c) || c == '-' })
	for rest[end-1] == '-' {
		end--
	}
	if end < len(rest) && rest[end] == 'T' {
		end++
		end += fraction(rest[end:], span(rest[end:], isTime))
		end += zone(rest[end:])
	}
	return token{kind: tokenDate, text: rest[1:end], offset: i, length: end}, nil
}

// fraction extends a time that ends at end by its fraction of a second.
func fraction(s string, end int) int {
	if end+1 < len(s) && s[end] == '.' && isDigit(s[end+1]) && strings.Count(s[:end], ":") == 2 {
		return end + 1 + span(s[end+1:], isDigit)
	}
	return end
}

// zone returns the length of the time zone at the start of s: Z, +hh:mm or -hh:mm.
func zone(s string) int {
	switch {
	case strings.HasPrefix(s, "Z"):
		return 1
	case len(s) >= 6 && (s[0] == '+' || s[0] == '-') && isDigit(s[1]) && isDigit(s[2]) && s[3] == ':' && isDigit(s[4]) && isDigit(s[5]):
		return 6
	}
	return 0
}

func lexVariable(expr string, i int) (token, *Error) {
	if i+1 < len(expr) {
		switch c := expr[i+1]; {
		case c == '`' || c == '\'':
			t, err := lexQuoted(expr, i+1)
			t.kind, t.offset, t.length = tokenVariable, i, t.length+1
			return t, err
		case isLetter(c):
			end := 1 + span(expr[i+1:], func(c byte) bool { return isLetter(c) || isDigit(c) })
			return token{kind: tokenVariable, text: expr[i+1 : i+end], offset: i, length: end}, nil
		}
	}
	return token{}, &Error{Kind: Syntax, Offset: i, Length: 1, Text: "expected the name of a variable after %"}
}

// lexQuoted reads 'text', `name` or the older "name" with FHIRPath's escapes.
func lexQuoted(expr string, start int) (token, *Error) {
	quote := expr[start]
	var b strings.Builder
	for i := start + 1; i < len(expr); i++ {
		switch c := expr[i]; c {
		case quote:
			t := token{kind: tokenText, text: b.String(), offset: start, length: i + 1 - start}
			if quote != '\'' {
				t.kind, t.quoted = tokenName, true
			}
			return t, nil
		case '\\':
			text, size := unescape(expr[i+1:])
			if size == 0 {
				return token{}, &Error{Kind: Syntax, Offset: i, Length: 1, Text: "unknown escape in a literal"}
			}
			b.WriteString(text)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return token{}, &Error{Kind: Syntax, Offset: start, Length: len(expr) - start, Text: "the quote is not closed"}
}

// unescape reads what follows a backslash and says how many bytes that took; 0 for no escape of FHIRPath.
func unescape(s string) (text string, size int) {
	if s == "" {
		return "", 0
	}
	if i := strings.IndexByte("'\"`\\/nrtf", s[0]); i >= 0 {
		return "'\"`\\/\n\r\t\f"[i : i+1], 1
	}
	v, ok := codeUnit(s)
	if !ok {
		return "", 0
	}
	if utf16.IsSurrogate(rune(v)) {
		low, ok := uint16(0), false
		if len(s) > 6 && s[5] == '\\' {
			low, ok = codeUnit(s[6:])
		}
		r := utf16.DecodeRune(rune(v), rune(low))
		if !ok || r == utf8.RuneError {
			return "", 0
		}
		return string(r), 11
	}
	return string(rune(v)), 5
}

func codeUnit(s string) (uint16, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s[1:5], 16, 16)
	return uint16(v), err == nil
}
