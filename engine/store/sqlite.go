package store

import (
	"context"
	"database/sql"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"signalbox/internal/teeth"
)

func (s *Store) connectSQLite(ctx context.Context, cfg Config) error {
	s.dialect = sqliteDialect()
	// The record holds personal data: nobody but its owner may read the file, whatever the process's umask.
	f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(cfg.Path)+"&_pragma=cache_size("+writerCache+")"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(cfg.Path)+"&_pragma=query_only(1)&_pragma=cache_size("+readerCache+")"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(cfg.Readers)
	s.read.SetMaxIdleConns(cfg.Readers)
	return s.read.PingContext(ctx)
}

// What a connection keeps of the file in memory, in KiB. The writer needs the pages that a load comes back to; what readers want has just
// been written, and the operating system has it.
const (
	writerCache = "-65536"
	readerCache = "-8192"
)

// dsn asks for WAL with full synchronisation: a commit has reached the disk when it returns (SQLite, PRAGMA synchronous). The log grows to 64 MB
// before it is carried over: the register's pages are written in no order, and each is then carried over once for many changes.
func dsn(path string) string {
	sync := "synchronous(FULL)"
	if teeth.Bite("commits-stay-in-memory") {
		sync = "synchronous(OFF)"
	}
	pragmas := []string{"busy_timeout(10000)", "journal_mode(WAL)", sync, "foreign_keys(1)",
		"temp_store(MEMORY)", "wal_autocheckpoint(16000)"}
	q := url.Values{"_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
