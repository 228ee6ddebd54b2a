package cpis

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// How much of a file is in memory at a time: a file up to wholeBytes altogether, of a larger one a window that grows only where one record,
// or one mistake, is larger. A mistake that lies slackBytes before the window's end does not depend on what follows.
const (
	wholeBytes  = 1 << 20
	windowBytes = 256 << 10
	slackBytes  = 64 << 10
)

// window says which part of the file the scanner's string is.
type window struct {
	from     io.Reader // nil: the string is all that there is
	base     int64     // offset in the file of the string's first byte
	first    position  // line and column of that byte
	more     bool      // the file goes on behind the string
	unclosed bool      // the last fault is of something that may be closed further on
	surveyed bool      // the whole file has been looked through for size and characters
	ascii    bool      // and every character is ASCII
	refusal  *Fault    // what was found
}

// inFile turns an offset in the window into one in the file.
func (w *window) inFile(off int) int64 { return w.base + int64(off) }

// settled reports whether what was just read would be the same if the window went on.
func (s *scanner) settled(f *Fault) bool {
	return !s.more || f != nil && !s.unclosed && s.inFile(len(s.src))-f.Offset > slackBytes
}

// moveTo drops what stands before off, which is the beginning of what is read next, and reads on.
func (s *scanner) moveTo(off int) error {
	at := s.at(off)
	rest := s.src[off:]
	var b strings.Builder
	size := max(windowBytes, 2*len(rest))
	b.Grow(size)
	b.WriteString(rest)
	_, err := io.CopyN(&b, s.from, int64(size-len(rest)))
	switch {
	case errors.Is(err, io.EOF):
		s.more = false
	case err != nil:
		return err
	}
	s.src, s.base = b.String(), s.base+int64(off)
	at.off = 0
	s.first, s.mark, s.off = at, at, 0
	return nil
}

// place is where the scanner can go back to: between two records, or before the file.
type place struct {
	off, stack, binds int
	begun             bool
}

func (s *scanner) place() place {
	return place{off: s.off, stack: len(s.stack), binds: len(s.binds), begun: s.begun}
}

// back returns to a place in the same window. What stood open there has not been closed for good, because nothing could be opened after it.
func (s *scanner) back(to place) {
	s.off, s.stack, s.binds, s.begun = to.off, s.stack[:to.stack], s.binds[:to.binds], to.begun
	s.ended, s.toEnd, s.unclosed = false, false, false
}

// retract takes back the start tag that was the last event.
func (s *scanner) retract() {
	top := len(s.stack) - 1
	s.binds = s.binds[:s.stack[top].bindings]
	s.stack = s.stack[:top]
	s.off, s.toEnd = s.start, false
}

// source is a file that can be read more than once.
type source struct {
	open func() (io.ReadCloser, error)
	body io.ReadCloser // of the reading under way
}

func (f *source) close() {
	if f.body != nil {
		_ = f.body.Close() // it was read only
		f.body = nil
	}
}

func (f *source) again() (err error) {
	f.close()
	f.body, err = f.open()
	return err
}

// begin reads a small file whole. A larger one is looked through first, because one bad character anywhere refuses all of it, and then read
// again through a window.
func (f *source) begin(s *scanner) error {
	if err := f.again(); err != nil {
		return err
	}
	var head strings.Builder
	_, err := io.CopyN(&head, f.body, wholeBytes+1)
	if errors.Is(err, io.EOF) {
		s.src = head.String()
		f.close()
		return nil
	}
	if err != nil {
		return err
	}
	fault, ascii, err := survey(io.MultiReader(strings.NewReader(head.String()), f.body), s.limits)
	if err != nil {
		return err
	}
	s.surveyed, s.ascii, s.refusal = true, ascii, fault
	if err := f.again(); err != nil {
		return err
	}
	s.from, s.more = f.body, true
	return s.moveTo(0)
}

// survey looks through a whole file for what refuses all of it: its size, and a character that XML does not allow.
func survey(from io.Reader, limits Limits) (fault *Fault, ascii bool, err error) {
	s := newScanner("", limits)
	buf := make([]byte, windowBytes)
	held := 0 // bytes of a character that the last piece cut in two
	ascii = true
	for {
		n, err := io.ReadFull(from, buf[held:])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, false, err
		}
		end := held + n
		if !last {
			end = wholeRunes(buf[:end])
		}
		s.src = string(buf[:end])
		ascii = ascii && isASCII(s.src)
		if s.inFile(end) > int64(limits.MaxBytes) {
			return newScanner("", limits).fault(RuleLimitSize, 0, "the file is larger than the limit"), ascii, nil
		}
		if fault == nil {
			if off, text := badCharacter(s.src); off >= 0 {
				fault = s.fault(RuleEncoding, off, text) // the size, were it too large, comes first
			}
		}
		if last {
			return fault, ascii, nil
		}
		at := s.at(end)
		at.off = 0
		held = copy(buf, buf[end:held+n])
		s.first, s.mark, s.base = at, at, s.base+int64(end)
	}
}

// wholeRunes returns how much of b ends with a whole character.
func wholeRunes(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		if c := b[len(b)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-back:]) {
				return len(b) - back
			}
			break
		}
	}
	return len(b)
}
