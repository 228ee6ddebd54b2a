// Package limit keeps one caller from taking the room of the others: a bounded table of token buckets, one for each name.
package limit

import (
	"container/list"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Config is how much each name may do.
type Config struct {
	PerSecond float64 // calls a second in the long run; 0: no limit
	Burst     int     // calls at once
	Names     int     // names that are remembered; the one that was quiet longest goes first
}

// Default returns a limit that no single system should reach: all emergency departments of England together see less than one patient a second.
func Default() Config { return Config{PerSecond: 50, Burst: 100, Names: 10_000} }

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.PerSecond < 0 {
		errs = append(errs, errors.New("limit: config: PerSecond is negative"))
	}
	if c.PerSecond > 0 && c.Burst < 1 {
		errs = append(errs, errors.New("limit: config: Burst is under one, so that nothing would be let through"))
	}
	if c.Names < 1 {
		errs = append(errs, errors.New("limit: config: Names is under one"))
	}
	return errors.Join(errs...)
}

// Table holds a bucket for each name. It is safe for concurrent use.
type Table struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*list.Element
	order   *list.List // of *bucket, the one used last in front
}

type bucket struct {
	name    string
	limiter *rate.Limiter
}

// New returns an empty table.
func New(cfg Config, now func() time.Time) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Table{cfg: cfg, now: now, buckets: map[string]*list.Element{}, order: list.New()}, nil
}

// Allow takes one call from the name's bucket. When there is none left it takes nothing, and says after how long there will be one.
func (t *Table) Allow(name string) (ok bool, wait time.Duration) {
	if t.cfg.PerSecond == 0 {
		return true, 0
	}
	now := t.now()
	taken := t.bucket(name).ReserveN(now, 1)
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
		return false, wait
	}
	return true, 0
}

func (t *Table) bucket(name string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, known := t.buckets[name]; known {
		t.order.MoveToFront(e)
		return e.Value.(*bucket).limiter
	}
	for len(t.buckets) >= t.cfg.Names {
		last := t.order.Back()
		delete(t.buckets, t.order.Remove(last).(*bucket).name)
	}
	b := &bucket{name: name, limiter: rate.NewLimiter(rate.Limit(t.cfg.PerSecond), t.cfg.Burst)}
	t.buckets[name] = t.order.PushFront(b)
	return b.limiter
}
