package notify

import (
	"iter"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// national is how many children England flags (the sum of published counts), all of them here one authority's.
const national = 131_000

// BenchmarkNotProtected lists who of 131,000 children of one authority is not protected: one in a hundred. The reference is a bare read of the same
// rows of the register.
func BenchmarkNotProtected(b *testing.B) {
	o := newOffice(b, b.TempDir())
	defer func() { o.check(b, o.store.Close()) }()
	o.crowd(b, national)
	for b.Loop() {
		if all := o.list(b, time.Time{}); len(all) != national/100 {
			b.Fatalf("%d lines", len(all))
		}
	}
	each := b.Elapsed() / time.Duration(b.N)
	began := time.Now()
	o.check(b, o.store.Write(ctx, func(tx *store.Tx) error { _, err := tx.FlagsOf("999"); return err }))
	b.ReportMetric(float64(time.Since(began))/float64(each), "x_ref:bare-read")
}

// crowd uploads one file of n children. One in a hundred is refused.
func (o *office) crowd(b *testing.B, n int) {
	m := engine.Message{ID: engine.NewMessageID(source, "CROWD"), Source: source, Upstream: "CROWD", Body: []byte("crowd"), Received: o.clock}
	_, err := o.store.Intake(ctx, m)
	o.check(b, err)
	var records iter.Seq[engine.Translated] = func(yield func(engine.Translated) bool) {
		for at := 1; at <= n; at++ {
			l := line{number: nth(at), local: "L" + nth(at), fate: "open"}
			if at%100 == 0 {
				l.fate = "rejected"
			}
			if !yield(l.translated(b, o, m, at)) {
				return
			}
		}
	}
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: source, Message: m.ID, Received: m.Received})
	o.check(b, o.store.SaveTranslation(ctx, store.Translation{Wait: wait, Mapping: strings.Repeat("0", 64), Records: records}))
	events, err := o.store.Events(ctx, m.ID)
	o.check(b, err)
	for len(events) > 0 {
		batch := events[:min(1000, len(events))]
		events = events[len(batch):]
		o.check(b, o.store.Write(ctx, func(tx *store.Tx) error {
			var open []engine.Envelope
			for _, e := range batch {
				open = append(open, e.Envelope)
			}
			if open, err = tx.ResolveAll(open); err != nil {
				return err
			}
			return o.reg.ApplyAll(tx, open)
		}))
	}
}

// nth is a synthetic NHS number of the 999 range; those without a check digit are passed over.
func nth(i int) string {
	stem := 999000000 + i + i/10
	for {
		sum := 0
		for place, n := 0, stem; place < 9; place++ {
			sum += n % 10 * (place + 2)
			n /= 10
		}
		if check := (11 - sum%11) % 11; check != 10 {
			digits := []byte("0000000000")
			for place, n := 9, stem*10+check; place >= 0; place-- {
				digits[place] = byte('0' + n%10)
				n /= 10
			}
			return string(digits)
		}
		stem += 10_000_000
	}
}
