package pipeline_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
	"signalbox/engine/stream"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

const opened = child + " 202609010000 999"

// transport is the error of a call that got no answer.
func transport() error { return &mesh.Error{Op: "test", Kind: mesh.ErrTransport} }

func TestAFlagStandsAndItsFileIsAcknowledgedOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if got := b.ask(t, "one", true); len(got) != 1 || got[0] != "202609010000" {
			t.Errorf("plans that stand: %v", got)
		}
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d acknowledgements of one file", len(acks))
		}
		if left := b.mesh.Inbox(ours); len(left) != 0 {
			t.Errorf("%d messages are left in our mailbox", len(left))
		}
	})
}

func TestAFileIsDurableBeforeItIsAcknowledged(t *testing.T) {
	var b *bench
	var asked atomic.Int32
	inBubble(t, func(it *bench) {
		b = it
		b.box.acknowledge = func(id string) error {
			asked.Add(1)
			if _, err := b.store.Arrival(context.Background(), engine.NewMessageID(pipeline.MeshSource(ours, la), id)); err != nil {
				t.Errorf("the file is acknowledged before it is kept: %v", err)
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if asked.Load() != 1 {
			t.Errorf("%d acknowledgements of one file", asked.Load())
		}
	})
}

func TestAMessageThatCannotBeReadBlocksNoOther(t *testing.T) {
	first := ""
	inBubble(t, func(b *bench) {
		b.box.get = func(id string) error {
			if first == "" {
				first = id
			}
			if id == first {
				return &mesh.Error{Op: "get", Kind: mesh.ErrProtocol}
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d files are acknowledged: the second stands behind a broken one", len(acks))
		}
	})
}

// The later file wins, so trouble on the way must not let it overtake the earlier one.
func TestALaterFileDoesNotOvertake(t *testing.T) {
	first, failures := "", 0
	inBubble(t, func(b *bench) {
		b.box.get = func(id string) error {
			if first == "" {
				first = id
			}
			if failures++; id == first && failures < 3 {
				return transport()
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		b.upload(t, child+" 202610010000 999")
		time.Sleep(30 * time.Second)
		if got := b.ask(t, "one", true); len(got) != 1 || got[0] != "202610010000" {
			t.Errorf("the register shows %v, not the later file's plan", got)
		}
	})
}

// A record that is away for long, because its disk is full, is no reason to take the files in another order.
func TestNoFileIsPassedOverWhileTheRecordIsAway(t *testing.T) {
	first, failures := "", 0
	inBubble(t, func(b *bench) {
		b.box.get = func(id string) error {
			if first == "" {
				first = id
			}
			if failures++; id == first && failures < 20 {
				return &engine.Error{Op: "store write", Kind: engine.Unavailable, Text: "the record cannot be reached"}
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		b.upload(t, child+" 202610010000 999")
		time.Sleep(4 * time.Minute)
		if got := b.ask(t, "one", true); len(got) != 1 || got[0] != "202610010000" {
			t.Errorf("the register shows %v, not the later file's plan", got)
		}
	})
}

// A message that never comes through holds the others up for a few rounds, and not for ever.
func TestAMessageThatAlwaysFailsIsPassedOver(t *testing.T) {
	first := ""
	inBubble(t, func(b *bench) {
		b.box.get = func(id string) error {
			if first == "" {
				first = id
			}
			if id == first {
				return transport()
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		b.upload(t, opened)
		time.Sleep(2 * time.Minute)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d files are acknowledged", len(acks))
		}
	})
}

func TestAFileCollectedTwiceIsTranslatedOnce(t *testing.T) {
	failures := 0
	inBubble(t, func(b *bench) {
		b.box.acknowledge = func(string) error {
			if failures++; failures < 3 {
				return transport()
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 || failures != 3 {
			t.Errorf("%d acknowledgements of one file that was collected %d times", len(acks), failures)
		}
	})
}

// The reconciler would bring it back in a day here: the relay itself has to know that nothing went out for sure.
func TestAnEventThatDidNotGoOutGoesOutAgain(t *testing.T) {
	for name, refusal := range map[string]error{"refused": stream.ErrRefused, "unsure": stream.ErrUnsure} {
		t.Run(name, func(t *testing.T) {
			var times atomic.Int32
			inBubble(t, func(b *bench) {
				b.stream.publish = func(string) error {
					if times.Add(1)%2 == 1 {
						return fmt.Errorf("test: %w", refusal)
					}
					return nil
				}
			}, func(t *testing.T, b *bench) {
				b.upload(t, opened)
				time.Sleep(30 * time.Second)
				if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
					t.Errorf("%d acknowledgements a minute after publishing failed", len(acks))
				}
			})
		})
	}
}

// What went out and was lost on the way comes back by the reconciler, and nothing is done twice.
func TestAnEventThatWasLostOnTheWayComesBack(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Reconcile = 5 * time.Second
		var times atomic.Int32
		local := b.stream.Transport
		b.stream.Transport = &forgetful{Transport: local, forget: func() bool { return times.Add(1) <= 3 }}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d acknowledgements of one file", len(acks))
		}
	})
}

func TestAnEffectIsInTheLedgerBeforeItIsSent(t *testing.T) {
	var b *bench
	inBubble(t, func(it *bench) {
		b = it
		b.box.send = func(m mesh.Outgoing) error {
			due, err := b.store.DueEffects(context.Background(), 10)
			if err != nil || len(due) != 1 || due[0].ID != m.LocalID || due[0].State != store.Attempted {
				t.Errorf("sent while the ledger holds %+v, %v", due, err)
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d acknowledgements", len(acks))
		}
	})
}

func TestASendWhoseReplyWasLostIsLookedUpAndNotRepeated(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.box.sent = func() error { return &mesh.Error{Op: "send", Kind: mesh.ErrOutcomeUnknown} }
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		counts, err := b.store.EffectCounts(context.Background())
		must(t, err)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 || counts[store.Sent] != 1 {
			t.Errorf("%d acknowledgements of one file; the ledger: %v", len(acks), counts)
		}
	})
}

// A message that was certainly not taken is sent again without a look.
func TestASendThatFailedIsRepeated(t *testing.T) {
	failures := 0
	inBubble(t, func(b *bench) {
		b.box.send = func(mesh.Outgoing) error {
			if failures++; failures < 4 {
				return transport()
			}
			return nil
		}
	}, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 {
			t.Errorf("%d acknowledgements of one file", len(acks))
		}
	})
}

func TestNobodyFlagsInAnothersName(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, child+" 202609010000 998")
		time.Sleep(30 * time.Second)
		if got := b.ask(t, "one", true); len(got) != 0 {
			t.Errorf("a flag in another authority's name stands: %v", got)
		}
	})
}

func TestAMappingThatPanicsTakesNothingElseDown(t *testing.T) {
	inBubble(t, func(b *bench) { b.mapper.panics = true }, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		backlog, err := b.store.Backlog(context.Background())
		must(t, err)
		if backlog.Quarantined != 1 || len(b.mesh.Inbox(ours)) != 0 {
			t.Errorf("backlog %+v, %d messages in the mailbox", backlog, len(b.mesh.Inbox(ours)))
		}
	})
}

