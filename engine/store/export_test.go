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

// TakenKeys counts the keys that are remembered.
func (s *Store) TakenKeys(ctx context.Context) (n int, err error) {
	return n, s.row(ctx, `SELECT count(*) FROM one_use`).Scan(&n)
}
