// Package chars turns the bytes of a message into characters, and byte offsets into lines and columns, for every format whose messages are text.
package chars

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Charset is a declared encoding. Exactly one of three forms: UTF-8 (both nil), one byte a character (table), or two (wide).
type Charset struct {
	Name  string             // IANA name, in small letters
	Table *[256]rune         // what each byte stands for; nil for UTF-8 and UTF-16
	IsTwo bool               // UTF-16
	Wide  unicode.BOMPolicy  // of UTF-16
	Order unicode.Endianness // of UTF-16 without a mark
}

// Encodings lists the encodings that a schema can declare, by their IANA names.
func Encodings() []string {
	return []string{"utf-8", "us-ascii", "windows-1252", "iso-8859-1", "iso-8859-15", "ibm850", "utf-16", "utf-16le", "utf-16be"}
}

// NewCharset finds an encoding by its IANA name; empty is UTF-8.
func NewCharset(name string) (Charset, bool) {
	c := Charset{Name: strings.ToLower(name)}
	switch c.Name {
	case "", "utf-8":
		c.Name = "utf-8"
	case "us-ascii":
		c.Table = asciiTable()
	case "windows-1252":
		c.Table = tableOf(charmap.Windows1252)
	case "iso-8859-1":
		c.Table = tableOf(charmap.ISO8859_1)
	case "iso-8859-15":
		c.Table = tableOf(charmap.ISO8859_15)
	case "ibm850":
		c.Table = tableOf(charmap.CodePage850)
	case "utf-16":
		c.IsTwo, c.Wide = true, unicode.ExpectBOM
	case "utf-16le":
		c.IsTwo, c.Wide, c.Order = true, unicode.IgnoreBOM, unicode.LittleEndian
	case "utf-16be":
		c.IsTwo, c.Wide, c.Order = true, unicode.IgnoreBOM, unicode.BigEndian
	default:
		return c, false
	}
	return c, true
}

// tableOf lists what each byte stands for. The undefined bytes of windows-1252 (81 8D 8F 90 9D) come out of the library as the C1
// controls of the same number; legible makes those, and the C1 controls of ISO 8859, illegible alike.
func tableOf(c *charmap.Charmap) *[256]rune {
	var t [256]rune
	for i := range t {
		t[i] = c.DecodeByte(byte(i))
	}
	return &t
}

func asciiTable() *[256]rune {
	var t [256]rune
	for i := range t {
		t[i] = rune(i)
		if i >= utf8.RuneSelf {
			t[i] = utf8.RuneError
		}
	}
	return &t
}

// legible reports whether a decoded character can stand in a file of text. NUL is the mark of UTF-16 under another name, a C1 control
// that of windows-1252 under the name ISO 8859-1, and U+FFFD that of a character which was lost before the file reached us.
func legible(r rune) bool {
	return r != 0 && r != utf8.RuneError && (r < 0x80 || r > 0x9F)
}

// BadAt returns the offset of the first illegible character of s, or -1.
func (c Charset) BadAt(s string) int {
	if c.Table == nil {
		for i, r := range s {
			if !legible(r) {
				return i
			}
		}
		return -1
	}
	for i := range len(s) {
		if !legible(c.Table[s[i]]) {
			return i
		}
	}
	return -1
}

// Text returns a cell's bytes as UTF-8. It copies only where a character is outside ASCII.
func (c Charset) Text(s string) string {
	if c.Table == nil || IsASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		b.WriteRune(c.Table[s[i]])
	}
	return b.String()
}

// WidthUTF16 is the number of bytes that s takes in UTF-16.
func WidthUTF16(s string) int {
	n := 0
	for _, r := range s {
		n += 2
		if r > 0xFFFF {
			n += 2
		}
	}
	return n
}
