// Package store is the durable record: raw messages and mappings by digest, events and their outbox, faults, the register's rows,
// accesses, notices and the effect ledger, on SQLite.
//
// Everything is written through Write, which commits many callers' changes with one fsync (group commit). Nothing that Write returned
// without an error can be lost by a crash of the process or of the machine: the database runs in WAL mode with full synchronisation.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says where the record is kept.
type Config struct {
	Path    string // the SQLite file; its folder must exist. WAL files lie beside it
	Readers int    // connections for reading beside the one that writes
	Batch   int    // the most changes that share one commit
}

// Default returns the settings of the embedded default, without a path.
func Default() Config { return Config{Readers: 4, Batch: 1024} }

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("store.path: is missing"))
	}
	if c.Readers < 1 {
		errs = append(errs, errors.New("store.readers: must be at least 1"))
	}
	if c.Batch < 1 {
		errs = append(errs, errors.New("store.batch: must be at least 1"))
	}
	return errors.Join(errs...)
}

// Store is the open record. It is safe for concurrent use.
type Store struct {
	read  *sql.DB
	write *sql.DB
	conn  *sql.Conn // the one connection of write
	now   func() time.Time

	batch int
	jobs  chan *job
	quit  chan struct{}
	ended chan struct{}
	close sync.Once

	wake map[engine.Kind]chan struct{}
	post chan struct{}
}

// Open opens or creates the record, brings its tables up to date and starts the writer. now is the clock of every row's time.
func Open(ctx context.Context, cfg Config, now func() time.Time) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{
		now: now, batch: cfg.Batch, jobs: make(chan *job, cfg.Batch),
		quit: make(chan struct{}), ended: make(chan struct{}),
		wake: map[engine.Kind]chan struct{}{}, post: make(chan struct{}, 1),
	}
	for _, k := range engine.Kinds() {
		s.wake[k] = make(chan struct{}, 1)
	}
	if err := s.connect(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.disconnect())
	}
	go s.writer()
	return s, nil
}

func (s *Store) connect(ctx context.Context, cfg Config) error {
	// The record holds personal data: nobody but its owner may read the file, whatever the process's umask.
	f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(cfg.Path)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(cfg.Path)+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(cfg.Readers)
	s.read.SetMaxIdleConns(cfg.Readers)
	return s.read.PingContext(ctx)
}

// dsn asks for WAL with full synchronisation: a commit has reached the disk when it returns (SQLite, PRAGMA synchronous).
func dsn(path string) string {
	sync := "synchronous(FULL)"
	if teeth.Bite("commits-stay-in-memory") {
		sync = "synchronous(OFF)"
	}
	pragmas := []string{"busy_timeout(10000)", "journal_mode(WAL)", sync, "foreign_keys(1)", "cache_size(-65536)",
		"temp_store(MEMORY)", "wal_autocheckpoint(4000)"}
	q := url.Values{"_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithVerbose(false))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close waits for the changes already handed to Write and closes the database. Later Writes fail.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.quit)
		<-s.ended
		err = s.disconnect()
	})
	return err
}

func (s *Store) disconnect() error {
	var errs []error
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Wake tells that an event of kind k may have become due for publishing. It may fire without cause and it coalesces.
func (s *Store) Wake(k engine.Kind) <-chan struct{} { return s.wake[k] }

// WakeCourier tells that an effect may have become due for sending.
func (s *Store) WakeCourier() <-chan struct{} { return s.post }

// micros is how times are stored: microseconds since 1970.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*engine.Error](err); ok {
		return e
	}
	return &engine.Error{Op: op, Kind: engine.Unavailable, Text: "the record cannot be reached", Err: err}
}
