package silence

import (
	"cmp"
	"context"
	"slices"
	"time"

	"signalbox/engine/store"
)

// Kind is what a sender is listened for.
type Kind string

// The kinds.
const (
	File    Kind = "file"    // an authority sends its files
	Mailbox Kind = "mailbox" // an authority collects what is sent to it
	Asking  Kind = "asking"  // a trust's system asks about children, or tells of them
	Poll    Kind = "poll"    // a mailbox of ours is listed
)

// Sender is who is listened for. Its names are of the configuration.
type Sender struct {
	Kind     Kind
	Name     string // an authority's ODS code, a trust's name, or the id of a mailbox of ours
	Source   string // where its messages come in; for File and Asking
	Workflow string // of its files
}

// Report is what is made of one sender.
type Report struct {
	Sender
	Verdict
}

// Record is what is asked of the store. *store.Store is one.
type Record interface {
	FilesOf(ctx context.Context, source, workflow string, span time.Duration) ([]time.Time, error)
	Stays(ctx context.Context, la string, after time.Time) ([]store.Stay, error)
	HoursOf(ctx context.Context, source string) ([]store.Hour, error)
	HeardSince(ctx context.Context, at time.Time) (map[string]time.Time, error)
	Polled(ctx context.Context) (map[string]time.Time, error)
}

// learnAgain is how long what was learnt of a trust is used before it is learnt anew: there are many, each with many hours.
const learnAgain = 6 * time.Hour

// Watcher looks at every sender. It is not safe for concurrent use.
type Watcher struct {
	cfg     Config
	record  Record
	senders []Sender
	learnt  map[string]learnt // by source
	looked  time.Time
}

type learnt struct {
	cadence Cadence
	at      time.Time
}

// NewWatcher returns a watcher over senders.
func NewWatcher(cfg Config, record Record, senders []Sender) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	senders = slices.SortedFunc(slices.Values(senders), func(a, b Sender) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return &Watcher{cfg: cfg, record: record, senders: senders, learnt: map[string]learnt{}}, nil
}

// CalendarUntil returns when the calendar of bank holidays ends; from then on a bank holiday is taken for a working day.
func (w *Watcher) CalendarUntil() time.Time { return w.cfg.Holidays.Until() }

// CalendarCovers reports whether the bank holidays of a time's year are known.
func (w *Watcher) CalendarCovers(at time.Time) bool { return w.cfg.Holidays.Covers(at.In(w.cfg.Zone)) }

// Span is how far before the last that was heard the record has to reach.
func (w *Watcher) Span() time.Duration { return time.Duration(w.cfg.Days+1) * 24 * time.Hour }

// Look judges every sender at a time, by kind and name. It reads the record and changes nothing.
func (w *Watcher) Look(ctx context.Context, now time.Time) ([]Report, error) {
	polled, err := w.record.Polled(ctx)
	if err != nil {
		return nil, err
	}
	heard, err := w.record.HeardSince(ctx, w.since())
	if err != nil {
		return nil, err
	}
	out := make([]Report, 0, len(w.senders))
	for _, s := range w.senders {
		v, err := w.judge(ctx, s, now, heard, polled)
		if err != nil {
			return nil, err
		}
		out = append(out, Report{s, v})
	}
	w.looked = now
	return out, nil
}

// since is from when on it has to be asked who was heard: an hour before the last look, because hours are counted a little later.
func (w *Watcher) since() time.Time {
	if w.looked.IsZero() {
		return time.Unix(0, 0)
	}
	return w.looked.Add(-time.Hour)
}

func (w *Watcher) judge(ctx context.Context, s Sender, now time.Time, heard, polled map[string]time.Time) (Verdict, error) {
	switch s.Kind {
	case Poll:
		return Polling(polled[s.Name], now, w.cfg), nil
	case Mailbox:
		stays, err := w.record.Stays(ctx, s.Name, now.Add(-w.Span()))
		return Collecting(stays, now, w.cfg), err
	case File:
		files, err := w.record.FilesOf(ctx, s.Source, s.Workflow, w.Span())
		return Learn(files, w.cfg).Judge(now), err
	}
	c, err := w.cadence(ctx, s.Source, now, heard[s.Source])
	return c.Judge(now), err
}

// cadence returns what is known of a trust, with the last that was heard of it.
func (w *Watcher) cadence(ctx context.Context, source string, now, last time.Time) (Cadence, error) {
	had, known := w.learnt[source]
	if !known || now.Sub(had.at) >= learnAgain || had.cadence.last.IsZero() && !last.IsZero() {
		hours, err := w.record.HoursOf(ctx, source)
		if err != nil {
			return Cadence{}, err
		}
		var times []time.Time
		for _, h := range hours {
			times = append(times, h.First, h.Last)
		}
		had = learnt{Learn(times, w.cfg), now}
	}
	if last.After(had.cadence.last) {
		had.cadence.last = last
	}
	w.learnt[source] = had
	return had.cadence, nil
}
