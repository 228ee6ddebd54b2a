package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

// A body is staged whole around every bound, in whatever pieces it comes and whatever its length was said to be.
func TestStage(t *testing.T) {
	s := open(t, t.TempDir(), 100)
	for _, n := range []int{0, 1, 99, 100, 101, stageBuffer, stageBuffer + 1, 3 * stageBuffer} {
		want := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		for _, said := range []int64{-1, 0, int64(n), int64(n) + 1, 1 << 40} {
			pieces := map[string]io.Reader{
				"whole": bytes.NewReader(want), "halves": iotest.HalfReader(bytes.NewReader(want)), "end with the data": iotest.DataErrReader(bytes.NewReader(want)),
			}
			for name, r := range pieces {
				b, err := s.Stage("M", 1, r, said)
				if err != nil {
					t.Fatal(err)
				}
				if inJournal := b.file == ""; b.Size() != int64(n) || n > 100 && inJournal || said <= 100 && n <= 100 && !inJournal {
					t.Errorf("%d bytes, said %d, %s: %d staged, in the journal %v", n, said, name, b.Size(), inJournal)
				}
				if got := content(t, s, b); !bytes.Equal(got, want) {
					t.Errorf("%d bytes, said %d, %s: %d others came out", n, said, name, len(got))
				}
				b.Discard()
			}
		}
	}
}

// content reads a body that is staged.
func content(t *testing.T, s *Spool, b *Body) []byte {
	t.Helper()
	m := Meta{ID: b.file + "x", From: "A", To: "B", Type: "DATA", Total: 1}
	if err := s.Create(m, noon, b); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.OpenChunk(m.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err := errors.Join(err, s.Delete(m.ID)); err != nil {
		t.Fatal(err)
	}
	return got
}

// A body that breaks off is none, also when it breaks off as HTTP bodies do: with io.ErrUnexpectedEOF.
func TestStageOfABrokenBody(t *testing.T) {
	s := open(t, t.TempDir(), 100)
	for _, n := range []int{0, 50, 100, 101, stageBuffer + 7} {
		for _, said := range []int64{-1, 1 << 30} {
			broken := io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(io.ErrUnexpectedEOF))
			if b, err := s.Stage("M", 1, broken, said); !errors.Is(err, io.ErrUnexpectedEOF) || b != nil {
				t.Errorf("%d bytes, said %d: %v", n, said, err)
			}
		}
	}
	if files, err := os.ReadDir(s.dir); err != nil || len(files) > 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}
