package observe

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
	"signalbox/engine/stream"
)

// recordCollector reads gauges from the record and the transport when somebody scrapes: within a time limit, and at most once every few
// seconds however many scrape. When a reading fails its gauges are missing from the answer, never stale.
type recordCollector struct {
	o        *Observer
	record   Record
	backlogs Backlogs // nil: the transport has none

	up, events, quarantine, unpublished, streamed, effects, oldestEffect, notices, uncollected, asideMessages, entries, tasks, oldestTask *prometheus.Desc

	mu    sync.Mutex
	taken time.Time
	kept  []prometheus.Metric
}

func newRecordCollector(o *Observer, record Record, backlogs Backlogs) *recordCollector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &recordCollector{
		o: o, record: record, backlogs: backlogs,
		up:            d("signalbox_reading_up", "Whether the last reading of a source (record, stream) succeeded.", "source"),
		events:        d("signalbox_events_open", "Events without an outcome, by state (waiting: to be published, streamed: published).", "topic", "state"),
		quarantine:    d("signalbox_quarantine_events", "Events in quarantine: a person has to decide.", "topic"),
		asideMessages: d("signalbox_quarantine_messages", "Whole messages in quarantine, because no route names them."),
		unpublished:   d("signalbox_events_oldest_unpublished_seconds", "For how long the oldest event has been due and unpublished; 0: none.", "topic"),
		streamed:      d("signalbox_events_oldest_streamed_seconds", "For how long the oldest published event has had no outcome; 0: none.", "topic"),
		effects:       d("signalbox_effects_open", "Effects that are not sent, by state (planned, attempted, failed).", "kind", "state"),
		oldestEffect:  d("signalbox_effects_oldest_open_seconds", "Age of the oldest effect that is planned or attempted; 0: none.", "kind"),
		notices:       d("signalbox_notices_oldest_open_seconds", "For how long an authority has waited to be told of its oldest access.", "la"),
		uncollected:   d("signalbox_effects_oldest_uncollected_seconds", "For how long an authority has not collected the oldest message that it was sent.", "kind", "la"),
		tasks:         d("signalbox_tasks_open", "Tasks about children that wait for a person, by kind.", "kind"),
		oldestTask:    d("signalbox_tasks_oldest_open_seconds", "For how long the oldest task of a kind has waited for a person.", "kind"),
		entries:       d("signalbox_stream_entries", "Entries of a Redis stream that a group has not finished, by state (waiting, pending).", "topic", "group", "state"),
	}
}

// Describe names the gauges.
func (c *recordCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.events, c.quarantine, c.unpublished, c.streamed, c.effects, c.oldestEffect, c.notices, c.uncollected,
		c.asideMessages, c.entries, c.tasks, c.oldestTask} {
		ch <- d
	}
}

// Collect hands out the figures that were read last, and reads them anew when they are too old.
func (c *recordCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.o.now(); c.taken.IsZero() || now.Sub(c.taken) >= c.o.cfg.CacheFor {
		ctx, cancel := context.WithTimeout(context.Background(), c.o.cfg.Within)
		defer cancel()
		c.kept, c.taken = c.read(ctx, now), now
	}
	for _, m := range c.kept {
		ch <- m
	}
}

func (c *recordCollector) read(ctx context.Context, now time.Time) []prometheus.Metric {
	stats, err := c.record.Stats(ctx)
	out := []prometheus.Metric{c.reading("record", err)}
	if err == nil {
		out = append(out, c.figures(stats, now)...)
	}
	if c.backlogs == nil {
		return out
	}
	entries, err := c.streamEntries(ctx)
	return append(append(out, entries...), c.reading("stream", err))
}

// reading says whether a source could be read, and why not to the log.
func (c *recordCollector) reading(source string, err error) prometheus.Metric {
	if err != nil {
		c.o.log.Warn("figures cannot be read", "source", source, "error", err)
		return gauge(c.up, 0, source)
	}
	return gauge(c.up, 1, source)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// age is how long ago at was, in seconds; nothing, or the future, is 0.
func age(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}

func (c *recordCollector) figures(s store.Stats, now time.Time) []prometheus.Metric {
	out := []prometheus.Metric{gauge(c.asideMessages, float64(s.QuarantineMessages))}
	for k, t := range s.Topics {
		topic := pipeline.Topic(k)
		out = append(out,
			gauge(c.events, float64(t.Waiting), topic, "waiting"), gauge(c.events, float64(t.Streamed), topic, "streamed"),
			gauge(c.quarantine, float64(t.Quarantined), topic),
			gauge(c.unpublished, age(now, t.OldestWaiting), topic), gauge(c.streamed, age(now, t.OldestStreamed), topic))
	}
	for k, e := range s.Effects {
		kind := string(k)
		out = append(out,
			gauge(c.effects, float64(e.Planned), kind, string(store.Planned)), gauge(c.effects, float64(e.Attempted), kind, string(store.Attempted)),
			gauge(c.effects, float64(e.Failed), kind, string(store.Failed)), gauge(c.oldestEffect, age(now, e.OldestOpen), kind))
	}
	for _, u := range s.Uncollected {
		out = append(out, gauge(c.uncollected, age(now, u.Oldest), string(u.Kind), u.Authority))
	}
	for _, t := range s.Tasks {
		out = append(out, gauge(c.tasks, float64(t.Count), string(t.Kind)), gauge(c.oldestTask, age(now, t.Oldest), string(t.Kind)))
	}
	for la, at := range s.OldestNotice {
		out = append(out, gauge(c.notices, age(now, at), la))
	}
	return out
}

func (c *recordCollector) streamEntries(ctx context.Context) ([]prometheus.Metric, error) {
	var out []prometheus.Metric
	for _, k := range engine.Kinds() {
		topic := pipeline.Topic(k)
		groups, err := c.backlogs.Backlogs(ctx, topic)
		if err != nil {
			return out, err
		}
		for _, g := range groups {
			out = append(out, c.group(topic, g)...)
		}
	}
	return out, nil
}

func (c *recordCollector) group(topic string, g stream.Backlog) []prometheus.Metric {
	out := []prometheus.Metric{gauge(c.entries, float64(g.Pending), topic, g.Group, "pending")}
	if g.Waiting >= 0 {
		out = append(out, gauge(c.entries, float64(g.Waiting), topic, g.Group, "waiting"))
	}
	return out
}
