package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5/stdlib"
)

// UpTo makes a record as an earlier version of the tables had it, and returns its database with what writes a query in its words.
func UpTo(ctx context.Context, cfg Config, version int64) (*sql.DB, func(query string) string, error) {
	s := &Store{dialect: sqliteDialect()}
	var err error
	if cfg.URL != "" {
		conf, err := cfg.postgres()
		if err != nil {
			return nil, nil, err
		}
		s.dialect, s.write = postgresDialect(), stdlib.OpenDB(*conf)
	} else if s.write, err = sql.Open("sqlite", dsn(cfg.Path)); err != nil {
		return nil, nil, err
	}
	provider, err := s.migrations()
	if err == nil {
		_, err = provider.UpTo(ctx, version)
	}
	return s.write, s.dialect.sql, err
}

// Tables names every table of the list, and whether its old rows are removed.
func Tables() map[string]bool {
	out := map[string]bool{}
	for _, t := range tables() {
		out[t.name] = t.old != ""
		if (t.kept == "") == (t.old == "") {
			panic("table " + t.name + " is neither kept with a reason nor cleared, or both")
		}
	}
	return out
}

// Query asks the record's own database.
func (s *Store) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.rows(ctx, query, args...)
}

// TakenKeys counts the keys that are remembered.
func (s *Store) TakenKeys(ctx context.Context) (n int, err error) {
	return n, s.row(ctx, `SELECT count(*) FROM one_use`).Scan(&n)
}
