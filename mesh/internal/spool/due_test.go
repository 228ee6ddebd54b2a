package spool

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/mesh/internal/wire"
)

const day = 24 * time.Hour

func openWith(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// What waits too long is named once, what was kept long enough once more, and a restart in between changes nothing.
func TestDue(t *testing.T) {
	dir := t.TempDir()
	o := Options{Inline: 2, WaitFor: 5 * day, KeepFor: 30 * day}
	s := openWith(t, dir, o)
	create(t, s, "M1", 1, "one")
	create(t, s, "M2", 2, "half")
	if s.NextDue() != noon.Add(5*day).UnixNano() {
		t.Errorf("next due %d", s.NextDue())
	}
	if expired, old := s.Due(noon.Add(5*day-1), 10); len(expired)+len(old) != 0 {
		t.Errorf("too early: %v %v", expired, old)
	}
	_ = s.Close()
	s = openWith(t, dir, o)
	expired, old := s.Due(noon.Add(5*day), 10)
	if len(expired) != 1 || expired[0].ID != "M1" || len(old) != 0 {
		t.Fatalf("after five days: %v %v", expired, old)
	}
	end := Ending{ID: "M1", Verdict: Verdict{From: wire.StatusAccepted, Status: wire.StatusUndeliverable, Code: "14"}, Report: &Meta{ID: "R1", To: "A", Type: wire.TypeReport, Total: 1}}
	if err := s.End(noon.Add(5*day), end); err != nil {
		t.Fatal(err)
	}
	if err := s.End(noon.Add(5*day), end); !errors.Is(err, ErrState) {
		t.Errorf("a second verdict: %v", err)
	}
	if m, _ := s.Get("M1"); m.Status != wire.StatusUndeliverable || m.StatusCode != "14" || s.Count("B") != 0 || s.Count("A") != 1 || read(t, s, "R1", 1) != "" {
		t.Errorf("%+v", m)
	}
	_, old = s.Due(noon.Add(30*day), 10)
	if fmt.Sprint(old) != "[M1 M2]" && fmt.Sprint(old) != "[M2 M1]" {
		t.Fatalf("after thirty days: %v", old)
	}
	if err := s.Delete(append(old, "NONE")...); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "bodies")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if s.Size() != 1 || len(s.ByLocalID("A", "LM1")) != 0 || len(s.out) != 0 {
		t.Errorf("%d are known", s.Size())
	}
	if _, old = s.Due(noon.Add(35*day), 10); len(old) != 1 {
		t.Errorf("the report: %v", old)
	}
	if err := s.Delete("R1"); err != nil || s.NextDue() != math.MaxInt64 {
		t.Errorf("%v, next due %d", err, s.NextDue())
	}
}

