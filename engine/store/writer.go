package store

import (
	"context"
	"errors"
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
// repeatable: when another change of the same commit fails, or when the database undoes the commit because of another process, it is run
// again from the start. An error of change undoes what it did and is returned as it is; any other error is of kind Unavailable. An error
// can mean that the commit happened and its answer was lost, so what a change does has to be the same when it is done twice.
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

// The bounds of an attempt. A database that does not answer within the timeout counts as gone.
const (
	maxReruns      = 5
	attemptTimeout = time.Minute
)

// writer owns one writing connection. SQLite has one writer, PostgreSQL several.
func (s *Store) writer(tx *Tx) {
	defer tx.disconnect()
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

// commit runs the jobs in one transaction. A job that fails is answered and left out, and the others are run again. When the database
// undid the transaction because it stood in another's way, all are run again, with no other transaction beside them.
func (s *Store) commit(tx *Tx, jobs []*job) {
	for reruns := 0; len(jobs) > 0; {
		began := time.Now()
		failed, err := s.attempt(tx, jobs, reruns > 0)
		if failed < 0 || err == nil {
			s.told(len(jobs), time.Since(began), err)
		}
		switch {
		case err == nil:
			for _, j := range jobs {
				j.done <- nil
			}
			tx.announce()
			return
		case again(err) && reruns < maxReruns:
			reruns++
			continue
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
func (s *Store) attempt(tx *Tx, jobs []*job, alone bool) (int, error) {
	ctx, cancel := s.bound()
	defer cancel()
	if err := tx.begin(ctx, s.Now(), alone); err != nil {
		return -1, unavailable("store begin", err)
	}
	for i, j := range jobs {
		if err := guarded(j.change, tx); err != nil {
			if undone := tx.rollback(); undone != nil {
				return -1, unavailable("store rollback", errors.Join(undone, err))
			}
			return i, err
		}
	}
	if err := tx.settle(); err != nil {
		return -1, errors.Join(unavailable("store settle", err), tx.rollback())
	}
	if err := tx.exec("COMMIT"); err != nil {
		return -1, errors.Join(unavailable("store commit", err), tx.rollback())
	}
	return 0, nil
}

// bound limits one attempt. SQLite is in this process, and its driver would start a goroutine for each statement to watch the context.
func (s *Store) bound() (context.Context, context.CancelFunc) {
	if !s.Shared() {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), attemptTimeout)
}

// guarded turns a panic of a change into its error: the writer serves everybody.
func guarded(change func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &engine.Error{Op: "store change", Kind: engine.Internal, Text: fmt.Sprintf("panic of type %T", r)}
		}
	}()
	return change(tx)
}
