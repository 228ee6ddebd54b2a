package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress writes one line that it writes over, when its writer is a terminal, for what is large enough to wait for.
type progress struct {
	out   io.Writer // nil: silent
	size  int64     // 0: not known
	now   func() time.Time
	start time.Time
	shown time.Time
	drawn bool
}

// progressEvery is how often the line is drawn anew.
const progressEvery = 200 * time.Millisecond

func newProgress(out io.Writer, size int64) *progress {
	if !terminal(out) {
		out = nil
	}
	return startProgress(out, size, time.Now)
}

func startProgress(out io.Writer, size int64, now func() time.Time) *progress {
	return &progress{out: out, size: size, now: now, start: now(), shown: now()}
}

// terminal reports whether a person looks at it.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// at draws the line, if it is time to.
func (p *progress) at(done int64) {
	now := p.now()
	if p.out == nil || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown, p.drawn = now, true
	fmt.Fprintf(p.out, "\r\x1b[K%s", p.line(done, now.Sub(p.start)))
}

func (p *progress) line(done int64, spent time.Duration) string {
	rate := float64(done) / max(spent.Seconds(), 0.001)
	if p.size == 0 {
		return fmt.Sprintf("%s  %s/s", bytesText(done), bytesText(int64(rate)))
	}
	left := "?"
	if rate > 0 {
		left = (time.Duration(float64(p.size-done)/rate) * time.Second).String()
	}
	return fmt.Sprintf("%s of %s  %d%%  %s/s  %s left", bytesText(done), bytesText(p.size), done*100/p.size, bytesText(int64(rate)), left)
}

// end takes the line away.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func bytesText(n int64) string {
	value, unit := float64(n), 0
	for ; value >= 1024 && unit < 4; unit++ {
		value /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit-1])
}

// meter is a file that tells how far it has been read.
type meter struct {
	*os.File
	*progress
	size int64
}

func newMeter(out io.Writer, f *os.File) (*meter, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &meter{File: f, progress: newProgress(out, info.Size()), size: info.Size()}, nil
}

// ReadAt reads the file and draws the line.
func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	n, err := m.File.ReadAt(p, at)
	m.at(at + int64(n))
	return n, err
}
