package mesh

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// Inbox is what a Poller asks of a mailbox. *Client is one.
type Inbox interface {
	Handshake(ctx context.Context) error
	List(ctx context.Context, o ListOptions) iter.Seq2[string, error]
}

// Poller empties a mailbox by the published etiquette: a listing at most every five minutes, at once again after a full page
// was taken, a handshake a day, and longer waits when the service asks for them or fails. Many mailboxes each have a Poller of
// their own; the jitter spreads them. Start from DefaultPoller.
type Poller struct {
	Box Inbox
	// Take downloads the message, stores it for good and acknowledges it, in this order: see Collect. A message that fails stays
	// in the inbox for the next round and does not keep the others.
	Take func(ctx context.Context, messageID string) error
	// Failed, when set, hears of everything that went wrong. op is handshake, list or take; the id is empty but for take.
	Failed func(op, messageID string, err error)

	// Validated, when set, hears of each handshake that was accepted.
	Validated func()
	// Listed, when set, hears of the end of each round: how many messages were seen and not taken, and what ended the listing early.
	Listed func(missed int, err error)
	// Resting, when set, hears before each wait how long it is to be.
	Resting func(wait time.Duration)

	// Every is the time from the end of a round to the next. Each wait is up to a tenth longer, drawn anew.
	Every time.Duration
	// Spread bounds the wait before the first round, drawn evenly, so that many pollers do not start at once.
	Spread time.Duration
	// Handshake is how often the mailbox is validated.
	Handshake time.Duration
	// MaxEvery bounds the wait after rounds that failed, which doubles. A longer Retry-After goes before it, up to a day.
	MaxEvery time.Duration
	// Options narrows the listing.
	Options ListOptions
}

// Held is what Take fails with to end the round: no later message may overtake this one. The next round begins after so long,
// instead of by the poller's own rhythm.
type Held struct {
	After time.Duration
	Err   error
}

// Error prints the cause.
func (h *Held) Error() string { return h.Err.Error() }

// Unwrap returns the cause.
func (h *Held) Unwrap() error { return h.Err }

// DefaultPoller returns the published rhythm; Box and Take are missing.
func DefaultPoller() Poller {
	return Poller{Every: 5 * time.Minute, Spread: 30 * time.Second, Handshake: 24 * time.Hour, MaxEvery: 15 * time.Minute}
}

// Validate reports everything that is missing or cannot work.
func (p Poller) Validate() error {
	var errs []error
	if p.Box == nil || p.Take == nil {
		errs = append(errs, errors.New("mesh: poller: Box, Take: are missing"))
	}
	if p.Every <= 0 || p.Spread < 0 || p.Handshake <= 0 || p.MaxEvery < p.Every {
		errs = append(errs, errors.New("mesh: poller: Every, Spread, Handshake, MaxEvery: want more than 0, and MaxEvery no less than Every"))
	}
	return errors.Join(errs...)
}

// failuresInARow is after how many messages in a row that were lost on the way a round ends early: the line is down.
const failuresInARow = 10

// Run polls until ctx ends. Its error is that of Validate, else nil.
func (p Poller) Run(ctx context.Context) error {
	if err := p.Validate(); err != nil {
		return err
	}
	wait := time.Duration(0)
	if p.Spread > 0 {
		wait = rand.N(p.Spread)
	}
	var validated time.Time
	failed := 0
	for p.resting(wait); rest(ctx, wait); p.resting(wait) {
		if time.Since(validated) >= p.Handshake {
			if err := p.Box.Handshake(ctx); err == nil {
				validated = time.Now()
				if p.Validated != nil {
					p.Validated()
				}
			} else {
				p.complain(ctx, "handshake", "", err)
			}
		}
		taken, err := p.Round(ctx)
		wait, failed = p.after(failed, taken, err)
	}
	return nil
}

// after returns how long to rest after a round, and how many rounds in a row have failed now.
func (p Poller) after(failed, taken int, err error) (time.Duration, int) {
	held, stopped := errors.AsType[*Held](err)
	switch {
	case stopped:
		return held.After, failed
	case err != nil:
		return p.wait(failed+1, err), failed + 1
	case taken >= p.page():
		return 0, 0 // what came meanwhile may be as much again
	}
	return p.wait(0, nil), 0
}

func (p Poller) resting(wait time.Duration) {
	if p.Resting != nil {
		p.Resting(wait)
	}
}

// Round lists the mailbox once, all pages, and takes what is there. It returns how many messages were taken, and the error that
// ended the round early: the listing's, a message's that is Held, or one that says that the service cannot be reached or wants to be
// left alone.
func (p Poller) Round(ctx context.Context) (taken int, err error) {
	lost, missed, listing := 0, 0, error(nil)
	defer func() {
		if p.Listed != nil {
			p.Listed(missed, errors.Join(listing, ctx.Err()))
		}
	}()
	for id, err := range p.Box.List(ctx, p.Options) {
		if listing = err; err != nil {
			p.complain(ctx, "list", "", err)
			return taken, err
		}
		err := p.Take(ctx, id)
		if ctx.Err() != nil {
			return taken, ctx.Err()
		}
		if err == nil {
			taken, lost = taken+1, 0
			continue
		}
		missed++
		p.complain(ctx, "take", id, err)
		if lost++; !errors.Is(err, ErrTransport) {
			lost = 0
		}
		if _, held := errors.AsType[*Held](err); held || errors.Is(err, ErrBusy) || lost == failuresInARow {
			return taken, err
		}
	}
	return taken, nil
}

func (p Poller) page() int {
	if p.Options.MaxResults > 0 {
		return p.Options.MaxResults
	}
	return defaultPage
}

// wait returns how long to rest after so many failed rounds.
func (p Poller) wait(failed int, err error) time.Duration {
	d := p.Every
	for range failed - 1 {
		if d *= 2; d >= p.MaxEvery {
			d = p.MaxEvery
			break
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		d = max(d, min(e.RetryAfter, 24*time.Hour))
	}
	return d + rand.N(d/10+1)
}

func (p Poller) complain(ctx context.Context, op, id string, err error) {
	if p.Failed != nil && ctx.Err() == nil {
		p.Failed(op, id, err)
	}
}

// rest waits, and reports whether to go on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}

// Collect makes a Poller's Take of a function that stores a message. The message is acknowledged only when store has returned
// nil, by which it says that the message is durable; a payload that was not read to its end is not.
func (c *Client) Collect(store func(ctx context.Context, in *Incoming) error) func(ctx context.Context, messageID string) error {
	return func(ctx context.Context, messageID string) error {
		in, err := c.Get(ctx, messageID)
		if err != nil {
			return err
		}
		err = store(ctx, in)
		whole := in.whole()
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		if !whole {
			return &Error{Op: "get", Kind: ErrInvalid, MessageID: messageID, Err: fmt.Errorf("payload was not read to its end: not acknowledged")}
		}
		return c.Acknowledge(ctx, messageID)
	}
}
