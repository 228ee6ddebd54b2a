package csv

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// charset is a declared encoding. Exactly one of three forms: UTF-8 (both nil), one byte a character (table), or two (wide).
type charset struct {
	name  string
	table *[256]rune
	wide  unicode.BOMPolicy
	order unicode.Endianness
	isTwo bool
}

// Encodings lists the encodings that a schema can declare, by their IANA names.
func Encodings() []string {
	return []string{"utf-8", "us-ascii", "windows-1252", "iso-8859-1", "iso-8859-15", "ibm850", "utf-16", "utf-16le", "utf-16be"}
}

func newCharset(name string) (charset, bool) {
	c := charset{name: strings.ToLower(name)}
	switch c.name {
	case "", "utf-8":
		c.name = "utf-8"
	case "us-ascii":
		c.table = asciiTable()
	case "windows-1252":
		c.table = tableOf(charmap.Windows1252)
	case "iso-8859-1":
		c.table = tableOf(charmap.ISO8859_1)
	case "iso-8859-15":
		c.table = tableOf(charmap.ISO8859_15)
	case "ibm850":
		c.table = tableOf(charmap.CodePage850)
	case "utf-16":
		c.isTwo, c.wide = true, unicode.ExpectBOM
	case "utf-16le":
		c.isTwo, c.wide, c.order = true, unicode.IgnoreBOM, unicode.LittleEndian
	case "utf-16be":
		c.isTwo, c.wide, c.order = true, unicode.IgnoreBOM, unicode.BigEndian
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

// badAt returns the offset of the first illegible character of s, or -1.
func (c charset) badAt(s string) int {
	if c.table == nil {
		for i, r := range s {
			if !legible(r) {
				return i
			}
		}
		return -1
	}
	for i := range len(s) {
		if !legible(c.table[s[i]]) {
			return i
		}
	}
	return -1
}

// text returns a cell's bytes as UTF-8. It copies only where a character is outside ASCII.
func (c charset) text(s string) string {
	if c.table == nil || isASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		b.WriteRune(c.table[s[i]])
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// widthUTF16 is the number of bytes that s takes in UTF-16.
func widthUTF16(s string) int {
	n := 0
	for _, r := range s {
		n += 2
		if r > 0xFFFF {
			n += 2
		}
	}
	return n
}
