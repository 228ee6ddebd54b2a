package chars

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Text is a whole message in UTF-8 that still knows where each of its bytes stood in the message.
type Text struct {
	*Index
	String string
	Bad    []int // offsets in String of the characters that could not be read; each is U+FFFD there
	shift  []int // after each of them: how many bytes String is ahead of the message
	single bool  // one byte a character
	lead   int   // bytes of a mark that was left out
}

// Decode reads a message in an encoding of one byte a character, or in UTF-8. UTF-16 is not read here.
func (c Charset) Decode(body []byte) *Text {
	s := string(body)
	t := &Text{single: c.Table != nil}
	if !t.single && strings.HasPrefix(s, "\ufeff") {
		s, t.lead = s[3:], 3
	}
	if t.String = s; c.BadAt(s) >= 0 || t.single && !IsASCII(s) {
		t.rewrite(c, s)
	}
	t.Index = NewIndex(t.String)
	return t
}

func (t *Text) rewrite(c Charset, s string) {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	ahead := 0
	note := func(r rune, width int) {
		if !legible(r) {
			ahead += len("\ufffd") - width
			t.Bad, t.shift = append(t.Bad, b.Len()), append(t.shift, ahead)
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	for i := 0; i < len(s); {
		r, width := rune(0), 1
		if c.Table != nil {
			r = c.Table[s[i]]
		} else {
			r, width = utf8.DecodeRuneInString(s[i:])
		}
		note(r, width)
		i += width
	}
	t.String = b.String()
}

// Raw returns the offset in the message of an offset in String.
func (t *Text) Raw(offset int) int64 {
	if t.single {
		return int64(t.Characters(offset))
	}
	if n := sort.SearchInts(t.Bad, offset); n > 0 {
		offset -= t.shift[n-1]
	}
	return int64(offset + t.lead)
}

// BadIn returns the first unreadable character within [start, end), or -1.
func (t *Text) BadIn(start, end int) int {
	if n := sort.SearchInts(t.Bad, start); n < len(t.Bad) && t.Bad[n] < end {
		return t.Bad[n]
	}
	return -1
}
