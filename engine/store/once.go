package store

import (
	"context"
	"crypto/rand"
	"time"
)

// The rhythm of forgetting: how often, and how many at once, so that who takes one in between hardly waits.
const (
	forgetEvery = time.Minute
	forgetBatch = 1000
)

// TakeOnce takes a key that may be taken once until a time, and reports whether this call is the first, of all processes that share the
// record. Keys whose time has passed are forgotten on the way.
func (s *Store) TakeOnce(ctx context.Context, key string, until time.Time) (fresh bool, err error) {
	taking := rand.Text()
	err = s.Write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`INSERT INTO one_use (key, taking, expires) VALUES (?,?,?)
			ON CONFLICT (key) DO UPDATE SET taking = excluded.taking, expires = excluded.expires
			WHERE one_use.expires <= ? OR one_use.taking = excluded.taking`, key, taking, micros(until), micros(tx.now))
		if fresh = n > 0; err != nil {
			return err
		}
		return tx.forgetTaken()
	})
	return fresh && err == nil, err
}

// forgetTaken removes keys whose time has passed, now and then. What another process is just removing is left to it.
func (tx *Tx) forgetTaken() error {
	now, last := micros(tx.now), tx.store.forgot.Load()
	if now-last < forgetEvery.Microseconds() || !tx.store.forgot.CompareAndSwap(last, now) {
		return nil
	}
	n, err := tx.changed(`DELETE FROM one_use WHERE key IN (SELECT key FROM one_use WHERE expires <= ? ORDER BY expires LIMIT ? {lock})`, now, forgetBatch)
	if n == forgetBatch {
		tx.store.forgot.Store(last) // there are more: the next call goes on
	}
	return err
}
