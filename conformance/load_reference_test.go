package conformance_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/store"
)

// leftBy names what a load leaves in the record: a file's rows are one batch, as the engine writes them.
var leftBy = []struct{ table, columns, file string }{
	{"raw", "digest, body, created, encoding, size", "digest = (SELECT m.digest FROM message m WHERE m.id = ?)"},
	{"message", "id, source, upstream, sender, workflow, local_id, file_name, digest, received, state, mapping, records, accepted, open", "id = ?"},
	{"event", "id, kind, message, position, body", "message = ?"},
	{"flag", "nhs, la, plan, version, event", "event IN (SELECT e.seq FROM event e WHERE e.message = ?)"},
}

// bareRate writes the rows that a load has left into an empty record of the same kind and returns how many records a second that is: one
// prepared INSERT a row, the rows of one table and file in one transaction, each commit as durable as the engine's. It reads nothing, decides
// nothing, and nothing that the engine writes and removes again is among the rows.
func bareRate(b *testing.B, from app.Store) float64 {
	b.Helper()
	to := app.Store{Path: filepath.Join(b.TempDir(), "bare.db")}
	if from.URL != "" {
		pg := server.Get(b)
		to = app.Store{URL: pg.Database(b), Password: app.Held(pg.Password())}
	}
	cfg := store.Default()
	cfg.Path, cfg.URL = to.Path, to.URL
	if to.URL != "" {
		cfg.Password = server.Get(b).Password()
	}
	s, err := store.Open(context.Background(), cfg, nil) // for its tables
	harness.Must(b, err)
	harness.Must(b, s.Close())
	source, target := bare(b, from), bare(b, to)
	var took time.Duration
	records := 0
	for _, message := range column(b, source, `SELECT id FROM message ORDER BY received`) {
		for _, t := range leftBy {
			rows := read(b, source, numbered(from, "SELECT "+t.columns+" FROM "+t.table+" WHERE "+t.file), message)
			insert := numbered(from, "INSERT INTO "+t.table+" ("+t.columns+") VALUES ("+strings.TrimSuffix(strings.Repeat("?,", len(rows[0])), ",")+")")
			start := time.Now()
			tx, err := target.Begin()
			harness.Must(b, err)
			st, err := tx.Prepare(insert)
			harness.Must(b, err)
			for _, row := range rows {
				_, err := st.Exec(row...)
				harness.Must(b, err)
			}
			harness.Must(b, tx.Commit())
			took += time.Since(start)
			if t.table == "flag" {
				records += len(rows)
			}
		}
	}
	if records != loadRecords {
		b.Fatalf("the load has left %d flags", records)
	}
	return float64(records) / took.Seconds()
}

// bare opens a record without the engine.
func bare(b *testing.B, at app.Store) *sql.DB {
	b.Helper()
	driver, name := "sqlite", "file:"+at.Path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(16000)"
	if at.URL != "" {
		driver, name = "pgx", strings.Replace(at.URL, "@", ":"+server.Get(b).Password()+"@", 1)
	}
	db, err := sql.Open(driver, name)
	harness.Must(b, err)
	b.Cleanup(func() { harness.Must(b, db.Close()) })
	db.SetMaxOpenConns(1)
	return db
}

func numbered(at app.Store, query string) string {
	if at.URL == "" {
		return query
	}
	for n := 1; strings.Contains(query, "?"); n++ {
		query = strings.Replace(query, "?", fmt.Sprint("$", n), 1)
	}
	return query
}

func column(b *testing.B, db *sql.DB, query string) []any {
	b.Helper()
	var out []any
	for _, row := range read(b, db, query) {
		out = append(out, row[0])
	}
	return out
}

func read(b *testing.B, db *sql.DB, query string, args ...any) [][]any {
	b.Helper()
	rows, err := db.Query(query, args...)
	harness.Must(b, err)
	defer rows.Close()
	names, err := rows.Columns()
	harness.Must(b, err)
	var out [][]any
	for rows.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		harness.Must(b, rows.Scan(into...))
		out = append(out, row)
	}
	harness.Must(b, rows.Err())
	return out
}
