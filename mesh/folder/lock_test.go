package folder

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
)

// A second bridge on the same folders is refused with a word that says why, for as long as the first one runs.
func TestTwoBridgesOnOneFolder(t *testing.T) {
	y := newYard(t)
	y.put("one", order(), []byte("x"))
	first, second := y.bridge(), y.bridge()
	poller := mesh.DefaultPoller()
	poller.Spread = 0
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx, poller) }()
	for deadline := time.Now().Add(30 * time.Second); !exists(y.at(sentName, "one.ctl")); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first bridge sent nothing in 30 s")
		}
	}
	if err := second.Run(t.Context(), poller); !errors.Is(err, ErrInUse) || strings.Contains(err.Error(), y.root) {
		t.Errorf("a second bridge: %v", err)
	}
	stop()
	y.must(<-ended)
	over, end := context.WithCancel(t.Context())
	end()
	y.must(second.Run(over, poller))
}
