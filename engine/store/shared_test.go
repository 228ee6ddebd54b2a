package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// several opens the record as so many processes would.
func several(t *testing.T, n int) []*store.Store {
	t.Helper()
	p := postgres(t)
	out := make([]*store.Store, n)
	var wg sync.WaitGroup
	for i := range out { // all at once: the tables are made once
		wg.Go(func() {
			s, err := store.Open(ctx, p.cfg, nil)
			if err != nil {
				t.Errorf("process %d: %v", i, err)
				return
			}
			out[i] = s
			t.Cleanup(func() { must(t, s.Close()) })
		})
	}
	if wg.Wait(); t.Failed() {
		t.FailNow()
	}
	return out
}

// everybody runs do in several goroutines of each process and waits for them.
func everybody(all []*store.Store, goroutines int, do func(s *store.Store)) {
	var wg sync.WaitGroup
	for _, s := range all {
		for range goroutines {
			wg.Go(func() { do(s) })
		}
	}
	wg.Wait()
}

func TestManyProcessesResolveEachEventOnceAndFinishTheFileOnce(t *testing.T) {
	all := several(t, 3)
	const files, records = 5, 80
	var events []engine.Envelope
	for f := range files {
		m := message(fmt.Sprint("F", f), "content")
		_, err := all[0].Intake(ctx, m)
		must(t, err)
		var translated []engine.Translated
		for i := range records {
			e := flagOf(t, m, i+1)
			events = append(events, e)
			translated = append(translated, accepted(e))
		}
		must(t, all[f%3].SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "m", Records: slices.Values(translated)}))
	}
	var first atomic.Int64
	everybody(all, 2, func(s *store.Store) {
		var wg sync.WaitGroup
		for _, i := range rand.Perm(len(events)) {
			wg.Go(func() {
				err := s.Write(ctx, func(tx *store.Tx) error {
					_, err := tx.Resolve(events[i])
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	// Counted again one by one: nothing is left, so nobody is first.
	for _, e := range events {
		must(t, all[0].Write(ctx, func(tx *store.Tx) error {
			again, err := tx.Resolve(e)
			if again {
				first.Add(1)
			}
			return err
		}))
	}
	if n := len(due(t, all[1], engine.KindFileDone)); n != files || first.Load() != 0 {
		t.Errorf("%d files are done, want %d; %d events were left over", n, files, first.Load())
	}
	for f := range files {
		a, err := all[2].Arrival(ctx, message(fmt.Sprint("F", f), "").ID)
		if must(t, err); a.State != store.Complete || a.Open != 0 {
			t.Errorf("file %d: state %s, %d open", f, a.State, a.Open)
		}
	}
}

func TestManyProcessesRecordAnAccessOnceAndTellItOnce(t *testing.T) {
	all := several(t, 3)
	m := message("M", "x")
	flag := flagOf(t, m, 1)
	must(t, all[0].Write(ctx, func(tx *store.Tx) error { return tx.AddFact(flag) }))
	const accesses = 60
	var fresh, told atomic.Int64
	access := func(i int) engine.Envelope {
		id := fmt.Sprint("access-", i)
		e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/T", Message: engine.NewMessageID("fhir/T", id)})
		e.Access = &engine.Access{ID: id, Subject: engine.Subject{NHSNumber: number(t, "9990000018")}, At: time.Now()}
		return e
	}
	stop := make(chan struct{})
	var couriers sync.WaitGroup
	for n, s := range all { // each gathers while notices come in
		couriers.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				var got int
				err := s.Write(ctx, func(tx *store.Tx) error {
					notices, err := tx.OpenNotices("999", 7)
					if got = len(notices); err != nil || got == 0 {
						return err
					}
					for _, x := range notices {
						if err := tx.TellNotice("999", x.Access.Access.ID, fmt.Sprint("E", n, "-", round)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				told.Add(int64(got))
			}
		})
	}
	everybody(all, 2, func(s *store.Store) {
		for _, i := range rand.Perm(accesses) {
			var isFresh bool
			err := s.Write(ctx, func(tx *store.Tx) (err error) {
				e := access(i)
				if isFresh, err = tx.PutAccess(e); err != nil || !isFresh {
					return err
				}
				if err := tx.AddEvent(e); err != nil {
					return err
				}
				return tx.PutNotice(store.Notice{Authority: "999", Access: e, Flag: flag})
			})
			if err != nil {
				t.Error(err)
			}
			if isFresh {
				fresh.Add(1)
			}
		}
	})
	for deadline := time.Now().Add(time.Minute); told.Load() < accesses && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	couriers.Wait()
	if fresh.Load() != accesses || told.Load() != accesses {
		t.Errorf("%d accesses were recorded %d times and told %d times", accesses, fresh.Load(), told.Load())
	}
}

func TestProcessesThatStandInEachOthersWayBothGetThrough(t *testing.T) {
	all := several(t, 2)
	m := message("M", "x")
	const people, rounds = 6, 15
	var version atomic.Int64
	everybody(all, 3, func(s *store.Store) {
		for range rounds {
			v := version.Add(1)
			err := s.Write(ctx, func(tx *store.Tx) error {
				e := flagOf(t, m, int(v))
				if err := tx.AddFact(e); err != nil {
					return err
				}
				for _, i := range rand.Perm(people) { // in any order: they lock each other out now and then
					row := store.FlagRow{NHSNumber: number(t, "9990000018"), Authority: fmt.Sprint("LA", i), Plan: engine.ChildProtection,
						Version: fmt.Sprintf("%06d", v), Event: e.ID, Message: e.Origin.Message, Position: e.Origin.Position}
					if err := tx.PutFlag(row); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	must(t, all[0].Write(ctx, func(tx *store.Tx) error {
		flags, err := tx.Flags(number(t, "9990000018"))
		for _, f := range flags {
			if f.Origin.Position != int(version.Load()) {
				t.Errorf("version %d stands, want %d", f.Origin.Position, version.Load())
			}
		}
		if len(flags) != people {
			t.Errorf("%d rows, want %d", len(flags), people)
		}
		return err
	}))
}

func TestLeaseGoesByTheDatabasesClock(t *testing.T) {
	p := postgres(t)
	right := p.openAt(t, nil)
	ahead := p.openAt(t, func() time.Time { return time.Now().Add(2 * time.Hour) })
	behind := p.openAt(t, func() time.Time { return time.Now().Add(-2 * time.Hour) })
	held, err := right.Lease(ctx, "relay", "right", time.Hour)
	must(t, err)
	for name, s := range map[string]*store.Store{"ahead": ahead, "behind": behind} {
		if _, err := s.Lease(ctx, "relay", name, time.Hour); !errors.Is(err, store.ErrHeld) {
			t.Errorf("a clock that is %s gets the lease: %v", name, err)
		}
	}
	must(t, right.Release(ctx, held))
	taken, err := behind.Lease(ctx, "relay", "behind", time.Hour)
	if must(t, err); taken.Fence <= held.Fence {
		t.Errorf("the fence went from %d to %d", held.Fence, taken.Fence)
	}
	if _, err := right.Renew(ctx, held, time.Hour); !errors.Is(err, store.ErrHeld) {
		t.Errorf("a lost lease is renewed: %v", err)
	}
	must(t, right.Release(ctx, held)) // it is not ours to release
	if _, err := right.Lease(ctx, "relay", "right", time.Hour); !errors.Is(err, store.ErrHeld) {
		t.Errorf("somebody else's lease was released: %v", err)
	}
	// Who comes back under its old name need not wait, and what it did before is fenced off.
	back, err := behind.Lease(ctx, "relay", "behind", time.Hour)
	if must(t, err); back.Fence <= taken.Fence {
		t.Errorf("the fence went from %d to %d", taken.Fence, back.Fence)
	}
}

func TestLeaseEndsByItself(t *testing.T) {
	all := several(t, 2)
	_, err := all[0].Lease(ctx, "courier", "one", 50*time.Millisecond)
	must(t, err)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		_, err := all[1].Lease(ctx, "courier", "two", time.Hour)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrHeld) || time.Now().After(deadline) {
			t.Fatalf("the lease of a dead process is not taken over: %v", err)
		}
	}
}

// A clock that is wrong by hours neither postpones nor hurries what others do: without a clock of its own a process goes by the database's.
func TestTimesAreTheDatabases(t *testing.T) {
	s := several(t, 1)[0]
	if off := time.Since(s.Now()); off.Abs() > time.Minute {
		t.Errorf("the record's clock is off by %v", off)
	}
}

func TestEffectIsClaimedOnce(t *testing.T) {
	all := several(t, 2)
	const effects = 40
	for i := range effects {
		must(t, all[0].Write(ctx, func(tx *store.Tx) error {
			return tx.PlanEffect(store.Effect{ID: fmt.Sprint("E", i), Kind: store.Notification, Authority: "999", Body: []byte("x"), Due: tx.Now()})
		}))
	}
	lease, err := all[0].Lease(ctx, "courier", "one", time.Hour)
	must(t, err)
	list, err := all[0].DueEffects(ctx, effects)
	must(t, err)
	var claimed atomic.Int64
	everybody(all, 2, func(s *store.Store) {
		for _, e := range list {
			if ok, err := s.MarkAttempted(ctx, e, lease); err != nil {
				t.Error(err)
			} else if ok {
				claimed.Add(1)
			}
		}
	})
	if claimed.Load() != effects {
		t.Errorf("%d effects were claimed %d times", effects, claimed.Load())
	}
}

func TestServerThatDiesAndComesBack(t *testing.T) {
	s := several(t, 1)[0]
	acknowledged := 0
	write := func(i int) error {
		return s.Write(ctx, func(tx *store.Tx) error { return tx.AddEvent(waiting(message(fmt.Sprint(i), ""))) })
	}
	for i := range 20 {
		must(t, write(i))
		acknowledged++
	}
	pg := records.Server(t)
	pg.Kill()
	if err := write(1000); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a write without a server: %v", err)
	}
	must(t, pg.Restart())
	deadline := time.Now().Add(time.Minute)
	for write(2000) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the record does not come back with its server")
		}
		time.Sleep(10 * time.Millisecond)
	}
	found := map[engine.EventID]bool{}
	for _, p := range due(t, s, engine.KindMessage) {
		found[p.ID] = true
	}
	for i := range acknowledged {
		if !found[waiting(message(fmt.Sprint(i), "")).ID] {
			t.Errorf("event %d was acknowledged and is lost", i)
		}
	}
}

func TestTextThatPostgreSQLCannotHold(t *testing.T) {
	s := several(t, 1)[0]
	m := message("M1", "content")
	m.FileName, m.LocalID = "caf\xe9\x00.xml", "a\xffb"
	if fresh, err := s.Intake(ctx, m); err != nil || !fresh {
		t.Fatalf("an odd file name keeps a message out: %v", err)
	}
	a, err := s.Arrival(ctx, m.ID)
	if must(t, err); a.Message.FileName != "caf\uFFFD\uFFFD.xml" || a.Message.LocalID != "a\uFFFDb" {
		t.Errorf("file name %q, local id %q", a.Message.FileName, a.Message.LocalID)
	}
}

func TestPasswordIsNeverShown(t *testing.T) {
	const secret = "correct-horse-battery"
	cfg := postgres(t).cfg
	cfg.Password = secret
	_, err := store.Open(ctx, cfg, nil)
	if err == nil {
		t.Fatal("opened with a wrong password")
	}
	inURL := store.Default()
	inURL.URL = "postgres://signalbox:" + secret + "@db.example/record"
	asParameter := store.Default()
	asParameter.URL = "postgres://signalbox@localhost/record?password=" + secret
	junk := store.Default()
	junk.URL = "postgres://signalbox@localhost:port/" + secret
	shown := fmt.Sprintf("%v %v %+v %#v %s", err, cfg, cfg, cfg, cfg)
	for _, c := range []store.Config{inURL, asParameter, junk} {
		_, err := store.Open(ctx, c, nil)
		if err == nil {
			t.Error("an address with a password is taken")
		}
		shown += fmt.Sprint(err)
	}
	if strings.Contains(shown, secret) {
		t.Errorf("the password is shown: %s", shown)
	}
}

func TestConfigIsValidated(t *testing.T) {
	for url, ok := range map[string]bool{
		"postgres://u@localhost/db":                              true,
		"postgres://u@127.0.0.1:5433/db":                         true,
		"postgresql:///db?host=/run/postgresql":                  true,
		"postgres://u@db.example/db":                             false, // in the clear
		"postgres://u@db.example/db?sslmode=prefer":              false,
		"postgres://u@db.example/db?sslmode=verify-full":         true,
		"postgres://u@localhost,db.example/db":                   false,
		"postgres:///db?host=db.example":                         false,
		"mysql://u@localhost/db":                                 false,
		"postgres://u:p@localhost/db":                            false,
		"postgres://u@db.example,db2.example/db?sslmode=require": true,
	} {
		cfg := store.Default()
		cfg.URL = url
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	both := store.Config{Path: "x", URL: "postgres://localhost/db", Readers: 1, Writers: 1, Batch: 1}
	if both.Validate() == nil || (store.Config{}).Validate() == nil {
		t.Error("a record in two places, or in none, is taken")
	}
}
