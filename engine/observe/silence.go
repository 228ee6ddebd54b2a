package observe

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/engine/silence"
)

// listener shows who is silent, as this process was told last. A process that does not look shows nothing of it.
type listener struct {
	now func() time.Time

	mu       sync.Mutex
	reports  []silence.Report
	calendar time.Time
}

func (l *listener) told(reports []silence.Report, calendar time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports, l.calendar = reports, calendar
}

func (*listener) gauges() (silent, heard, calendar *prometheus.Desc) {
	return prometheus.NewDesc("signalbox_silent_seconds",
			"For how long a sender should have been heard and was not, by its learnt cadence; 0: it is as usual, or too little is known.", []string{"kind", "sender"}, nil),
		prometheus.NewDesc("signalbox_last_heard_timestamp_seconds", "When a sender was last heard, in seconds since 1970; 0: never.", []string{"kind", "sender"}, nil),
		prometheus.NewDesc("signalbox_bank_holidays_until_timestamp_seconds", "When the calendar of bank holidays ends, in seconds since 1970.", nil, nil)
}

// Describe names the gauges.
func (l *listener) Describe(ch chan<- *prometheus.Desc) {
	silent, heard, calendar := l.gauges()
	ch <- silent
	ch <- heard
	ch <- calendar
}

// Collect shows what was told last.
func (l *listener) Collect(ch chan<- prometheus.Metric) {
	silent, heard, calendar := l.gauges()
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reports == nil {
		return
	}
	for _, r := range l.reports {
		last := 0.0
		if !r.Last.IsZero() {
			last = float64(r.Last.Unix())
		}
		ch <- gauge(silent, age(now, r.Since), string(r.Kind), r.Name)
		ch <- gauge(heard, last, string(r.Kind), r.Name)
	}
	ch <- gauge(calendar, float64(l.calendar.Unix()))
}

// Silence takes what is made of each sender; nil when this process does not look any more.
func (o *Observer) Silence(reports []silence.Report, calendar time.Time) {
	o.listener.told(reports, calendar)
}
