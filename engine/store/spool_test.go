package store_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Whatever its size, a body comes back as it was, is kept once, and goes with all of its parts.
func testSpooledBodiesAreKeptOnce(t *testing.T, p place) {
	s := p.open(t)
	large := text(3 << 20)
	for name, body := range map[string]string{"empty": "", "small": "x", "flat": strings.Repeat("<record/>", 300_000), "large": large} {
		m := message(name, "")
		fresh, err := s.IntakeSpool(ctx, m, write(t, s, body))
		if must(t, err); !fresh {
			t.Errorf("%s: is not new", name)
		}
		a, err := s.Arrival(ctx, m.ID)
		must(t, err)
		if string(a.Message.Body) != body || a.Digest != engine.Digest([]byte(body)) {
			t.Errorf("%s: %d bytes came back as %d", name, len(body), len(a.Message.Body))
		}
		opened, err := s.ArrivalOpened(ctx, m.ID)
		must(t, err)
		for range 2 { // it can be read more than once
			whole, err := opened.Message.Whole()
			if must(t, errors.Join(err, opened.Broken())); string(whole.Body) != body || len(body) > 1<<20 && opened.Message.Size != int64(len(body)) {
				t.Errorf("%s: %d bytes are read as %d", name, len(body), len(whole.Body))
			}
		}
	}
	before := parts(t, s)
	if before < 2 {
		t.Errorf("a body of %d bytes has %d parts", len(large), before)
	}
	fresh, err := s.IntakeSpool(ctx, message("large", ""), write(t, s, large)) // the answer of the first was lost
	if must(t, err); fresh || parts(t, s) != before {
		t.Errorf("the same again: new %v, %d parts, and not %d", fresh, parts(t, s), before)
	}
	spool := write(t, s, large+"not kept")
	if spool.Discard(); parts(t, s) != before {
		t.Error("what is discarded leaves parts")
	}
	for _, name := range []string{"empty", "small", "flat", "large"} {
		done(t, s, message(name, map[string]string{"small": "x"}[name]), rejected(1))
	}
	_, err = s.RemoveRaw(ctx, time.Now().Add(time.Hour))
	if must(t, err); parts(t, s) != 0 {
		t.Errorf("%d parts outlive their body", parts(t, s))
	}
	if _, err := s.ArrivalOpened(ctx, message("large", "").ID); engine.KindOf(err) != engine.NotFound {
		t.Errorf("a body that was removed: %v", err)
	}
}

// A process that dies while it writes leaves parts that belong to nothing: a later one removes them, and no others.
func testPartsOfNothingAreSweptAway(t *testing.T, p place) {
	var ahead time.Duration
	s := p.openAt(t, func() time.Time { return time.Now().Add(ahead) })
	_, err := s.IntakeSpool(ctx, message("kept", ""), write(t, s, text(2<<20)))
	must(t, err)
	kept := parts(t, s)
	_ = write(t, s, text(3<<20)) // and here the process dies
	lost := int64(parts(t, s) - kept)
	if n, err := s.SweepParts(ctx); n != 0 || err != nil || lost == 0 {
		t.Errorf("%d of %d parts are swept away at once, %v", n, lost, err)
	}
	ahead = 25 * time.Hour
	if n, err := s.SweepParts(ctx); n != lost || err != nil || parts(t, s) != kept {
		t.Errorf("%d of %d parts are swept away, %d left of %d, %v", n, lost, parts(t, s), kept, err)
	}
	if a, err := s.Arrival(ctx, message("kept", "").ID); err != nil || len(a.Message.Body) != 2<<20 {
		t.Errorf("the body that is kept: %d bytes, %v", len(a.Message.Body), err)
	}
}

