package chars

import (
	"sort"
	"unicode/utf8"
)

// stride is how many bytes lie between two counted places of an Index.
const stride = 1 << 10

// Index finds line and column of a byte offset in a text, whatever the length of its lines. It does not change after NewIndex.
type Index struct {
	text  string
	ascii bool
	lines []int // offset at which each line begins
	runes []int // characters before each multiple of stride; nil for ASCII
}

// NewIndex reads through the text once. A line ends with LF, CR LF, or a CR alone, which is how HL7 v2 ends its segments.
func NewIndex(text string) *Index {
	x := &Index{text: text, ascii: IsASCII(text), lines: []int{0}}
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			x.lines = append(x.lines, i+1)
		}
	}
	if x.ascii {
		return x
	}
	count := 0
	for i := range text {
		for i >= len(x.runes)*stride {
			x.runes = append(x.runes, count)
		}
		count++
	}
	return x
}

// Place returns the line and the column in characters, both from 1, of a byte offset.
func (x *Index) Place(offset int) (line, column int) {
	offset = max(0, min(offset, len(x.text)))
	line = sort.SearchInts(x.lines, offset+1)
	start := x.lines[line-1]
	if x.ascii {
		return line, offset - start + 1
	}
	return line, x.Characters(offset) - x.Characters(start) + 1
}

// Characters counts the characters before a byte offset.
func (x *Index) Characters(offset int) int {
	if x.ascii {
		return offset
	}
	block := min(offset/stride, len(x.runes)-1)
	from := block * stride
	for from < offset && !utf8.RuneStart(x.text[from]) {
		from++ // the character that lies across the block's edge was counted before it
	}
	return x.runes[block] + utf8.RuneCountInString(x.text[from:max(from, offset)])
}

// IsASCII reports whether a text has no byte above 127.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
