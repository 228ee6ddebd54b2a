// Package store is the durable record: raw messages and mappings by digest, events and their outbox, faults, the register's rows,
// accesses, notices, the effect ledger and leases, on SQLite or on PostgreSQL.
//
// Everything is written through Write, which commits many callers' changes with one fsync (group commit). Nothing that Write returned
// without an error can be lost by a crash of the process or of the machine: SQLite runs in WAL mode with full synchronisation, PostgreSQL
// with synchronous commit. SQLite has one writer; on PostgreSQL several connections and several processes write at once, under READ
// COMMITTED, so every query here that reads in order to write either locks what it read or says in its condition what must still hold.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/engine"
)

// Config says where the record is kept: Path or URL, not both.
type Config struct {
	Path     string // the SQLite file; its folder must exist. WAL files lie beside it
	URL      string // a PostgreSQL database: postgres://user@host:port/name, without a password
	Password string // of the PostgreSQL user, where it needs one. Never shown
	Readers  int    // connections for reading beside those that write
	Writers  int    // connections that write to a PostgreSQL; SQLite has one
	Batch    int    // the most changes that share one commit
	// Committed is told of every commit: how many changes shared it, how long it took, and why it failed. It must return at once. nil: nobody.
	Committed func(changes int, took time.Duration, err error)
}

// Default returns the settings of the embedded default, without a place.
func Default() Config { return Config{Readers: 4, Writers: 4, Batch: 1024} }

// String names the kind of database only.
func (c Config) String() string {
	if c.URL != "" {
		return "PostgreSQL"
	}
	return "SQLite"
}

// GoString names the kind of database only.
func (c Config) GoString() string { return c.String() }

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	switch {
	case c.Path == "" && c.URL == "":
		errs = append(errs, errors.New("store.path: is missing"))
	case c.Path != "" && c.URL != "":
		errs = append(errs, errors.New("store: path and url exclude each other"))
	case c.URL != "":
		errs = append(errs, checkURL(c.URL))
	}
	if c.Readers < 1 {
		errs = append(errs, errors.New("store.readers: must be at least 1"))
	}
	if c.Writers < 1 {
		errs = append(errs, errors.New("store.writers: must be at least 1"))
	}
	if c.Batch < 1 {
		errs = append(errs, errors.New("store.batch: must be at least 1"))
	}
	return errors.Join(errs...)
}

// Store is the open record. It is safe for concurrent use.
type Store struct {
	dialect *dialect
	read    *sql.DB
	write   *sql.DB
	clock   clock
	texts   sync.Map // query as written -> in the dialect
	asked   sync.Map // query as written -> *sql.Stmt for reading

	heads     heads
	deflaters sync.Pool // of *flate.Writer: one is larger than most of what it writes

	batch   int
	told    func(changes int, took time.Duration, err error)
	jobs    chan *job
	quit    chan struct{}
	ended   chan struct{} // closed when the last writer has ended
	writing sync.WaitGroup
	close   sync.Once
	forgot  atomic.Int64 // when keys that may be taken once were last forgotten, in microseconds

	flying     map[engine.Kind]*flying
	wake       map[engine.Kind]chan struct{}
	neighbours *neighbours // nil where the record is this process's own
	post       chan struct{}
}

// Open opens or creates the record, brings its tables up to date and starts the writers. now is the clock of every row's time; nil means
// the database's own, which is what several processes have in common.
func Open(ctx context.Context, cfg Config, now func() time.Time) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{
		clock: clock{given: now}, batch: cfg.Batch, jobs: make(chan *job, cfg.Batch),
		quit: make(chan struct{}), ended: make(chan struct{}),
		wake: map[engine.Kind]chan struct{}{}, flying: map[engine.Kind]*flying{}, post: make(chan struct{}, 1),
	}
	for _, k := range engine.Kinds() {
		s.wake[k], s.flying[k] = make(chan struct{}, 1), &flying{}
	}
	if s.told = cfg.Committed; s.told == nil {
		s.told = func(int, time.Duration, error) {}
	}
	connect, writers := s.connectSQLite, 1
	if cfg.URL != "" {
		connect, writers = s.connectPostgres, cfg.Writers
	}
	if err := connect(ctx, cfg); err != nil {
		s.part()
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.disconnect())
	}
	for range writers {
		tx := newTx(s)
		s.writing.Go(func() { s.writer(tx) })
	}
	go func() {
		s.writing.Wait()
		close(s.ended)
	}()
	return s, nil
}

// Close waits for the changes already handed to Write and closes the database. Later Writes fail.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.quit)
		<-s.ended
		s.part()
		err = s.disconnect()
	})
	return err
}

func (s *Store) disconnect() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// text returns a query in the words of the database.
func (s *Store) text(query string) string {
	if t, ok := s.texts.Load(query); ok {
		return t.(string)
	}
	t := s.dialect.sql(query)
	s.texts.Store(query, t)
	return t
}

func (s *Store) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if st := s.prepared(ctx, query); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.read.QueryContext(ctx, s.text(query), s.dialect.args(args)...)
}

func (s *Store) row(ctx context.Context, query string, args ...any) *sql.Row {
	if st := s.prepared(ctx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return s.read.QueryRowContext(ctx, s.text(query), s.dialect.args(args)...)
}

// prepared returns a query of ours prepared for SQLite's readers, once for as long as the store is open; nil: ask without. PostgreSQL's driver keeps
// its own.
func (s *Store) prepared(ctx context.Context, query string) *sql.Stmt {
	if s.Shared() {
		return nil
	}
	if st, ok := s.asked.Load(query); ok {
		return st.(*sql.Stmt)
	}
	st, err := s.read.PrepareContext(ctx, s.text(query))
	if err != nil { // asking tells why
		return nil
	}
	first, was := s.asked.LoadOrStore(query, st)
	if was {
		_ = st.Close() // nobody has used it
	}
	return first.(*sql.Stmt)
}

// Shared reports whether several processes may work on the record at once.
func (s *Store) Shared() bool { return s.dialect.numbered }

// Wake tells that an event of kind k may have become due for publishing, in this process or in another that shares the record. It may fire
// without cause, it coalesces, and what another process tells can be missed: look by yourself now and then.
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
	return &engine.Error{Op: op, Kind: engine.Unavailable, Text: "the record cannot be reached", Err: hideReply(err)}
}
