package pipeline

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/mesh"
)

// asked is a mailbox that notes when it was asked, and fails as it is told.
type asked struct {
	*box
	start      time.Time
	lists      []time.Duration
	handshakes int
	answer     func(round int) error
}

func (a *asked) Handshake(context.Context) error { a.handshakes++; return nil }

func (a *asked) List(context.Context, mesh.ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		a.lists = append(a.lists, time.Since(a.start))
		if a.answer != nil {
			if err := a.answer(len(a.lists)); err != nil {
				yield("", err)
			}
		}
	}
}

// patient notes the longest time that it was told to wait for a collector.
type patient struct {
	Unobserved
	most time.Duration
}

func (p *patient) Beat(_ string, within time.Duration) { p.most = max(p.most, within) }

// polled runs the collector of n mailboxes alone, in simulated time.
func polled(t *testing.T, d time.Duration, n int, answer func(int) error) (boxes []*asked, seen *patient) {
	seen = &patient{}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), d)
		defer stop()
		ended := make(chan struct{})
		for range n {
			b := &asked{box: &box{}, start: time.Now(), answer: answer}
			boxes = append(boxes, b)
			p := &Pipeline{Rooms: Rooms{Log: slog.New(slog.DiscardHandler), Observer: Unobserved{}, Now: time.Now}, cfg: Default()}
			if n == 1 {
				p.Observer = seen
			}
			go func() { p.collect(ctx, b); ended <- struct{}{} }()
		}
		for range n {
			<-ended
		}
	})
	return boxes, seen
}

// The engine asks the service no more often than MESH's rules allow, whatever the service answers, and health waits as long as it does.
func TestTheEngineKeepsTheEtiquette(t *testing.T) {
	boxes, _ := polled(t, 25*time.Hour, 150, nil)
	begun := map[time.Duration]bool{}
	for _, b := range boxes {
		begun[b.lists[0]/time.Second] = true
		for i := 1; i < len(b.lists); i++ {
			if gap := b.lists[i] - b.lists[i-1]; gap < 5*time.Minute || gap > 5*time.Minute+30*time.Second {
				t.Fatalf("listed after %v", gap)
			}
		}
		if b.handshakes != 2 {
			t.Errorf("%d handshakes in 25 hours, want 2", b.handshakes)
		}
	}
	if len(begun) < 20 {
		t.Errorf("150 mailboxes begin in %d of 30 seconds", len(begun))
	}
	boxes, seen := polled(t, 3*time.Hour, 1, func(round int) error {
		switch round {
		case 1:
			return &mesh.Error{Op: "list", Kind: mesh.ErrBusy, Status: 429, RetryAfter: time.Hour}
		case 2, 3, 4:
			return &mesh.Error{Op: "list", Kind: mesh.ErrServer, Status: 502}
		}
		return nil
	})
	got := boxes[0].lists
	for i, least := range []time.Duration{60, 10, 15, 15, 5} {
		if gap := got[i+1] - got[i]; gap < least*time.Minute || gap > (least+least/10+1)*time.Minute {
			t.Errorf("wait %d: %v, want about %d minutes", i+1, gap, least)
		}
	}
	if seen.most < got[1]-got[0] {
		t.Errorf("health waits %v for a collector that rests %v", seen.most, got[1]-got[0])
	}
}

// What holds up the mailbox is told from what is passed over, and no message that is passed over ends a round.
func TestWhichMessagesHoldTheOthers(t *testing.T) {
	p := &Pipeline{Rooms: Rooms{Observer: Unobserved{}, Now: time.Now}, cfg: Default()}
	failed := map[string]int{}
	for round := 1; round <= passOver; round++ {
		err := p.take(t.Context(), &refusing{box: &box{}, err: &mesh.Error{Op: "get", Kind: mesh.ErrBusy}}, "M", failed)
		_, held := err.(*mesh.Held) //nolint:errorlint // the poller is given the very value
		if held != (round < passOver) {
			t.Errorf("round %d: %T", round, err)
		}
		if _, over := err.(passed); !held && !over { //nolint:errorlint // as above
			t.Errorf("round %d: %T", round, err)
		}
	}
	err := p.take(t.Context(), &refusing{box: &box{}, err: &mesh.Error{Op: "get", Kind: mesh.ErrGone}}, "N", failed)
	if _, over := err.(passed); !over || fmt.Sprint(err) == "" { //nolint:errorlint // as above
		t.Errorf("a message that is gone: %T", err)
	}
}

// refusing is a mailbox that no message comes out of.
type refusing struct {
	*box
	err error
}

func (r *refusing) Get(context.Context, string) (*mesh.Incoming, error) { return nil, r.err }
