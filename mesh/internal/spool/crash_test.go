package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/mesh/internal/wire"
)

// A crash tears the end of the journal at any byte. What was whole stays; what was torn was never answered for.
func TestTornEnd(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	create(t, s, "M1", 1, "one")
	keep := s.log.size
	create(t, s, "M2", 1, "two")
	_ = s.Close()
	name := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := keep; cut < int64(len(whole)); cut += 7 {
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, 100)
		if s.Count("B") != 1 || read(t, s, "M1", 1) != "one" {
			t.Fatalf("cut at %d: the first message is lost", cut)
		}
		create(t, s, "M3", 1, "three")
		_ = s.Close()
		s = open(t, dir, 100)
		if s.Count("B") != 2 || read(t, s, "M3", 1) != "three" {
			t.Fatalf("cut at %d: the journal does not go on", cut)
		}
		_ = s.Close()
	}
}

// A loss of power may leave any part of what was written last, holes before whole frames among it, and the zeros that were made
// ahead. Those before are found again, and nothing of the last is damage.
func TestTornBatch(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	create(t, s, "M1", 1, "one")
	create(t, s, "M2", 2, "begun")
	keep := s.log.size
	acks := []record{{Op: "ack", At: noon, ID: "M1"}, {Op: "del", ID: "M2"}, {Op: "fail", ID: "M3", Meta: &Meta{ID: "M3", To: "B", Total: 1}}}
	if err := s.changeAll(acks); err != nil {
		t.Fatal(err)
	}
	end := s.log.size
	name := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(name)
	_ = s.Close()
	if err != nil || int64(len(whole)) <= end {
		t.Fatalf("%d bytes with nothing made ahead of %d, %v", len(whole), end, err)
	}
	for from := keep; from < end; from += 9 {
		for to := from + 1; to <= end; to += 13 {
			torn := bytes.Clone(whole)
			clear(torn[from:to])
			if err := os.WriteFile(name, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, 100)
			if _, known := s.Get("M1"); !known || s.log.size < keep || s.log.size >= end {
				t.Fatalf("hole from %d to %d: %d bytes are left of %d to %d", from, to, s.log.size, keep, end)
			}
			_ = s.Close()
		}
	}
}

// A journal from before frames told their place in their batch is read on.
func TestOlderFrames(t *testing.T) {
	dir := t.TempDir()
	var old bytes.Buffer
	for _, raw := range []string{
		`{"op":"new","at":"2026-01-01T12:00:00Z","id":"M1","meta":{"id":"M1","to":"B","type":"DATA","total":1},"n":1,"chunk":{"size":3}}`,
		`{"op":"new","at":"2026-01-01T12:00:00Z","id":"M2","meta":{"id":"M2","to":"B","type":"DATA","total":1},"n":1,"chunk":{"size":3}}`,
	} {
		numbers := head{json: len(raw), blob: 3, at: absent}.numbers()
		fmt.Fprintf(&old, "%08x %s\n%sabc\n", checksum(numbers, []byte(raw), []byte("abc")), numbers, raw)
	}
	if err := os.WriteFile(filepath.Join(dir, "journal"), old.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, 100)
	if read(t, s, "M1", 1) != "abc" || s.Count("B") != 2 {
		t.Errorf("%d wait", s.Count("B"))
	}
	_ = s.Close()
	bad := old.Bytes()
	bad[20] ^= 1 // the second frame was written when the first was durable
	if err := os.WriteFile(filepath.Join(dir, "journal"), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, Options{Inline: 100}); !errors.Is(err, ErrCorrupt) {
		if err == nil {
			_ = s.Close()
		}
		t.Errorf("damage in the first frame: %v", err)
	}
}

