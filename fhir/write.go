package fhir

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON writes a document as FHIR JSON: its members in their order, numbers as they were read, no white space. Of a document that Check
// accepts the result is FHIR again; where a number is none it is written as a string, so that the result is always JSON.
func AppendJSON(dst []byte, d *Document) []byte { return appendNode(dst, d.root) }

// AppendJSON writes the node and what is in it as JSON.
func (n *Node) AppendJSON(dst []byte) []byte { return appendNode(dst, n) }

func appendNode(dst []byte, n *Node) []byte {
	switch n.kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		if n.text == "true" || n.text == "false" {
			return append(dst, n.text...)
		}
		return appendString(dst, n.text)
	case Number:
		if formDecimal(n.text) {
			return append(dst, n.text...)
		}
		return appendString(dst, n.text)
	case String:
		return appendString(dst, n.text)
	case Array:
		return appendItems(dst, n, '[', ']')
	}
	return appendItems(dst, n, '{', '}')
}

func appendItems(dst []byte, n *Node, open, end byte) []byte {
	dst = append(dst, open)
	for c := n.first; c != nil; c = c.next {
		if c != n.first {
			dst = append(dst, ',')
		}
		if n.kind == Object {
			dst = append(appendString(dst, c.name), ':')
		}
		dst = appendNode(dst, c)
	}
	return append(dst, end)
}

// appendString cannot fail but for bad UTF-8, which no reader lets in.
func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return strconv.AppendQuoteToASCII(dst, string([]rune(s)))
	}
	return out
}

// appendXMLText writes an attribute's value. White space other than the space is written as a reference, which keeps it.
func appendXMLText(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '"':
			dst = append(dst, "&quot;"...)
		case c < 0x20:
			dst = append(strconv.AppendInt(append(dst, "&#"...), int64(c), 10), ';')
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			dst = append(dst, s[i:i+size]...)
			i += size
			continue
		}
		i++
	}
	return dst
}
