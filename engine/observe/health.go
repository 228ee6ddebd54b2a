package observe

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/engine/stream"
)

// phase is how far the engine's life has come.
type phase int

const (
	starting phase = iota
	running
	draining
)

// maxSeen bounds how many unacknowledged messages of one mailbox are remembered. What is beyond is newer, so the oldest is known all the same.
const maxSeen = 10_000

// beat is a worker's last sign of life.
type beat struct {
	at     time.Time
	within time.Duration
}

// mailbox is what is known of one of our mailboxes since this process started.
type mailbox struct {
	validated bool
	listed    time.Time            // the last round that went well
	elsewhere time.Time            // when another process was last known to poll it
	waiting   map[string]time.Time // by MESH id: when it was first listed
	round     map[string]bool      // listed in the round that runs
}

// health knows who has to be alive and what has to be there.
type health struct {
	cfg       Config
	now       func() time.Time
	log       *slog.Logger
	record    Record
	transport stream.Transport
	pulse     pulse

	mu        sync.Mutex
	phase     phase
	listening bool
	beats     map[string]beat
	mailboxes map[string]*mailbox
	refused   map[string]bool // suppliers whose changed folder is refused
	said      map[string]bool // what the log was told of each check
}

func newHealth(cfg Config, now func() time.Time, log *slog.Logger) *health {
	h := &health{cfg: cfg, now: now, log: log, beats: map[string]beat{}, mailboxes: map[string]*mailbox{}, said: map[string]bool{}, refused: map[string]bool{}}
	for _, id := range cfg.Mailboxes {
		h.mailboxes[id] = &mailbox{waiting: map[string]time.Time{}, round: map[string]bool{}}
	}
	return h
}

func (h *health) bind(record Record, transport stream.Transport) {
	h.record, h.transport = record, transport
}

func (h *health) setPhase(p phase) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = p
}

func (h *health) setListening(open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listening = open
}

func (h *health) beat(worker string, within time.Duration) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beats[worker] = beat{at: now, within: within}
}

func (h *health) rest(worker string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.beats, worker)
}

// at runs do with what is known of a mailbox; one that is not ours is ignored.
func (h *health) at(id string, do func(*mailbox, time.Time)) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if m := h.mailboxes[id]; m != nil {
		do(m, now)
	}
}

func (h *health) validated(id string) {
	h.at(id, func(m *mailbox, _ time.Time) { m.validated = true })
}

func (h *health) seen(id, meshID string) {
	h.at(id, func(m *mailbox, now time.Time) {
		if _, known := m.waiting[meshID]; !known && len(m.waiting) < maxSeen {
			m.waiting[meshID] = now
		}
		if _, known := m.waiting[meshID]; known {
			m.round[meshID] = true
		}
	})
}

func (h *health) acknowledged(id, meshID string) {
	h.at(id, func(m *mailbox, _ time.Time) {
		delete(m.waiting, meshID)
		delete(m.round, meshID)
	})
}

// polledElsewhere notes that another process polls the mailbox: this one stands by, and is as ready for trusts as that one.
func (h *health) polledElsewhere(id string) {
	h.at(id, func(m *mailbox, now time.Time) { m.elsewhere = now })
}

// listed ends a round. After a whole list, what was not on it is no longer there: somebody else took it, or MESH removed it.
func (h *health) listed(id string, err error) {
	h.at(id, func(m *mailbox, now time.Time) {
		if err == nil {
			m.listed = now
			for meshID := range m.waiting {
				if !m.round[meshID] {
					delete(m.waiting, meshID)
				}
			}
		}
		clear(m.round)
	})
}

