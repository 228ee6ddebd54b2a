package store

import (
	"context"
	"database/sql"
	"errors"
)

// view is the record at one moment, for several reads that have to agree. It keeps no writer waiting.
type view struct {
	ctx   context.Context
	store *Store
	tx    *sql.Tx
}

// view runs do over one moment of the record: SQLite reads a snapshot of its WAL, PostgreSQL one of REPEATABLE READ.
func (s *Store) view(ctx context.Context, do func(view) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.Shared() {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return unavailable("store read", err)
	}
	return errors.Join(do(view{ctx, s, tx}), unavailable("store read", tx.Rollback()))
}

func (v view) query(query string, args ...any) (*sql.Rows, error) {
	rows, err := v.tx.QueryContext(v.ctx, v.store.text(query), v.store.dialect.args(args)...)
	return rows, unavailable("store read", err)
}

func (v view) row(query string, args ...any) *sql.Row {
	return v.tx.QueryRowContext(v.ctx, v.store.text(query), v.store.dialect.args(args)...)
}