// A message that is put back takes a new place, and is there once.
func TestPutBack(t *testing.T) {
	s := openWith(t, t.TempDir(), Options{Inline: 10})
	for i := range 5 {
		create(t, s, fmt.Sprint(i), 1, "x")
	}
	for _, id := range []string{"1", "2"} {
		for _, status := range []string{wire.StatusUndeliverable, wire.StatusAccepted} {
			if err := s.End(noon, Ending{ID: id, Verdict: Verdict{Status: status}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := s.List(Query{Mailbox: "B", Max: 9}).IDs; strings.Join(got, "") != "03412" || s.Count("B") != 5 {
		t.Errorf("%v, %d", got, s.Count("B"))
	}
}

// History is told newest first, by pages whose cost does not follow its length.
func TestHistory(t *testing.T) {
	s := openWith(t, t.TempDir(), Options{Inline: 10})
	for i := range 7 {
		create(t, s, fmt.Sprint(i), 1, "x")
	}
	_ = s.Acknowledge("3", noon)
	_ = s.Delete("5")
	var got []string
	q := HistoryQuery{Mailbox: "B", Max: 4, Since: noon.Add(-day)}
	for {
		page, more := s.History(q)
		for _, e := range page {
			got = append(got, e.ID)
			q.Before = e.Num
		}
		if !more {
			break
		}
		got = append(got, "|")
	}
	if strings.Join(got, "") != "6432|10" {
		t.Errorf("received: %v", got)
	}
	if sent, _ := s.History(HistoryQuery{Mailbox: "A", Sent: true, Max: 9}); len(sent) != 6 {
		t.Errorf("%d sent", len(sent))
	}
	if none, more := s.History(HistoryQuery{Mailbox: "B", Max: 4, Since: noon}); len(none) != 0 || more {
		t.Errorf("since then: %v", none)
	}
}

// A body that is being read while the journal is written anew is read to its end, and the journal keeps what it must.
func TestCompactionUnderReaders(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, dir, Options{Inline: maxFrameBlob, KeepFor: day})
	body := strings.Repeat("body ", 100_000)
	create(t, s, "KEEP", 1, body)
	reader, _, err := s.OpenChunk("KEEP", 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; !s.Wasteful(); i++ {
		id := fmt.Sprint("M", i)
		create(t, s, id, 1, body)
		if err := s.Acknowledge(id, noon); err != nil {
			t.Fatal(err)
		}
	}
	_, old := s.Due(noon.Add(2*day), 1000)
	if err := s.Delete(old[1:]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(); err != nil || s.Wasteful() {
		t.Fatalf("%v, wasteful %v", err, s.Wasteful())
	}
	got, err := io.ReadAll(reader)
	if err := errors.Join(err, reader.Close(), reader.Close()); err != nil || string(got) != body || read(t, s, "KEEP", 1) != body {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	info, err := os.Stat(filepath.Join(dir, "journal"))
	if err != nil || info.Size() > int64(len(body))+2000 {
		t.Errorf("%d bytes are left, %v", info.Size(), err)
	}
	seq := s.seq
	_ = s.Close()
	if s = openWith(t, dir, Options{Inline: maxFrameBlob}); s.seq != seq || read(t, s, "KEEP", 1) != body || s.Size() != 1 {
		t.Errorf("order goes on with %d, want %d; %d are known", s.seq, seq, s.Size())
	}
}

// History that is over costs no memory: ten thousand messages that were delivered and deleted leave nothing.
func TestDeletedHistoryLeavesNothing(t *testing.T) {
	s := openWith(t, t.TempDir(), Options{Inline: 10, KeepFor: day})
	records := make([]record, 10_000)
	for i := range records {
		id := fmt.Sprint(i)
		records[i] = record{Op: "fail", At: noon, ID: id, Meta: &Meta{ID: id, From: "A", To: "B" + id, LocalID: "L" + id}}
	}
	if err := s.changeAll(records); err != nil {
		t.Fatal(err)
	}
	for s.NextDue() <= noon.Add(day).UnixNano() {
		_, old := s.Due(noon.Add(day), 1000)
		if err := s.Delete(old...); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.byID) + len(s.in) + len(s.out) + len(s.local) + len(s.order.entries) + len(s.due); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// Senders, receivers, deletions and compactions at once: nobody gets another's body, and a restart finds what was promised.
func TestCompactionAmongOthers(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, dir, Options{Inline: 1000})
	body := func(id string) string { return strings.Repeat(id+" ", 20) }
	kept := make([]map[string]bool, 4)
	var wg sync.WaitGroup
	for w := range kept {
		kept[w] = map[string]bool{}
		wg.Go(func() {
			for i := range 60 {
				id := fmt.Sprintf("M%d.%d", w, i)
				b, err := s.Stage(id, 1, strings.NewReader(body(id)), -1)
				if err == nil {
					err = s.Create(Meta{ID: id, From: "A", To: "B", Total: 1}, noon, b)
				}
				if err != nil {
					t.Errorf("create: %v", err)
					return
				}
				r, _, err := s.OpenChunk(id, 1)
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				got, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil || string(got) != body(id) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				switch i % 3 {
				case 0:
					err = s.Acknowledge(id, noon)
				case 1:
					err = s.Delete(id)
				default:
					kept[w][id] = true
				}
				if err != nil {
					t.Errorf("end: %v", err)
				}
			}
		})
	}
	for range 20 {
		if err := s.pack(); err != nil {
			t.Errorf("pack: %v", err)
		}
	}
	wg.Wait()
	_ = s.Close()
	s = openWith(t, dir, Options{Inline: 1000})
	n := 0
	for _, ids := range kept {
		for id := range ids {
			if n++; read(t, s, id, 1) != body(id) {
				t.Errorf("%s has another body", id)
			}
		}
	}
	if s.Count("B") != n || s.Size() != 2*n {
		t.Errorf("%d wait and %d are known, want %d and %d", s.Count("B"), s.Size(), n, 2*n)
	}
}
