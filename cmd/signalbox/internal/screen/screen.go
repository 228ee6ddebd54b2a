// Package screen writes for a person at a terminal: in colour, wrapped to its width, with a line that shows how far long work has come. Where
// nobody looks, it writes plain text and no progress.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Colour is the meaning of a piece of text.
type Colour string

// The meanings.
const (
	Plain  Colour = ""
	Good   Colour = "32"
	Bad    Colour = "31"
	Wait   Colour = "33"
	Soft   Colour = "2"
	Strong Colour = "1"
)

// plainWidth is what a pipe gets: no line is broken there.
const plainWidth = 0

// Screen writes to one place. The zero width breaks no line.
type Screen struct {
	w      io.Writer
	width  int
	colour bool
}

// New returns a screen for w. Colour is for terminals alone, and not where NO_COLOR is set (no-color.org) or TERM is dumb.
func New(w io.Writer) *Screen {
	s := &Screen{w: w, width: plainWidth}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = width
	}
	return s
}

// Fixed returns a screen of a given width and colour, for tests.
func Fixed(w io.Writer, width int, colour bool) *Screen {
	return &Screen{w: w, width: width, colour: colour}
}

// Terminal reports whether somebody looks.
func (s *Screen) Terminal() bool { return s.width > 0 }

// Paint returns text in its colour.
func (s *Screen) Paint(c Colour, text string) string {
	if !s.colour || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Line writes formatted text and a line end.
func (s *Screen) Line(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

// Clear empties the terminal.
func (s *Screen) Clear() {
	if s.Terminal() {
		fmt.Fprint(s.w, "\x1b[H\x1b[2J\x1b[3J")
	}
}

// Cell is one column of a row.
type Cell struct {
	Text   string
	Colour Colour
	Width  int // at least; the last cell's is what is left
}

// Row writes cells side by side. The last one is wrapped to the terminal and goes on below its own beginning.
func (s *Screen) Row(cells ...Cell) {
	var b strings.Builder
	used := 0
	for i, c := range cells {
		if i == len(cells)-1 {
			for n, part := range s.wrap(c.Text, used) {
				if n > 0 {
					b.WriteString("\n" + strings.Repeat(" ", used))
				}
				b.WriteString(s.Paint(c.Colour, part))
			}
			break
		}
		width := max(c.Width, utf8.RuneCountInString(c.Text))
		b.WriteString(s.Paint(c.Colour, c.Text) + strings.Repeat(" ", width-utf8.RuneCountInString(c.Text)+2))
		used += width + 2
	}
	fmt.Fprintln(s.w, strings.TrimRight(b.String(), " "))
}

// wrap breaks text at spaces into lines of what the terminal leaves beside used columns.
func (s *Screen) wrap(text string, used int) []string {
	room := s.width - used
	if s.width == plainWidth || room < 20 {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > room {
			lines = append(lines, line)
			line = word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Progress is one line that is written over while long work goes on. It is silent where nobody looks.
type Progress struct {
	screen *Screen
	what   string
	total  int // 0: not known
	now    func() time.Time
	start  time.Time
	shown  time.Time
	drawn  bool
}

// progressEvery is how often the line is drawn anew.
const progressEvery = 200 * time.Millisecond

// Progress begins a line for total things of a kind, such as "rows".
func (s *Screen) Progress(what string, total int, now func() time.Time) *Progress {
	return &Progress{screen: s, what: what, total: total, now: now, start: now(), shown: now()}
}

// At draws the line, if it is time to.
func (p *Progress) At(done int) {
	now := p.now()
	if !p.screen.Terminal() || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown, p.drawn = now, true
	rate := float64(done) / max(now.Sub(p.start).Seconds(), 0.001)
	text := fmt.Sprintf("%d %s  %.0f/s", done, p.what, rate)
	if p.total > 0 && rate > 0 {
		left := time.Duration(float64(max(p.total-done, 0))/rate) * time.Second
		text = fmt.Sprintf("%d of %d %s  %.0f/s  %s left", done, p.total, p.what, rate, left)
	}
	fmt.Fprintf(p.screen.w, "\r\x1b[K%s", text)
}

// End takes the line away.
func (p *Progress) End() {
	if p.drawn {
		fmt.Fprint(p.screen.w, "\r\x1b[K")
	}
}
