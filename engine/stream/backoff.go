package stream

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff doubles a delay from base to max, with up to a quarter of jitter so that a fleet does not return in step.
type backoff struct {
	base, max time.Duration
	tries     int
}

// next returns the delay before the coming try and counts it.
func (b *backoff) next() time.Duration {
	d := b.base
	for i := 0; i < b.tries && d < b.max; i++ {
		d *= 2
	}
	b.tries++
	d = min(d, b.max)
	return d - rand.N(d/4+1)
}

// reset starts again from base.
func (b *backoff) reset() { b.tries = 0 }

// pause sleeps for d, or less if stop closes or ctx ends; it reports whether it slept to the end.
func pause(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
	case <-ctx.Done():
	}
	return false
}