// check is one line of a health report.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// live reports each worker: whether it has beaten in time.
func (h *health) live() []check {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []check{}
	for name, b := range h.beats {
		since := now.Sub(b.at)
		c := check{Name: "worker " + name, OK: since <= b.within}
		if !c.OK {
			c.Detail = "has made no progress for " + since.Truncate(time.Second).String() + ", at most " + b.within.String() + " is allowed"
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b check) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// ready reports everything that has to be there for work to flow. The details are fixed sentences: what a library says goes to the log.
func (h *health) ready(ctx context.Context) []check {
	out := append(h.state(), h.mailboxChecks()...)
	if h.record != nil {
		out = append(out, h.asked("store", "the record cannot be written", h.pulse.ask(ctx, h.record, h.cfg.Within)))
	}
	if h.transport != nil {
		within, cancel := context.WithTimeout(ctx, h.cfg.Within)
		defer cancel()
		out = append(out, h.asked("stream", "events cannot flow", h.transport.Ready(within)))
	}
	return out
}

func (h *health) state() []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	engine := check{Name: "engine", OK: h.phase == running}
	switch h.phase {
	case starting:
		engine.Detail = "is starting"
	case draining:
		engine.Detail = "is draining: it takes nothing in"
	}
	listener := check{Name: "listener", OK: h.listening}
	if !h.listening {
		listener.Detail = "the FHIR listener is not open"
	}
	return append([]check{engine, listener}, h.mappings()...)
}

// mappings tells of folders that are refused. It is no reason to send nobody here: the old mappings work as before.
func (h *health) mappings() []check {
	var out []check
	for supplier := range h.refused {
		out = append(out, check{Name: "mapping " + supplier, OK: true, Detail: "the changed folder is refused, the old mapping stays in use: see the log"})
	}
	slices.SortFunc(out, func(a, b check) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (h *health) setRefused(supplier string, refused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if delete(h.refused, supplier); refused {
		h.refused[supplier] = true
	}
}

// standby is for how long the word that another process polls a mailbox is believed. A lease is tried again every few seconds.
const standby = time.Minute

func (h *health) mailboxChecks() []check {
	now, recent := h.now(), 2*h.cfg.Poll+time.Minute
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []check{}
	for _, id := range h.cfg.Mailboxes {
		m, c := h.mailboxes[id], check{Name: "mailbox " + id}
		switch {
		case now.Sub(m.elsewhere) <= standby:
			c.OK = true
		case !m.validated:
			c.Detail = "MESH has not accepted its handshake yet"
		case m.listed.IsZero():
			c.Detail = "has not been listed yet"
		case now.Sub(m.listed) > recent:
			c.Detail = "was last listed " + now.Sub(m.listed).Truncate(time.Second).String() + " ago, at most " + recent.String() + " is allowed"
		default:
			c.OK = true
		}
		out = append(out, c)
	}
	return out
}

// asked makes a check of an error, and logs the error when the check changes.
func (h *health) asked(name, sentence string, err error) check {
	h.mu.Lock()
	changed := h.said[name] != (err != nil)
	h.said[name] = err != nil
	h.mu.Unlock()
	if err == nil {
		if changed {
			h.log.Info("check passes again", "check", name)
		}
		return check{Name: name, OK: true}
	}
	if changed {
		h.log.Warn("check fails", "check", name, "error", err)
	}
	return check{Name: name, Detail: sentence}
}

// healthCollector shows beats and mailboxes as gauges.
type healthCollector struct{ h *health }

// gauges names what healthCollector shows.
func (healthCollector) gauges() (beats, waiting, oldest, listed *prometheus.Desc) {
	d := func(name, help, label string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{label}, nil)
	}
	return d("signalbox_worker_beat_age_seconds", "Time since a worker's last sign of progress.", "worker"),
		d("signalbox_mesh_unacknowledged_messages", "Messages listed in our mailbox and not acknowledged.", "mailbox"),
		d("signalbox_mesh_oldest_unacknowledged_seconds",
			"For how long the oldest message has been seen in our mailbox without being acknowledged, since this process started; 0: none.", "mailbox"),
		d("signalbox_mesh_last_listing_timestamp_seconds", "When the mailbox was last listed to its end, in seconds since 1970; 0: never.", "mailbox")
}

// Describe names the gauges.
func (c healthCollector) Describe(ch chan<- *prometheus.Desc) {
	beats, waiting, oldest, listed := c.gauges()
	ch <- beats
	ch <- waiting
	ch <- oldest
	ch <- listed
}

// Collect reads them.
func (c healthCollector) Collect(ch chan<- prometheus.Metric) {
	beats, waiting, oldest, listed := c.gauges()
	now := c.h.now()
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	for name, b := range c.h.beats {
		ch <- gauge(beats, age(now, b.at), name)
	}
	for id, m := range c.h.mailboxes {
		first, at := time.Time{}, 0.0
		for _, since := range m.waiting {
			if first.IsZero() || since.Before(first) {
				first = since
			}
		}
		if !m.listed.IsZero() {
			at = float64(m.listed.UnixMilli()) / 1000
		}
		ch <- gauge(waiting, float64(len(m.waiting)), id)
		ch <- gauge(oldest, age(now, first), id)
		ch <- gauge(listed, at, id)
	}
}
