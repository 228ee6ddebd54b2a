package screen_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signalbox/cmd/signalbox/internal/screen"
)

func TestRowWrapsItsLastCellUnderItself(t *testing.T) {
	var b bytes.Buffer
	s := screen.Fixed(&b, 40, false)
	s.Row(screen.Cell{Text: "plan.start", Width: 12}, screen.Cell{Text: "column start_dt, line 2:37, bytes 136-145 of the file"})
	want := "plan.start    column start_dt, line\n              2:37, bytes 136-145 of the\n              file\n"
	if b.String() != want {
		t.Errorf("got\n%q want\n%q", b.String(), want)
	}
}

func TestPipeGetsPlainLines(t *testing.T) {
	var b bytes.Buffer
	s := screen.New(&b)
	long := strings.Repeat("word ", 100) + "end"
	s.Row(screen.Cell{Text: "a", Width: 4, Colour: screen.Good}, screen.Cell{Text: long, Colour: screen.Bad})
	s.Clear()
	p := s.Progress("rows", 10, time.Now)
	p.At(5)
	p.End()
	if b.String() != "a     "+long+"\n" || s.Terminal() {
		t.Errorf("%q", b.String())
	}
}

func TestProgressTellsRateAndWhatIsLeft(t *testing.T) {
	var b bytes.Buffer
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := screen.Fixed(&b, 80, true).Progress("messages", 100, func() time.Time { return now })
	p.At(1) // too soon
	now = now.Add(10 * time.Second)
	p.At(50)
	p.At(51) // too soon again
	p.End()
	if want := "\r\x1b[K50 of 100 messages  5/s  10s left\r\x1b[K"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
