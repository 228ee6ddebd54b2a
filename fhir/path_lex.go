package fhir

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenText   // a string literal
	tokenNumber // a whole number
	tokenMark   // . ( ) [ ] | = != $this
)

type token struct {
	kind   tokenKind
	text   string
	offset int
	length int
	quoted bool // a name in backticks
}

func (t token) fault(text, suggest string) error {
	return &PathError{Offset: t.offset, Length: max(t.length, 1), Text: text, Suggest: suggest}
}

func (t token) is(mark string) bool { return t.kind == tokenMark && t.text == mark }

func (t token) word(w string) bool { return t.kind == tokenName && !t.quoted && t.text == w }

func lex(expr string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(expr); {
		if c := expr[i]; c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
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

func lexOne(expr string, i int) (token, error) {
	c := expr[i]
	switch {
	case isLetter(c):
		return run(tokenName, expr, i, func(c byte) bool { return isLetter(c) || isDigit(c) }), nil
	case isDigit(c):
		return run(tokenNumber, expr, i, isDigit), nil
	case c == '\'' || c == '`':
		return lexQuoted(expr, i)
	case strings.HasPrefix(expr[i:], "$this"):
		return token{kind: tokenMark, text: "$this", offset: i, length: 5}, nil
	case strings.HasPrefix(expr[i:], "!="):
		return token{kind: tokenMark, text: "!=", offset: i, length: 2}, nil
	case strings.IndexByte(".()[]|=", c) >= 0:
		return token{kind: tokenMark, text: string(c), offset: i, length: 1}, nil
	}
	_, size := utf8.DecodeRuneInString(expr[i:])
	return token{}, &PathError{Offset: i, Length: size, Text: "the character is not in the subset of FHIRPath"}
}

func run(kind tokenKind, expr string, i int, more func(byte) bool) token {
	end := i
	for end < len(expr) && more(expr[end]) {
		end++
	}
	return token{kind: kind, text: expr[i:end], offset: i, length: end - i}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// lexQuoted reads 'text' or `name` with FHIRPath's escapes.
func lexQuoted(expr string, start int) (token, error) {
	quote := expr[start]
	var b strings.Builder
	for i := start + 1; i < len(expr); i++ {
		switch c := expr[i]; c {
		case quote:
			t := token{kind: tokenText, text: b.String(), offset: start, length: i + 1 - start}
			if quote == '`' {
				t.kind, t.quoted = tokenName, true
			}
			return t, nil
		case '\\':
			text, size := unescape(expr[i+1:])
			if size == 0 {
				return token{}, &PathError{Offset: i, Length: 1, Text: "unknown escape in a literal"}
			}
			b.WriteString(text)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return token{}, &PathError{Offset: start, Length: len(expr) - start, Text: "the quote is not closed"}
}

// unescape reads what follows a backslash and says how many bytes that took; 0 for no escape of FHIRPath.
func unescape(s string) (text string, size int) {
	if s == "" {
		return "", 0
	}
	if i := strings.IndexByte("'\"`\\/nrtf", s[0]); i >= 0 {
		return "'\"`\\/\n\r\t\f"[i : i+1], 1
	}
	if s[0] == 'u' && len(s) >= 5 {
		if v, err := strconv.ParseUint(s[1:5], 16, 16); err == nil {
			return string(rune(v)), 5
		}
	}
	return "", 0
}