// A large file's rows wait outside the tables: nobody sees any of them before all are there, and a failure leaves none.
func testLargeTranslationIsOneTransaction(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	_, err := s.Intake(ctx, m)
	must(t, err)
	const records = 3000
	written := false
	made := func(yield func(engine.Translated) bool) {
		for n := 1; n <= records; n++ {
			out := accepted(flagOf(t, m, n))
			if n%3 == 0 {
				out = rejected(n)
				out.About = &engine.About{Authority: "999", NHSNumber: number(t, "9990000018"), LocalID: "L"}
			}
			if n == records && !written {
				if got := len(due(t, s, engine.KindFlag)); got != 0 {
					t.Errorf("%d flags are seen before the file is read", got)
				}
			}
			if !yield(out) {
				return
			}
		}
	}
	translation := store.Translation{Wait: waiting(m), Mapping: "m", Records: made, Failed: func() error { return errors.New("the file could not be read") }}
	if err := s.SaveTranslation(ctx, translation); err == nil || parts(t, s) != 0 {
		t.Errorf("a reading that failed: %v, %d parts", err, parts(t, s))
	}
	if faults, err := s.Faults(ctx, m.ID); err != nil || len(faults) != 0 {
		t.Errorf("a reading that failed leaves %d faults, %v", len(faults), err)
	}
	translation.Failed = nil
	must(t, s.SaveTranslation(ctx, translation))
	written = true
	must(t, s.SaveTranslation(ctx, translation)) // changes nothing
	a, err := s.Arrival(ctx, m.ID)
	must(t, err)
	if a.Records != records || a.Accepted != records/3*2 || a.Open != a.Accepted || parts(t, s) != 0 {
		t.Errorf("%d records, %d accepted, %d open, %d parts", a.Records, a.Accepted, a.Open, parts(t, s))
	}
	faults, err := s.Faults(ctx, m.ID)
	must(t, err)
	for i, f := range faults {
		want := rejected((i + 1) * 3).Faults[0]
		if f.Error.Place != want.Place || f.Error.Text != want.Text || f.Error.Rule != want.Rule {
			t.Fatalf("fault %d is %+v, want %+v", i, f.Error, want)
		}
	}
	var positions []int
	for at, failed := range s.AcceptedPositions(ctx, m.ID) {
		must(t, failed)
		positions = append(positions, at)
	}
	if len(faults) != records/3 || len(positions) != records/3*2 || !slices.IsSorted(positions) {
		t.Errorf("%d faults, %d positions", len(faults), len(positions))
	}
}

// The courier takes many effects at once: large ones do not come along.
func testLargeEffectsAreOpened(t *testing.T, p place) {
	s := p.open(t)
	for id, body := range map[string]string{"A": "small", "B": text(200_000), "C": text(2 << 20)} {
		effect, err := s.PackSpool(store.Effect{ID: id, Kind: store.Acknowledgement, Authority: "999", Due: time.Now().Add(-time.Hour)}, write(t, s, body))
		must(t, err)
		must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.PlanEffect(effect) }))
		effects, err := s.DueEffects(ctx, 10)
		must(t, err)
		at := slices.IndexFunc(effects, func(e store.Effect) bool { return e.ID == id })
		e := effects[at]
		from, err := e.Reader()
		must(t, err)
		got, err := io.ReadAll(from)
		must(t, errors.Join(err, from.Close()))
		if string(got) != body || e.Size != int64(len(body)) || len(e.Body) > 64<<10 {
			t.Errorf("effect %s: %d bytes are read as %d, %d of them came along", id, len(body), len(got), len(e.Body))
		}
	}
}

// The memory in which bodies are taken is lent from one to the next: none sees another's, whether or not it was worth compressing, and an ended body can be
// read again.
func TestBodiesShareNoMemory(t *testing.T) {
	s := sqlite(t).open(t)
	noise := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	bodies := []string{strings.Repeat("first ", 50_000), string(noise), strings.Repeat("second", 60_000), "small", string(noise[100_000:]), strings.Repeat("third", 40_000)}
	var spools []*store.Spool
	for _, body := range bodies {
		spool := write(t, s, body)
		for range 2 {
			if got := readSpool(t, spool); got != body {
				t.Fatalf("%d bytes are read as %d others", len(body), len(got))
			}
		}
		spools = append(spools, spool)
	}
	for i, spool := range spools {
		if readSpool(t, spool) != bodies[i] {
			t.Errorf("body %d is not what it was once others had been taken", i)
		}
	}
}

func readSpool(t *testing.T, spool *store.Spool) string {
	t.Helper()
	r, err := spool.Reader()
	must(t, err)
	got, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return string(got)
}
