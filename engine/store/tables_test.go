package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// A table that nobody has thought about would grow for ever, or lose what is needed.
func testEveryTableIsKeptOrCleared(t *testing.T, p place) {
	s := p.open(t)
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if s.Shared() {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	}
	rows, err := s.Query(ctx, query)
	must(t, err)
	defer rows.Close()
	listed := store.Tables()
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		if _, ok := listed[name]; !ok {
			t.Errorf("table %s is not in the list of tables: say why its rows stay, or which of them go", name)
		}
		delete(listed, name)
	}
	must(t, rows.Err())
	for name := range listed {
		t.Errorf("table %s of the list is not in the record", name)
	}
}

func testOldRowsGoWithTheirOutcome(t *testing.T, p place) {
	s := p.open(t)
	note := func(m engine.Message, fileID string) {
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			return tx.NoteUpload(store.Upload{Message: m.ID, Authority: "999", FileID: fileID, Received: m.Received})
		}))
	}
	var all []engine.Message
	for i, name := range []string{"answered", "unanswered", "failed", "newest"} {
		m := message(name, name)
		m.Received = time.Date(2026, 10, 1, 3, i, 0, 0, time.UTC)
		all = append(all, m)
		done(t, s, m, rejected(1))
		note(m, name)
		must(t, s.KeepResponse(ctx, store.Response{Message: m.ID, Client: "T", Endpoint: "https://t.example"}))
	}
	open := message("open", "open") // without its outcome
	open.Received = time.Date(2026, 9, 1, 3, 0, 0, 0, time.UTC)
	_, err := s.Intake(ctx, open)
	must(t, err)
	note(open, "open")
	must(t, s.KeepResponse(ctx, store.Response{Message: open.ID, Client: "T", Endpoint: "https://t.example"}))
	must(t, s.ResponseDone(ctx, open.ID))
	must(t, s.ResponseDone(ctx, all[0].ID))
	must(t, s.ResponseMissed(ctx, all[2].ID, "gone", time.Now(), true))
	must(t, s.KeepDisagreement(ctx, store.Disagreement{Digest: "d", Class: "undecided", Reader: "own"}))
	who := engine.Subject{NHSNumber: number(t, "9990000018")}
	must(t, s.KeepTraces(ctx, []store.Traced{{Key: store.TraceKeyOf(who, "test"), NHSNumber: who.NHSNumber, At: time.Now()}}))

	long := time.Now().Add(-365 * 24 * time.Hour)
	if n, err := s.ClearOld(ctx, long); n != 0 || err != nil {
		t.Errorf("%d rows of today are older than a year, %v", n, err)
	}
	_, err = s.ClearOld(ctx, time.Now().Add(time.Hour))
	must(t, err)
	for table, want := range map[string]int{
		"response":     4, // one was sent; of the open message it stays too
		"upload":       2, // the newest, and that of the open message
		"disagreement": 0, "trace": 0, "message": 5, "fault": 4,
	} {
		if n := rowsOf(t, s, table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
}

// text is a body of so many bytes that compresses about as badly as noise.
func text(bytes int) string {
	var b strings.Builder
	for n := uint64(88172645463325252); b.Len() < bytes; {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
		b.WriteByte(byte('a' + n%26))
	}
	return b.String()
}

func write(t testing.TB, s *store.Store, body string) *store.Spool {
	t.Helper()
	spool := s.NewSpool(ctx)
	for piece := range slices.Chunk([]byte(body), 100_000) {
		_, err := spool.Write(piece)
		must(t, err)
	}
	return spool
}

func parts(t testing.TB, s *store.Store) int { return rowsOf(t, s, "part") }

func rowsOf(t testing.TB, s *store.Store, table string) (n int) {
	t.Helper()
	rows, err := s.Query(ctx, "SELECT count(*) FROM "+table)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		must(t, rows.Scan(&n))
	}
	must(t, rows.Err())
	return n
}
