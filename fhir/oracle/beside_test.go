package oracle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/fhir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports gathers what Beside tells.
type reports struct {
	sync.Mutex
	classes []string
	digests []string
	last    Opinions
}

func (r *reports) take(digest string, o Opinions) {
	r.Lock()
	defer r.Unlock()
	r.classes, r.digests, r.last = append(r.classes, o.Class), append(r.digests, digest), o
}

func newBeside(t *testing.T, r *reports, other fhir.SecondOpinion, every, queue int) *Beside {
	b, err := NewBeside(other, BesideConfig{Every: every, Queue: queue, Report: r.take})
	require.NoError(t, err)
	return b
}

func TestBesideComparesOffTheAnsweringPath(t *testing.T) {
	v := newValidator(t)
	synctest.Test(t, func(t *testing.T) {
		r := &reports{}
		b := newBeside(t, r, v, 1, 8)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Run(ctx)
		}()
		sound := []byte(`{"resourceType":"Patient","id":"a"}`)
		capitals := []byte(`{"resourceType":"Patient","gender":"Male"}`)
		for _, in := range [][]byte{sound, capitals} {
			_, faults := fhir.Examine(in, fhir.Limits{}, b)
			for _, f := range faults {
				assert.Equal(t, fhir.RuleCode, f.Rule, "the answer is our reader's alone")
			}
			synctest.Wait()
		}
		stop()
		<-done
		digest := sha256.Sum256(sound)
		assert.Equal(t, []string{Agreed, "code-capitals"}, r.classes)
		assert.Equal(t, hex.EncodeToString(digest[:]), r.digests[0])
		assert.Len(t, r.last.Ours, 1)
		assert.Empty(t, r.last.Theirs)
	})
}

func TestBesideSamplesAndDrops(t *testing.T) {
	r := &reports{}
	b := newBeside(t, r, newValidator(t), 4, 2)
	for range 16 { // of which 4 are taken: 2 wait, 2 are too many
		assert.Empty(t, b.Check([]byte(`{}`)))
	}
	assert.Equal(t, []string{Dropped, Dropped}, r.classes)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b.Run(ctx)
	assert.Len(t, r.classes, 4, "what waits at the end is counted")
}

func TestBesideConfig(t *testing.T) {
	cfg := DefaultBeside()
	assert.Error(t, cfg.Validate(), "somebody takes the reports")
	cfg.Report = func(string, Opinions) {}
	assert.NoError(t, cfg.Validate())
	cfg.Every = 0
	_, err := NewBeside(nil, cfg)
	assert.Error(t, err)
}
