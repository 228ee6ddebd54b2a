package chars

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestIndex holds every offset of random texts against counting by hand.
func TestIndex(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "é", "’", "😀", "\n", "\r\n", "\r", strings.Repeat("x", 700), strings.Repeat("ß", 500)})
	rapid.Check(t, func(rt *rapid.T) {
		s := strings.Join(rapid.SliceOf(piece).Draw(rt, "pieces"), "")
		x := NewIndex(s)
		line, start := 1, 0
		for i := range s {
			if gotLine, gotColumn := x.Place(i); gotLine != line || gotColumn != utf8.RuneCountInString(s[start:i])+1 {
				rt.Fatalf("offset %d of %d: %d:%d", i, len(s), gotLine, gotColumn)
			}
			if x.Characters(i) != utf8.RuneCountInString(s[:i]) {
				rt.Fatalf("offset %d: %d characters", i, x.Characters(i))
			}
			if s[i] == '\n' || s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n') {
				line, start = line+1, i+1
			}
		}
	})
}

// TestTextKnowsItsBytes writes random characters in each encoding and finds each of them in the bytes again.
func TestTextKnowsItsBytes(t *testing.T) {
	for _, name := range []string{"utf-8", "windows-1252", "iso-8859-1", "us-ascii"} {
		c, ok := NewCharset(name)
		if !ok {
			t.Fatal(name)
		}
		rapid.Check(t, func(rt *rapid.T) {
			body := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\n\x00\x81\xc3\xa9\xe2\x80\x99\xef\xbb\xbf\xc2\x85")), 0, 40).Draw(rt, "body")
			text := c.Decode(body)
			if !utf8.ValidString(text.String) {
				rt.Fatal("the text is not UTF-8")
			}
			bad := map[int]bool{}
			for _, at := range text.Bad {
				bad[at] = true
			}
			last := int64(len(body))
			if n := text.Raw(len(text.String)); n != last {
				rt.Fatalf("%s: the end is %d of %d", name, n, last)
			}
			for i, r := range text.String {
				raw := body[text.Raw(i):text.Raw(i+utf8.RuneLen(r))]
				switch {
				case bad[i] != (r == utf8.RuneError):
					rt.Fatalf("%s: the unreadable character at %d is not told", name, i)
				case bad[i] && text.BadIn(i, i+1) != i:
					rt.Fatalf("%s: BadIn does not find %d", name, i)
				case c.Table != nil && (len(raw) != 1 || !bad[i] && c.Table[raw[0]] != r):
					rt.Fatalf("%s: %q at %d came of % x", name, r, i, raw)
				case c.Table == nil && !bad[i] && string(raw) != string(r):
					rt.Fatalf("%s: %q at %d came of % x", name, r, i, raw)
				}
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	for _, name := range Encodings() {
		if c, ok := NewCharset(strings.ToUpper(name)); !ok || c.Name != name {
			t.Errorf("%s is listed and not known", name)
		}
	}
	if _, ok := NewCharset("latin-9"); ok {
		t.Error("an unknown name is taken")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"start_dt", "end_dt", "nhs_no"}
	for word, want := range map[string]string{"strat_dt": "start_dt", "nhsno": "nhs_no", "worker": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
