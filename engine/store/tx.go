package store

import (
	"context"
	"database/sql"
	"time"

	"signalbox/engine"
)

// Tx is one open transaction. It is valid only inside the change that Write was given, in that goroutine.
type Tx struct {
	store      *Store
	ctx        context.Context // of the attempt
	conn       *sql.Conn       // nil until it is needed, and after it broke
	statements map[string]*sql.Stmt
	now        time.Time
	resolved   map[string]int     // message id -> events resolved in this transaction
	applied    map[string][]int64 // message id -> records whose flag events were resolved in this transaction
	seqs       map[eventKey]int64 // rows of events that this transaction has met
	wake       map[engine.Kind]bool
	post       bool
}

func newTx(s *Store) *Tx { return &Tx{store: s, statements: map[string]*sql.Stmt{}} }

// begin opens a transaction. Transactions of several writers run beside each other; one that the database has undone before has the database to
// itself, so that it cannot be undone again.
func (tx *Tx) begin(ctx context.Context, now time.Time, alone bool) error {
	tx.ctx, tx.now, tx.post = ctx, now.UTC(), false
	tx.resolved, tx.wake, tx.seqs = map[string]int{}, map[engine.Kind]bool{}, map[eventKey]int64{}
	tx.applied = map[string][]int64{}
	if tx.conn != nil && broken(tx.conn) {
		tx.disconnect()
	}
	if err := tx.connect(); err != nil {
		return err
	}
	err := tx.exec(tx.store.dialect.begin)
	if enter := tx.store.dialect.enter; err == nil && enter != "" {
		if alone {
			enter = tx.store.dialect.alone
		}
		err = tx.exec(enter)
	}
	if err != nil {
		tx.disconnect()
	}
	return err
}

func (tx *Tx) connect() (err error) {
	if tx.conn != nil {
		return nil
	}
	if tx.conn, err = tx.store.write.Conn(tx.ctx); err != nil {
		tx.conn = nil
		return err
	}
	if tx.store.Shared() {
		_, err = tx.conn.ExecContext(tx.ctx, durable)
	}
	return err
}

// disconnect gives the connection back; a broken one is closed by that.
func (tx *Tx) disconnect() {
	for query, st := range tx.statements {
		_ = st.Close() // the connection is closed or given back next
		delete(tx.statements, query)
	}
	if tx.conn != nil {
		_ = tx.conn.Close() // there is nothing that a failure would change
		tx.conn = nil
	}
}

// Now returns the time of the transaction; every row that it writes carries it.
func (tx *Tx) Now() time.Time { return tx.now }

// rollback undoes the transaction. A connection that cannot even do that is given up, and the database undoes it.
func (tx *Tx) rollback() error {
	err := tx.exec("ROLLBACK")
	if err != nil {
		tx.disconnect()
	}
	return err
}

// prepare keeps one prepared statement a query for as long as the connection lives.
func (tx *Tx) prepare(query string) (*sql.Stmt, error) {
	if st, ok := tx.statements[query]; ok {
		return st, nil
	}
	st, err := tx.conn.PrepareContext(tx.ctx, tx.store.dialect.sql(query))
	if err != nil {
		return nil, err
	}
	tx.statements[query] = st
	return st, nil
}

func (tx *Tx) exec(query string, args ...any) error {
	_, err := tx.changed(query, args...)
	return err
}

func (tx *Tx) run(query string, args ...any) (sql.Result, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, unavailable("store prepare", err)
	}
	res, err := st.ExecContext(tx.ctx, tx.store.dialect.args(args)...)
	return res, unavailable("store write", err)
}

// changed runs a statement and returns how many rows it changed.
func (tx *Tx) changed(query string, args ...any) (int64, error) {
	res, err := tx.run(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return n, unavailable("store write", err)
}

// insert runs an INSERT ... ON CONFLICT DO NOTHING into a table with a serial seq, and returns the new row's, or fresh as false.
func (tx *Tx) insert(query string, args ...any) (seq int64, fresh bool, err error) {
	if tx.store.Shared() {
		fresh, err = tx.scan(query+" RETURNING seq", args, &seq)
		return seq, fresh, err
	}
	res, err := tx.run(query, args...) // SQLite's driver is quicker without RETURNING
	if err != nil {
		return 0, false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, false, unavailable("store write", err)
	}
	seq, err = res.LastInsertId()
	return seq, true, unavailable("store write", err)
}

func (tx *Tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, unavailable("store prepare", err)
	}
	rows, err := st.QueryContext(tx.ctx, tx.store.dialect.args(args)...)
	return rows, unavailable("store read", err)
}

// scan reads the first row of a query into into and reports whether there was one.
func (tx *Tx) scan(query string, args []any, into ...any) (bool, error) {
	rows, err := tx.query(query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, unavailable("store read", rows.Err())
	}
	if err := rows.Scan(into...); err != nil {
		return false, unavailable("store read", err)
	}
	for rows.Next() { // the rest, so that a statement that writes is carried out in full
	}
	return true, unavailable("store read", rows.Err())
}

// announce wakes those who wait for what this transaction made due. Called after the commit only.
func (tx *Tx) announce() {
	for k := range tx.wake {
		signal(tx.store.wake[k])
		tx.store.neighbours.tell(string(k))
	}
	if tx.post {
		signal(tx.store.post)
		tx.store.neighbours.tell(courierWord)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
