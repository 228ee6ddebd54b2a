package demo

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// observer is the engine's log handler in the demonstration: it passes every record on to the log file and keeps what the steps of
// collecting and translating said, so that the story can tell of what happens between two files.
type observer struct {
	slog.Handler
	heard *hearsay
}

// hearsay is what was heard, in order.
type hearsay struct {
	mu    sync.Mutex
	lines []string
}

func (o observer) Handle(ctx context.Context, r slog.Record) error {
	facts := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		facts[a.Key] = a.Value.String()
		return true
	})
	switch r.Message {
	case "file collected":
		o.heard.add(fmt.Sprintf("collected MESH message %s of %s, %s bytes: durable, then acknowledged to MESH", facts["mesh"], facts["source"], facts["bytes"]))
	case "file translated":
		o.heard.add(fmt.Sprintf("translated a message of %s: %s flag events, %s rejected, %s parked, %s not for us", facts["source"],
			facts["accepted"], facts["rejected"], facts["parked"], facts["skipped"]))
	}
	return o.Handler.Handle(ctx, r)
}

func (o observer) WithAttrs(attrs []slog.Attr) slog.Handler {
	return observer{Handler: o.Handler.WithAttrs(attrs), heard: o.heard}
}

func (o observer) WithGroup(name string) slog.Handler {
	return observer{Handler: o.Handler.WithGroup(name), heard: o.heard}
}

func (h *hearsay) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

// take returns what was heard and forgets it.
func (h *hearsay) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.lines
	h.lines = nil
	return lines
}
