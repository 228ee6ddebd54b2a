package mesh

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// postbox is an inbox in memory that notes when it was asked.
type postbox struct {
	start      time.Time
	waiting    []string
	lists      []time.Duration
	handshakes []time.Duration
	fail       func(round int) error
}

func (b *postbox) Handshake(context.Context) error {
	b.handshakes = append(b.handshakes, time.Since(b.start))
	return nil
}

func (b *postbox) List(_ context.Context, _ ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b.lists = append(b.lists, time.Since(b.start))
		if b.fail != nil {
			if err := b.fail(len(b.lists)); err != nil {
				yield("", err)
				return
			}
		}
		for _, id := range slices.Clone(b.waiting) {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (b *postbox) take(_ context.Context, id string) error {
	b.waiting = slices.DeleteFunc(b.waiting, func(w string) bool { return w == id })
	return nil
}

// poll runs a poller for so long.
func poll(t *testing.T, d time.Duration, box *postbox, change func(*Poller)) *postbox {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box.start = time.Now()
		p := DefaultPoller()
		p.Box, p.Take, p.Spread = box, box.take, 0
		if change != nil {
			change(&p)
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
	})
	return box
}

func fill(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("M", i)
	}
	return out
}

// gaps returns the waits between the listings.
func gaps(at []time.Duration) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(at); i++ {
		out = append(out, at[i]-at[i-1])
	}
	return out
}

func TestPollerKeepsTheEtiquette(t *testing.T) {
	box := poll(t, 49*time.Hour, &postbox{}, nil)
	for _, gap := range gaps(box.lists) {
		if gap < 5*time.Minute || gap > 5*time.Minute+30*time.Second {
			t.Fatalf("listed again after %v", gap)
		}
	}
	if len(box.lists) < 530 {
		t.Errorf("%d listings in 49 hours", len(box.lists))
	}
	if len(box.handshakes) != 3 || box.handshakes[1] < 24*time.Hour || box.handshakes[1] > 24*time.Hour+6*time.Minute {
		t.Errorf("handshakes at %v", box.handshakes)
	}
}

func TestPollerListsAtOnceAfterAFullPage(t *testing.T) {
	box := poll(t, 10*time.Minute, &postbox{waiting: fill(500)}, nil)
	if len(box.lists) < 2 || box.lists[1] != 0 || len(box.waiting) != 0 {
		t.Errorf("listed at %v", box.lists)
	}
	box = poll(t, 10*time.Minute, &postbox{waiting: fill(499)}, nil)
	if box.lists[1] < 5*time.Minute {
		t.Errorf("listed again after a page that was not full: %v", box.lists)
	}
	// A full page that cannot be taken must not be asked for in a tight loop.
	box = poll(t, 10*time.Minute, &postbox{waiting: fill(500)}, func(p *Poller) {
		p.Take = func(context.Context, string) error { return errors.New("parked") }
	})
	if len(box.lists) > 2 {
		t.Errorf("listed at %v", box.lists)
	}
}

func TestPollersSpread(t *testing.T) {
	firsts := map[time.Duration]bool{}
	for range 150 {
		box := poll(t, 31*time.Second, &postbox{}, func(p *Poller) { p.Spread = 30 * time.Second })
		if len(box.lists) == 0 || box.lists[0] >= 30*time.Second {
			t.Fatalf("first listing at %v", box.lists)
		}
		firsts[box.lists[0]/time.Second] = true
	}
	if len(firsts) < 20 {
		t.Errorf("150 mailboxes begin in %d of 30 seconds", len(firsts))
	}
}

