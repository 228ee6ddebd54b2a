// Package twin makes a synthetic twin of a message: the same shape, the same faults, and no real value in it, so that it can be shown.
//
// Each letter and figure is replaced by another, each space, hyphen, bracket and bad byte stays. A sound NHS number becomes a sound one of the
// fictitious 999 range and an unsound one stays unsound; a date stays a date in the same layout, as far from the others as it was, and one
// that is not in the calendar stays out of it; a telephone number becomes one of those that Ofcom keeps for fiction. One value becomes the same value wherever it stands. What the format
// fixes stays (headings, structure), and so do the codes that the caller names.
package twin

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/engine"
)

// Keep says which values are codes and stay as they are: by path, and by value where values is not nil. It is asked for every value that is not fixed.
type Keep func(c engine.Cell) bool

// Make returns the twin of a message. It is deterministic: the same bytes have the same twin. What replaces a value hangs on the whole message, so
// the twin alone does not give a value away. The error says that the adapter cannot survey its format, or could not read the message at all.
func Make(adapter engine.Adapter, msg engine.Message, src engine.Schema, keep Keep) ([]byte, error) {
	surveyor, ok := adapter.(engine.Surveyor)
	if !ok {
		return nil, fmt.Errorf("twin: the format %s cannot be surveyed yet", adapter.Format())
	}
	var cells []engine.Cell
	dates := map[string]bool{}
	t := &maker{key: sha256.Sum256(msg.Body), known: map[string]bool{}, made: map[string]string{}}
	for c := range surveyor.Survey(msg, src) {
		cells = append(cells, c)
		t.known[skeletonOf(c.Text)] = true
		if text := day(strings.TrimSpace(c.Text)); len(text) >= 8 && len(text) <= 19 && !dates[text] && isDate(text) {
			dates[text] = true
		}
	}
	t.chooseShift(dates)
	if len(cells) == 0 && len(bytes.TrimSpace(msg.Body)) > 0 {
		return nil, fmt.Errorf("twin: nothing in the message can be read as %s, so nothing can be made of it that is safe to show", adapter.Format())
	}
	var out bytes.Buffer
	at := int64(0)
	wide := wideOrder(src.Encoding, msg.Body)
	for _, c := range cells {
		if c.Start < at || c.End < c.Start || int(c.End) > len(msg.Body) {
			return nil, fmt.Errorf("twin: the values of the message overlap at byte %d", c.Start)
		}
		out.Write(msg.Body[at:c.Start])
		raw := msg.Body[c.Start:c.End]
		if at = c.End; c.Fixed || keep != nil && keep(c) {
			out.Write(raw)
			continue
		}
		t.replace(&out, raw, c, wide, single(src.Encoding))
	}
	out.Write(msg.Body[at:])
	return out.Bytes(), nil
}

// maker makes values.
type maker struct {
	key   [32]byte
	known map[string]bool   // skeletons of the message's values: none of them may come out
	made  map[string]string // skeleton -> its replacement
	shift int               // days by which every date moves
}

// replace writes the raw bytes of a cell with every letter and figure replaced.
func (t *maker) replace(out *bytes.Buffer, raw []byte, c engine.Cell, wide binary.ByteOrder, single bool) {
	units := split(raw, c.Escape, wide, single)
	var skeleton strings.Builder
	for _, u := range units {
		if u.free {
			skeleton.WriteRune(u.r)
		}
	}
	if skeleton.Len() == 0 {
		out.Write(raw)
		return
	}
	made := []rune(t.value(skeleton.String(), strings.TrimSpace(c.Text)))
	free := skeletonLength(units)
	for len(made) > free && len(units) > 0 && units[len(units)-1].r == ' ' { // what became longer takes the place of the padding
		units = units[:len(units)-1]
		free++
	}
	for _, u := range units {
		if !u.free || len(made) == 0 {
			out.Write(u.raw)
			continue
		}
		r := made[0]
		made = made[1:]
		u.write(out, r, wide)
	}
	for _, r := range made { // a value that had to become longer to be another
		unit{raw: []byte{'x'}}.write(out, r, wide)
	}
}

func skeletonLength(units []unit) int {
	n := 0
	for _, u := range units {
		if u.free {
			n++
		}
	}
	return n
}