// One notification tells of what its window brought, after the window and not before. Scheduled accesses are told to nobody.
func TestNotificationsWaitForTheirWindow(t *testing.T) {
	inBubble(t, func(b *bench) { b.window = time.Minute }, func(t *testing.T, b *bench) {
		b.upload(t, opened)
		time.Sleep(30 * time.Second)
		b.ask(t, "one", false)
		b.ask(t, "planned", true)
		time.Sleep(40 * time.Second)
		b.ask(t, "two", false)
		time.Sleep(15 * time.Second)
		if n := len(b.letters(t, "TEST_ACCESS")); n != 0 {
			t.Fatalf("%d notifications before the window has passed", n)
		}
		time.Sleep(10 * time.Second)
		letters := b.letters(t, "TEST_ACCESS")
		if len(letters) != 1 {
			t.Fatalf("%d notifications after the window, want 1", len(letters))
		}
		n, err := cpis.DecodeNotification(letters[0])
		must(t, err)
		if len(n.Accesses) != 2 {
			t.Errorf("the notification tells of %d accesses, want 2", len(n.Accesses))
		}
		b.ask(t, "three", false)
		time.Sleep(80 * time.Second)
		letters = b.letters(t, "TEST_ACCESS")
		if len(letters) != 2 {
			t.Fatalf("%d notifications of two windows", len(letters))
		}
		if n, err = cpis.DecodeNotification(letters[1]); err != nil || len(n.Accesses) != 1 {
			t.Errorf("the second notification tells of %d accesses, want 1: %v", len(n.Accesses), err)
		}
	})
}

// forgetful takes messages and loses some of them.
type forgetful struct {
	stream.Transport
	forget func() bool
}

func (f *forgetful) Publish(topic string, messages ...*message.Message) error {
	if f.forget() {
		return nil
	}
	return f.Transport.Publish(topic, messages...)
}