func TestPollerBacksOff(t *testing.T) {
	busy := &Error{Op: "list", Kind: ErrBusy, Status: http.StatusServiceUnavailable}
	box := poll(t, 3*time.Hour, &postbox{fail: func(round int) error {
		if round <= 4 {
			return busy
		}
		return nil
	}}, nil)
	for i, least := range []time.Duration{5, 10, 15, 15, 5} {
		least *= time.Minute
		if gap := gaps(box.lists)[i]; gap < least || gap > least+least/10 {
			t.Errorf("wait %d: %v, want about %v", i+1, gap, least)
		}
	}
	asked := &Error{Op: "list", Kind: ErrBusy, Status: 429, RetryAfter: time.Hour}
	box = poll(t, 3*time.Hour, &postbox{fail: func(round int) error {
		if round == 1 {
			return asked
		}
		return nil
	}}, nil)
	if gap := gaps(box.lists)[0]; gap < time.Hour || gap > 66*time.Minute {
		t.Errorf("asked to wait an hour, waited %v", gap)
	}
}

// One message that cannot be taken does not keep the others; a service that is busy ends the round, and so does a line that
// is down.
func TestPollerGoesOnAfterABadMessage(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		tried int
	}{
		"cannot be stored":  {errors.New("disk full"), 20},
		"server fails":      {&Error{Kind: ErrServer, Status: 500}, 20},
		"service busy":      {&Error{Kind: ErrBusy, Status: 429}, 1},
		"no line":           {&Error{Kind: ErrTransport}, failuresInARow},
		"gone in meanwhile": {&Error{Kind: ErrGone, Status: 410}, 20},
	} {
		tried := 0
		var heard []string
		box := poll(t, time.Minute, &postbox{waiting: fill(20)}, func(p *Poller) {
			p.Take = func(context.Context, string) error { tried++; return test.err }
			p.Failed = func(op, id string, err error) {
				if op != "take" || !errors.Is(err, test.err) {
					t.Errorf("%s: heard %s: %v", name, op, err)
				}
				heard = append(heard, id)
			}
		})
		if tried != test.tried || len(heard) != tried || len(box.lists) != 1 {
			t.Errorf("%s: %d of 20 tried, want %d", name, tried, test.tried)
		}
	}
}

// A message that must not be overtaken ends its round, and the next begins after the wait that it asks for; a mailbox that is watched
// hears of every handshake, round and wait.
func TestPollerHoldsTheOrder(t *testing.T) {
	var told []string
	tried := map[string]int{}
	held := errors.New("on the way")
	box := poll(t, 6*time.Minute, &postbox{waiting: fill(3)}, func(p *Poller) {
		take := p.Take
		p.Take = func(ctx context.Context, id string) error {
			if tried[id]++; id == "M1" && tried[id] <= 2 {
				return &Held{After: 7 * time.Second, Err: held}
			}
			return take(ctx, id)
		}
		p.Failed = func(op, id string, err error) {
			if !errors.Is(err, held) || err.Error() != "on the way" {
				t.Errorf("%s: heard %v", id, err)
			}
			told = append(told, op+" "+id)
		}
		p.Validated = func() { told = append(told, "validated") }
		p.Listed = func(missed int, err error) { told = append(told, fmt.Sprint("listed ", missed, " ", err == nil)) }
		p.Resting = func(d time.Duration) {
			if d > time.Minute {
				d = time.Hour // jitter is for another test
			}
			told = append(told, d.String())
		}
	})
	want := []string{"0s", "validated", "take M1", "listed 1 true", "7s", "take M1", "listed 1 true", "7s", "listed 0 true", "1h0m0s", "listed 0 true", "1h0m0s"}
	if !slices.Equal(told, want) {
		t.Errorf("told %v,\nwant %v", told, want)
	}
	if tried["M2"] != 1 || len(box.waiting) != 0 {
		t.Errorf("M2 was tried %d times", tried["M2"])
	}
}

func TestPollerValidate(t *testing.T) {
	if err := (Poller{}).Run(t.Context()); err == nil {
		t.Error("an empty poller ran")
	}
	p := DefaultPoller()
	p.Box, p.Take = &postbox{}, (&postbox{}).take
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}
