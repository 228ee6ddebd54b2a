package store_test

import (
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// BenchmarkWrite measures durable writes of one event each from 64 callers, beside a bare loop that inserts the same rows 64 to a commit.
func BenchmarkWrite(b *testing.B) { benchWrite(b, sqlite(b)) }

// BenchmarkWritePostgreSQL is the same on a PostgreSQL on this machine that does not wait for the disk; the reference is SQLite's.
func BenchmarkWritePostgreSQL(b *testing.B) { benchWrite(b, postgres(b)) }

func benchWrite(b *testing.B, p place) {
	s, err := store.Open(ctx, p.cfg, time.Now)
	must(b, err)
	defer s.Close()
	var n atomic.Int64
	b.ResetTimer()
	m := message("M1", "x")
	b.SetParallelism(64 / 2)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e := flagOf(b, m, int(n.Add(1)))
			must(b, s.Write(ctx, func(tx *store.Tx) error { return tx.AddEvent(e) }))
		}
	})
	b.StopTimer()
	ours := float64(b.Elapsed()) / float64(n.Load())
	b.ReportMetric(bareInsert(b, m)/ours, "x_ref:bare-insert-loop")
	b.ReportMetric(1e9/ours, "events/s")
}

// bareInsert returns the nanoseconds a row of the reference.
func bareInsert(b *testing.B, m engine.Message) float64 {
	b.Helper()
	const rows, group = 16_384, 64
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE event (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB)`)
	must(b, err)
	start := time.Now()
	for first := 0; first < rows; first += group {
		tx, err := db.Begin()
		must(b, err)
		st, err := tx.Prepare(`INSERT INTO event (id, body) VALUES (?,?)`)
		must(b, err)
		for i := range group {
			e := flagOf(b, m, first+i)
			body, err := e.Encode()
			must(b, err)
			_, err = st.Exec(string(e.ID), body)
			must(b, err)
		}
		must(b, tx.Commit())
	}
	return float64(time.Since(start)) / rows
}
