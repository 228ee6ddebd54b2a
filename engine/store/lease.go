package store

import (
	"context"
	"errors"
	"time"
)

// Lease is the right to do a piece of work alone until a deadline.
type Lease struct {
	Name  string
	Owner string
	Fence int64 // grows with each new holder; what is written under an older one is refused
	// Until is when the right ends by this machine's clock, counted from before it was asked for: never later than in the database.
	Until time.Time
}

// ErrHeld says that somebody else holds the lease.
var ErrHeld = errors.New("the lease is held by another process")

// Lease takes the lease of that name for ttl. It goes by the database's clock, so that a process whose own clock is wrong holds it neither
// longer nor shorter than others. The error is ErrHeld while another owner's lease runs. owner must be a name that no other running process
// has; a process that comes back under its old name need not wait for its own lease to end. On SQLite there is one process, and it never
// waits.
func (s *Store) Lease(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error) {
	return s.lease(ctx, Lease{Name: name, Owner: owner}, ttl, `INSERT INTO lease (name, owner, until, fence) VALUES (?, ?, {clock} + ?, 1)
		ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner, fence = lease.fence + 1
		WHERE lease.owner = excluded.owner OR lease.until < {clock} OR {alone}
		RETURNING fence, {clock}`, name, owner, ttl.Microseconds())
}

// Renew makes a lease run for ttl from now. The error is ErrHeld when it has gone to another owner.
func (s *Store) Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	return s.lease(ctx, l, ttl, `UPDATE lease SET until = {clock} + ? WHERE name = ? AND owner = ? AND fence = ? RETURNING fence, {clock}`,
		ttl.Microseconds(), l.Name, l.Owner, l.Fence)
}

func (s *Store) lease(ctx context.Context, l Lease, ttl time.Duration, query string, args ...any) (Lease, error) {
	var held bool
	var theirs int64
	before := time.Now()
	err := s.Write(ctx, func(tx *Tx) (err error) {
		held, err = tx.scan(query, args, &l.Fence, &theirs)
		return err
	})
	switch {
	case err != nil:
		return Lease{}, err
	case !held:
		return Lease{}, ErrHeld
	}
	s.clock.observe(theirs, before, time.Now())
	l.Until = before.Add(ttl)
	return l, nil
}

// Release ends a lease early, so that another process need not wait for it. One that was lost is left alone.
func (s *Store) Release(ctx context.Context, l Lease) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE lease SET until = 0 WHERE name = ? AND owner = ? AND fence = ?`, l.Name, l.Owner, l.Fence)
	})
}

// holds reports whether the lease stands, and keeps it from going to another owner before the commit.
func (tx *Tx) holds(l Lease) (bool, error) {
	var fence int64
	return tx.scan(`SELECT fence FROM lease WHERE name = ? AND owner = ? AND fence = ? AND until >= {clock} {share}`,
		[]any{l.Name, l.Owner, l.Fence}, &fence)
}
