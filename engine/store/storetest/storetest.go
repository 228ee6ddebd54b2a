// Package storetest gives each test an empty record of its own, on SQLite or on PostgreSQL: the tables are made once for a test binary, and every
// record after that is a copy.
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"signalbox/engine/store"
	"signalbox/engine/store/pgtest"
)

// Records makes the records of one test binary. Its zero value is ready; TestMain calls Main. It is safe for concurrent use.
type Records struct {
	server pgtest.Shared
	sqlite template
	pg     template
}

// template is a record with tables and without rows.
type template struct {
	once  sync.Once
	err   error
	bytes []byte // of an SQLite file
	name  string // of a PostgreSQL database
}

// Main runs the tests, stops what they have started and looks for goroutines that were left behind. It returns the exit code.
func (r *Records) Main(m *testing.M) int {
	code := m.Run()
	r.server.Stop()
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

// Server returns the PostgreSQL of the binary, for tests that kill it. It starts with its first use.
func (r *Records) Server(t testing.TB) *pgtest.Server {
	t.Helper()
	return r.server.Get(t)
}

// SQLite returns where an empty record lies that no other test has.
func (r *Records) SQLite(t testing.TB) store.Config {
	t.Helper()
	cfg := r.BareSQLite(t)
	r.Lay(t, cfg.Path)
	return cfg
}

// Failer is what a test and a try of a property test have in common: *testing.T and *rapid.T are one.
type Failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Lay puts an empty record at path, where there is no file yet.
func (r *Records) Lay(t Failer, path string) {
	t.Helper()
	r.sqlite.once.Do(func() { r.sqlite.bytes, r.sqlite.err = sqliteTemplate() })
	if r.sqlite.err != nil {
		t.Fatalf("storetest: make the tables of a SQLite record: %v", r.sqlite.err)
	}
	if err := os.WriteFile(path, r.sqlite.bytes, 0o600); err != nil {
		t.Fatalf("storetest: copy the record: %v", err)
	}
}

// PostgreSQL returns where an empty record lies that no other test has.
func (r *Records) PostgreSQL(t testing.TB) store.Config {
	t.Helper()
	server := r.server.Get(t)
	r.pg.once.Do(func() { r.pg.name, r.pg.err = postgresTemplate(t, server) })
	if r.pg.err != nil {
		t.Fatalf("storetest: make the tables of a PostgreSQL record: %v", r.pg.err)
	}
	return at(server, server.Copy(t, r.pg.name))
}

// BareSQLite returns a place without a file: for tests of how the tables are made.
func (*Records) BareSQLite(t testing.TB) store.Config {
	t.Helper()
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record with a space.db")
	return cfg
}

// BarePostgreSQL returns a database without tables.
func (r *Records) BarePostgreSQL(t testing.TB) store.Config {
	t.Helper()
	server := r.server.Get(t)
	return at(server, server.Database(t))
}

// Each runs a test on both databases, each time with an empty record.
func (r *Records) Each(t *testing.T, test func(t *testing.T, cfg store.Config)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, r.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, r.PostgreSQL(t)) })
}

func at(server *pgtest.Server, url string) store.Config {
	cfg := store.Default()
	cfg.URL, cfg.Password = url, server.Password()
	return cfg
}

// sqliteTemplate makes a record and returns its file. Closing it brings everything from the log into the file.
func sqliteTemplate() ([]byte, error) {
	dir, err := os.MkdirTemp("", "signalbox-storetest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := store.Default()
	cfg.Path = filepath.Join(dir, "record.db")
	if err := makeTables(cfg); err != nil {
		return nil, err
	}
	return os.ReadFile(cfg.Path)
}

func postgresTemplate(t testing.TB, server *pgtest.Server) (name string, err error) {
	url := server.Database(t)
	if err := makeTables(at(server, url)); err != nil {
		return "", err
	}
	return pgtest.Name(url), nil
}

func makeTables(cfg store.Config) error {
	s, err := store.Open(context.Background(), cfg, nil)
	if err != nil {
		return err
	}
	return s.Close()
}
