package mesh

import (
	"net/http"
	"sync"
	"time"
)

// SkewLimit is the difference between the server's clock and ours that is worth a word: a token is refused at two hours
// (TokenWindow), so there is time left to act.
const SkewLimit = 30 * time.Minute

// skew is what the server's Date headers say of its clock.
type skew struct {
	heard func(time.Duration)

	mu       sync.Mutex
	known    bool
	by       time.Duration
	reported bool
}

// Skew returns how far the server's clock was ahead of ours when it last answered, to about a second; negative when it is
// behind. known is false when no answer carried a date.
func (c *Client) Skew() (by time.Duration, known bool) {
	c.skew.mu.Lock()
	defer c.skew.mu.Unlock()
	return c.skew.by, c.skew.known
}

// measure compares a Date header with our clock around the call. A clock within the call's own length is taken as right.
func (s *skew) measure(date string, before, after time.Time) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	var by time.Duration
	switch {
	case at.Before(before.Truncate(time.Second)):
		by = at.Sub(before.Truncate(time.Second))
	case at.After(after):
		by = at.Sub(after)
	}
	far := by.Abs() >= SkewLimit
	s.mu.Lock()
	report := far && !s.reported && s.heard != nil
	s.known, s.by, s.reported = true, by, far
	s.mu.Unlock()
	if report {
		s.heard(by)
	}
}
