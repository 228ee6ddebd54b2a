package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// job is one caller's change, waiting for its commit.
type job struct {
	change func(*Tx) error
	done   chan error
}

// Write runs change in a transaction and returns when it is durable. Changes of many callers share one commit. change MUST be
// repeatable: when another change of the same commit fails, all but that one are run again from the start. An error of change undoes
// what it did and is returned as it is; any other error is of kind Unavailable.
func (s *Store) Write(ctx context.Context, change func(*Tx) error) error {
	j := &job{change: change, done: make(chan error, 1)}
	select {
	case <-s.quit:
		return &engine.Error{Op: "store write", Kind: engine.Unavailable, Text: "the store is closed"}
	default:
	}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.quit:
		return &engine.Error{Op: "store write", Kind: engine.Unavailable, Text: "the store is closed"}
	}
	if teeth.Bite("answer-before-commit") {
		return nil
	}
	select {
	case err := <-j.done:
		return err
	case <-s.ended:
		select {
		case err := <-j.done:
			return err
		default:
			return &engine.Error{Op: "store write", Kind: engine.Unavailable, Text: "the store is closed"}
		}
	}
}

// writer owns the writing connection: it alone changes the database.
func (s *Store) writer() {
	defer close(s.ended)
	tx := newTx(s)
	defer tx.closeStatements()
	for {
		select {
		case j := <-s.jobs:
			s.commit(tx, s.gather(j))
		case <-s.quit:
			for {
				select {
				case j := <-s.jobs:
					s.commit(tx, s.gather(j))
				default:
					return
				}
			}
		}
	}
}

// gather takes what else is waiting, so that it shares the commit.
func (s *Store) gather(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < s.batch {
		select {
		case j := <-s.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit runs the jobs in one transaction. A job that fails is answered and left out, and the others are run again.
func (s *Store) commit(tx *Tx, jobs []*job) {
	for len(jobs) > 0 {
		failed, err := s.attempt(tx, jobs)
		switch {
		case err == nil:
			for _, j := range jobs {
				j.done <- nil
			}
			tx.announce()
			return
		case failed < 0:
			for _, j := range jobs {
				j.done <- err
			}
			return
		}
		jobs[failed].done <- err
		jobs = append(jobs[:failed:failed], jobs[failed+1:]...)
	}
}

// attempt returns the number of the job that failed, or -1 when the transaction itself did.
func (s *Store) attempt(tx *Tx, jobs []*job) (int, error) {
	tx.begin(s.now())
	if err := tx.exec("BEGIN IMMEDIATE"); err != nil {
		return -1, unavailable("store begin", err)
	}
	for i, j := range jobs {
		if err := j.change(tx); err != nil {
			return i, tx.rollback(err)
		}
	}
	if err := tx.settle(); err != nil {
		return -1, tx.rollback(unavailable("store settle", err))
	}
	if err := tx.exec("COMMIT"); err != nil {
		return -1, tx.rollback(unavailable("store commit", err))
	}
	return 0, nil
}

// Tx is one open transaction. It is valid only inside the change that Write was given, in that goroutine.
type Tx struct {
	store      *Store
	statements map[string]*sql.Stmt
	now        time.Time
	resolved   map[string]int // message id -> events resolved in this transaction
	wake       map[engine.Kind]bool
	post       bool
}

func newTx(s *Store) *Tx { return &Tx{store: s, statements: map[string]*sql.Stmt{}} }

func (tx *Tx) begin(now time.Time) {
	tx.now, tx.post = now.UTC(), false
	tx.resolved, tx.wake = map[string]int{}, map[engine.Kind]bool{}
}

// Now returns the time of the transaction; every row that it writes carries it.
func (tx *Tx) Now() time.Time { return tx.now }

func (tx *Tx) rollback(cause error) error {
	if err := tx.exec("ROLLBACK"); err != nil {
		return fmt.Errorf("%w (and the rollback failed: %w)", cause, err)
	}
	return cause
}

// prepare keeps one prepared statement a query for the life of the writer. It takes no context: the driver would start a goroutine for
// each statement to watch it.
func (tx *Tx) prepare(query string) (*sql.Stmt, error) {
	if st, ok := tx.statements[query]; ok {
		return st, nil
	}
	st, err := tx.store.conn.PrepareContext(context.Background(), query)
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
	res, err := st.Exec(args...)
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

func (tx *Tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := tx.prepare(query)
	if err != nil {
		return nil, unavailable("store prepare", err)
	}
	rows, err := st.Query(args...)
	return rows, unavailable("store read", err)
}

func (tx *Tx) closeStatements() {
	for _, st := range tx.statements {
		_ = st.Close() // the connection is closed next
	}
}

// announce wakes those who wait for what this transaction made due. Called after the commit only.
func (tx *Tx) announce() {
	for k := range tx.wake {
		signal(tx.store.wake[k])
	}
	if tx.post {
		signal(tx.store.post)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
