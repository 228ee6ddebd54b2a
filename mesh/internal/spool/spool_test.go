package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"signalbox/mesh/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, inline int64) *Spool {
	t.Helper()
	s, err := Open(dir, Options{Inline: inline})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func stage(t testing.TB, s *Spool, id string, n int, body string) *Body {
	t.Helper()
	b, err := s.Stage(id, n, strings.NewReader(body), int64(len(body)-n%3))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func create(t testing.TB, s *Spool, id string, total int, body string) {
	t.Helper()
	m := Meta{ID: id, From: "A", To: "B", WorkflowID: "TEST", Type: wire.TypeData, Total: total, LocalID: "L" + id}
	if err := s.Create(m, noon, stage(t, s, id, 1, body)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s *Spool, id string, n int) string {
	t.Helper()
	r, size, err := s.OpenChunk(id, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil || int64(len(raw)) != size {
		t.Fatalf("%d bytes of %d: %v", len(raw), size, err)
	}
	return string(raw)
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir, "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

func TestLifeOfAMessage(t *testing.T) {
	for _, inline := range []int64{0, 4, 100} {
		dir := t.TempDir()
		s := open(t, dir, inline)
		create(t, s, "M", 3, "first")
		if n := s.Count("B"); n != 0 {
			t.Fatalf("visible after one chunk of three")
		}
		for range 2 { // the second replaces the first
			if err := s.AddChunk(Added{ID: "M", N: 1, Body: stage(t, s, "M", 1, "first")}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(files(t, dir)); n > 1 || read(t, s, "M", 1) != "first" {
			t.Errorf("inline %d: %d files for one chunk", inline, n)
		}
		for _, n := range []int{3, 2} { // in any order
			if err := s.AddChunk(Added{ID: "M", N: n, Body: stage(t, s, "M", n, fmt.Sprintf("chunk %d", n))}, noon); err != nil {
				t.Fatal(err)
			}
		}
		m, ok := s.Get("M")
		if !ok || m.Status != wire.StatusAccepted || m.Seq != 1 || m.Size != 19 || s.Count("B") != 1 {
			t.Fatalf("%+v", m)
		}
		if got := read(t, s, "M", 1) + read(t, s, "M", 2) + read(t, s, "M", 3); got != "firstchunk 2chunk 3" {
			t.Errorf("inline %d: body %q", inline, got)
		}
		if err := s.AddChunk(Added{ID: "M", N: 2, Body: stage(t, s, "M", 2, "late change")}, noon); !errors.Is(err, ErrState) {
			t.Errorf("a whole message was changed: %v", err)
		}
		for range 2 {
			if err := s.Acknowledge("M", noon); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.OpenChunk("M", 1); !errors.Is(err, ErrGone) {
			t.Errorf("body after acknowledgement: %v", err)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("files are left: %v", left)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, t.TempDir(), 10)
	create(t, s, "M", 2, "x")
	for what, err := range map[string]error{
		"unknown chunk":   s.AddChunk(Added{ID: "N", N: 2, Body: stage(t, s, "N", 2, "x")}, noon),
		"unknown message": s.Acknowledge("N", noon),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Create(Meta{ID: "M", Total: 1}, noon, stage(t, s, "M", 1, "y")); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	if err := s.Acknowledge("M", noon); !errors.Is(err, ErrState) {
		t.Errorf("acknowledged while uploading: %v", err)
	}
	for what, err := range map[string]error{
		"chunk beyond the total": s.AddChunk(Added{ID: "M", N: 3, Body: stage(t, s, "M", 3, "x")}, noon),
		"chunk zero":             s.AddChunk(Added{ID: "M", N: 0, Body: stage(t, s, "M", 0, "x")}, noon),
		"no chunks":              s.Create(Meta{ID: "Z"}, noon, stage(t, s, "Z", 1, "x")),
	} {
		if !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := s.OpenChunk("M", 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing chunk: %v", err)
	}
	if read(t, s, "M", 1) != "x" {
		t.Error("refused calls changed the body")
	}
	if _, err := Open(t.TempDir(), Options{Inline: -1}); err == nil {
		t.Error("negative inline size taken")
	}
}

func TestDirectoryBelongsToOne(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10)
	if _, err := Open(dir, Options{Inline: 10}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(Meta{ID: "M", Total: 1}, noon, &Body{}); !errors.Is(err, ErrClosed) {
		t.Errorf("create after close: %v", err)
	}
	open(t, dir, 10)
}

func TestConcurrentChangesShareTheJournal(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 50)
	const workers, each = 8, 25
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("W%dI%d", w, i)
				body := strings.Repeat("x", i*4) // some inline, some in files
				create(t, s, id, 1, body)
				if got := read(t, s, id, 1); got != body {
					t.Errorf("%s: %d bytes came back of %d", id, len(got), len(body))
				}
				if i%2 == 0 {
					if err := s.Acknowledge(id, noon); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	before := s.Inbox("B")
	_ = s.Close()
	s = open(t, dir, 50)
	if after := s.Inbox("B"); !reflect.DeepEqual(before, after) || len(after) != workers*(each/2) {
		t.Errorf("%d messages before, %d after, or another order", len(before), len(after))
	}
}

// someChange makes one, which may be refused, and returns the messages that it may have made.
func someChange(rt *rapid.T, s *Spool, at time.Time) (ids []string) {
	id := fmt.Sprintf("M%d", rapid.IntRange(0, 4).Draw(rt, "id"))
	b, err := s.Stage(id, 1, strings.NewReader(rapid.StringN(0, 6, -1).Draw(rt, "body")), -1)
	if err != nil {
		rt.Fatal(err)
	}
	switch rapid.IntRange(0, 6).Draw(rt, "op") {
	case 0:
		_ = s.Create(Meta{ID: id, From: "A", To: "B", LocalID: "L", Total: rapid.IntRange(1, 2).Draw(rt, "total")}, at, b)
	case 1:
		_ = s.AddChunk(Added{ID: id, N: rapid.IntRange(1, 2).Draw(rt, "n"), Body: b}, at)
	case 2:
		_ = s.Fail(Meta{ID: id, From: "A", To: "B", LocalID: "L"}, at, &Meta{ID: "R" + id, To: "A", Total: 1, LinkedID: id})
		ids = append(ids, "R"+id)
	case 3:
		verdict := Verdict{Status: rapid.SampledFrom([]string{"accepted", "acknowledged", "undeliverable", "error"}).Draw(rt, "status"), Code: "C"}
		_ = s.End(at, Ending{ID: id, Verdict: verdict, Report: &Meta{ID: "E" + id, To: "A", Total: 1}})
		ids = append(ids, "E"+id)
	case 4:
		if err := s.Delete(id); err != nil {
			rt.Fatal(err)
		}
	default:
		_ = s.Acknowledge(id, at)
	}
	return append(ids, id)
}

// look describes all that can be seen of a spool.
func look(s *Spool, ids []string) string {
	var out strings.Builder
	fmt.Fprintln(&out, s.Inbox("B"), s.Count("B"), s.ByLocalID("A", "L"), s.List(Query{Mailbox: "B", Max: 10}))
	history, _ := s.History(HistoryQuery{Mailbox: "B", Max: 100})
	fmt.Fprintln(&out, history)
	for _, id := range ids {
		m, ok := s.Get(id)
		fmt.Fprintln(&out, m, ok)
		for n := 1; n <= 2; n++ {
			if r, size, err := s.OpenChunk(id, n); err == nil {
				raw, err := io.ReadAll(r)
				_ = r.Close()
				fmt.Fprintf(&out, "%s.%d: %q %d %v\n", id, n, raw, size, err)
			}
		}
	}
	return out.String()
}

// Whatever was done, a restart finds the same messages in the same order and state, also when the journal is written anew meanwhile.
func TestReplayEqualsLive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := Open(dir, Options{Inline: 3})
		if err != nil {
			rt.Fatal(err)
		}
		var ids []string
		pack := &stepwise{t: rt, s: s}
		for i := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			ids = append(ids, someChange(rt, s, noon.Add(time.Duration(i)*time.Second))...)
			pack.step()
		}
		pack.end()
		before := look(s, ids)
		_ = s.Close()
		if s, err = Open(dir, Options{Inline: 3}); err != nil {
			rt.Fatal(err)
		}
		if after := look(s, ids); after != before {
			rt.Fatalf("before\n%s\nafter\n%s", before, after)
		}
		err = s.pack() // and so does a compacted journal
		_ = s.Close()
		if err != nil {
			rt.Fatal(err)
		}
		if s, err = Open(dir, Options{Inline: 3}); err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		if after := look(s, ids); after != before {
			rt.Fatalf("before\n%s\nafter compaction\n%s", before, after)
		}
	})
}

func TestInboxForgetsWhatIsGone(t *testing.T) {
	b := newLine(waits)
	var all []*entry
	for i := range 1000 {
		e := &entry{Meta: Meta{Status: wire.StatusAccepted, Seq: uint64(i + 1)}}
		all = append(all, e)
		b.add(e)
	}
	gone := func(i int) { all[i].Status = wire.StatusAcknowledged; b.remove() }
	for i := 999; i >= 10; i-- { // newest first: the worst order
		gone(i)
		if len(b.entries) > 2*b.count() {
			t.Fatalf("%d entries for %d waiting", len(b.entries), b.count())
		}
	}
	for i := range 10 {
		gone(i)
	}
	if len(b.entries) != 0 || b.count() != 0 {
		t.Errorf("%d entries are left", len(b.entries))
	}
}

func TestListPages(t *testing.T) {
	s := open(t, t.TempDir(), 10)
	for i := range 10 {
		m := Meta{ID: fmt.Sprint(i), To: "B", WorkflowID: map[bool]string{true: "EVEN", false: "ODD"}[i%2 == 0], Total: 1}
		if err := s.Create(m, noon, stage(t, s, m.ID, 1, "x")); err != nil {
			t.Fatal(err)
		}
	}
	odd := func(w string) bool { return w == "ODD" }
	for _, test := range []struct {
		q    Query
		want string
		more bool
	}{
		{Query{Max: 4}, "0 1 2 3", true},
		{Query{Max: 10}, "0 1 2 3 4 5 6 7 8 9", false},
		{Query{Max: 3, After: 7}, "7 8 9", false},
		{Query{Max: 3, After: 10}, "", false},
		{Query{Max: 3, Match: odd}, "1 3 5", true},
		{Query{Max: 5, Match: odd}, "1 3 5 7 9", false},
		{Query{Max: 3, Match: odd, CutFirst: true}, "1", true},
		{Query{Max: 1, Match: odd, CutFirst: true}, "", true},
		{Query{Max: 3, Match: func(string) bool { return false }}, "", false},
	} {
		test.q.Mailbox = "B"
		if got := s.List(test.q); strings.Join(got.IDs, " ") != test.want || got.More != test.more {
			t.Errorf("%+v: %v, more %v", test.q, got.IDs, got.More)
		}
	}
	var walked []string
	for q := (Query{Mailbox: "B", Max: 3, Match: odd, CutFirst: true}); ; {
		p := s.List(q)
		walked = append(walked, p.IDs...)
		if q.After = p.Last; !p.More {
			break
		}
	}
	if !slices.Equal(walked, []string{"1", "3", "5", "7", "9"}) {
		t.Errorf("walked %v", walked)
	}
	if p := s.List(Query{Mailbox: "NOBODY", Max: 3}); len(p.IDs) != 0 || p.IDs == nil {
		t.Errorf("unknown mailbox: %v", p)
	}
}

// A message that is forced back into the inbox after its acknowledgement has no body any more, and that must not keep the spool from opening.
func TestAcknowledgedMessagePutBackSurvivesAReopening(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Inline: 3})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Stage("M1", 1, strings.NewReader("longer than what is kept inline"), -1)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.Create(Meta{ID: "M1", From: "A", To: "B", Total: 1}, noon, b), s.Acknowledge("M1", noon),
		s.End(noon, Ending{ID: "M1", Verdict: Verdict{Status: "accepted"}}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{Inline: 3}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