// Damage before the end may hide what was answered for: nothing is guessed.
func TestDamagedMiddleIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	create(t, s, "M1", 1, "one")
	middle := s.log.size
	create(t, s, "M2", 1, "two")
	create(t, s, "M3", 1, "three")
	_ = s.Close()
	name := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := middle; at < middle+60; at += 3 {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x20
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir, Options{Inline: 100}); !errors.Is(err, ErrCorrupt) {
			if err == nil {
				_ = s.Close()
			}
			t.Errorf("damage at %d: %v", at, err)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	create(t, s, "M1", 1, "one")
	stage(t, s, "M2", 1, "never used") // a crash before the journal knew of it
	if n := len(files(t, dir)); n != 2 {
		t.Fatalf("%d files", n)
	}
	_ = s.Close()
	s = open(t, dir, 0)
	left := files(t, dir)
	if len(left) != 1 || !strings.HasPrefix(left[0], "M1.1.") || read(t, s, "M1", 1) != "one" {
		t.Errorf("left %v", left)
	}
	_ = s.Close()
	if err := os.Remove(filepath.Join(dir, "bodies", left[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Inline: 0}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a lost body went unnoticed: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	var whole bytes.Buffer
	writeFrame(&whole, []byte(`{"op":"new","at":"2026-01-01T12:00:00Z","id":"M","meta":{"id":"M","to":"B","type":"DATA","total":1},"n":1,"chunk":{"size":3}}`), []byte("abc"))
	writeFrame(&whole, []byte(`{"op":"ack","at":"2026-01-01T12:00:00Z","id":"M"}`), nil)
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:50])
	f.Add([]byte("00000000 5 5\n"))
	f.Fuzz(func(t *testing.T, journal []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{Inline: 10})
		if err != nil {
			return
		}
		n := s.Count("B")
		if err := s.Create(Meta{ID: "NEW", To: "B", Total: 1}, noon, &Body{blob: []byte("x"), size: 1}); err != nil && !errors.Is(err, ErrExists) {
			t.Errorf("a journal that opens does not go on: %v", err)
		}
		_ = s.Close()
		if s, err = Open(dir, Options{Inline: 10}); err != nil {
			t.Fatalf("a journal that opened once does not open again: %v", err)
		}
		if got := s.Count("B"); got < n {
			t.Errorf("%d messages, before %d", got, n)
		}
		_ = s.Close()
	})
}

// Bodies of acknowledged messages do not stay in the journal for ever, and what else it says stays.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, maxFrameBlob)
	marked := strings.Repeat("acknowledged body ", 50_000)
	for i := range 6 {
		id := "M" + string(rune('0'+i))
		create(t, s, id, 1, marked)
		if err := s.Acknowledge(id, noon); err != nil {
			t.Fatal(err)
		}
	}
	create(t, s, "W2", 2, "begun first, accepted second")
	create(t, s, "W1", 1, "waiting")
	if err := s.AddChunk(Added{ID: "W2", N: 2, Body: stage(t, s, "W2", 2, "")}, noon); err != nil {
		t.Fatal(err)
	}
	create(t, s, "U1", 2, "uploading")
	_ = s.Close()
	if err := os.WriteFile(filepath.Join(dir, compacted), []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, maxFrameBlob)
	raw, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 10_000 || bytes.Contains(raw, []byte("acknowledged body")) {
		t.Fatalf("%d bytes are left", len(raw))
	}
	if m, ok := s.Get("M3"); !ok || m.Status != wire.StatusAcknowledged || m.Seq != 4 || m.Size != int64(len(marked)) || !m.Acknowledged.Equal(noon) {
		t.Errorf("history %+v", m)
	}
	if got := s.List(Query{Mailbox: "B", Max: 9}).IDs; read(t, s, "W1", 1) != "waiting" || strings.Join(got, " ") != "W1 W2" {
		t.Errorf("waiting: %v", got)
	}
	if err := s.AddChunk(Added{ID: "U1", N: 2, Body: stage(t, s, "U1", 2, "!")}, noon); err != nil || read(t, s, "U1", 1) != "uploading" {
		t.Errorf("the upload does not go on: %v", err)
	}
	if m, _ := s.Get("U1"); m.Seq != 9 {
		t.Errorf("order goes on with %d, want 9", m.Seq)
	}
	_ = s.Close()
	if s = open(t, dir, maxFrameBlob); s.Count("B") != 3 {
		t.Errorf("%d messages after another restart", s.Count("B"))
	}
}

func FuzzReadFrame(f *testing.F) {
	var whole bytes.Buffer
	writeFrame(&whole, []byte(`{"op":"ack"}`), []byte("blob"))
	f.Add(whole.Bytes())
	f.Add([]byte("00000000 1048576 1048576\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		f, err := readFrame(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		if f.size > int64(len(raw)) || f.blobAt < int64(len(f.json)) || f.blobAt >= f.size || raw[f.size-1] != '\n' {
			t.Errorf("frame of %d bytes, blob at %d, in %d bytes", f.size, f.blobAt, len(raw))
		}
	})
}