// value makes the replacement of a skeleton: the letters and figures of a value in their order.
func (t *maker) value(skeleton, text string) string {
	if v, ok := t.made[skeleton]; ok {
		return v
	}
	v := ""
	for try := range 64 {
		v = t.attempt(skeleton, text, try)
		if !t.known[v] && isDate(merge(text, v)) == isDate(text) {
			break
		}
		if try == 63 {
			more := "x"
			if allDigits(skeleton) {
				more = "7" // a number stays one
			}
			for v = skeleton; t.known[v]; {
				v += more
			}
		}
	}
	t.made[skeleton] = v
	return v
}

// merge puts the letters and figures of a skeleton in the place of those of a text.
func merge(text, skeleton string) string {
	made := []rune(skeleton)
	return strings.Map(func(r rune) rune {
		if !isFree(r) || len(made) == 0 {
			return r
		}
		next := made[0]
		made = made[1:]
		return next
	}, text)
}

func (t *maker) attempt(skeleton, text string, try int) string {
	s := t.source(skeleton, try)
	switch {
	case len(skeleton) == 10 && allDigits(skeleton):
		if v, ok := s.number(skeleton, text); ok {
			return v
		}
	case isTelephone(skeleton, text):
		return s.telephone(skeleton)
	case isAddress(text):
		return t.address(s, text)
	}
	if v, ok := t.date(s, skeleton, text); ok {
		return v
	}
	v := strings.Map(s.other, skeleton)
	if skeleton[0] >= '1' && skeleton[0] <= '9' && v[0] == '0' {
		v = string(rune('1'+s.below(9))) + v[1:] // a number that JSON takes has no 0 before it
	}
	return v
}

func isFree(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isTelephone tells a telephone number by its first digit and its length.
func isTelephone(skeleton, text string) bool {
	return allDigits(skeleton) && (len(skeleton) == 10 || len(skeleton) == 11) && skeleton[0] == '0' || strings.HasPrefix(text, "+44") && allDigits(skeleton)
}

// isAddress tells a URI or a reference, whose parts mean something on their own: "tel:01632 960001", "urn:uuid:...", "Patient/17".
func isAddress(text string) bool {
	for _, scheme := range []string{"tel:", "urn:", "http:", "https:", "mailto:"} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	kind, id, ok := strings.Cut(text, "/")
	return ok && id != "" && len(kind) > 3 && unicode.IsUpper(rune(kind[0])) && !strings.ContainsFunc(kind, func(r rune) bool { return !unicode.IsLetter(r) })
}

// address replaces the parts of an address one by one, so that what is referred to under the same name still is. The words of its form stay.
func (t *maker) address(s *random, text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "tel":
		return scheme + s.telephone(skeletonOf(rest))
	case "urn":
		if id, ok := strings.CutPrefix(rest, "uuid:"); ok {
			return "urnuuid" + strings.Map(s.hexadecimal, skeletonOf(id))
		}
	}
	var b strings.Builder
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return !isFree(r) }) {
		if strings.ContainsAny(part, "0123456789") && len(part) > 1 {
			part = t.value(part, part)
		}
		b.WriteString(part)
	}
	return b.String()
}

// hexadecimal replaces a figure of base 16 by another.
func (s *random) hexadecimal(r rune) rune { return rune("0123456789abcdef"[s.below(16)]) }

// random is an endless row of numbers that hang on the key, the value and the try.
type random struct {
	key   []byte
	block [32]byte
	next  int
	count uint64
}

func (t *maker) source(skeleton string, try int) *random {
	h := hmac.New(sha256.New, t.key[:])
	fmt.Fprintf(h, "%d:%s", try, skeleton)
	return &random{key: h.Sum(nil), next: sha256.Size}
}

// below returns a number in [0, n), n at most 65536.
func (s *random) below(n int) int {
	if s.next+2 > len(s.block) {
		h := hmac.New(sha256.New, s.key)
		fmt.Fprint(h, s.count)
		copy(s.block[:], h.Sum(nil))
		s.next, s.count = 0, s.count+1
	}
	v := binary.BigEndian.Uint16(s.block[s.next:])
	s.next += 2
	return int(v) % n
}

// other replaces a letter by a letter and a figure by a figure.
func (s *random) other(r rune) rune {
	switch {
	case r >= '0' && r <= '9':
		return rune('0' + s.below(10))
	case r < utf8.RuneSelf && unicode.IsUpper(r):
		return rune('A' + s.below(26))
	case r < utf8.RuneSelf:
		return rune('a' + s.below(26))
	case unicode.IsUpper(r):
		return []rune("ÀÈÉÊÏÔÜ")[s.below(7)]
	}
	return []rune("àèéêïôü")[s.below(7)]
}
