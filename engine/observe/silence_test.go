package observe

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/engine/silence"
)

// The gauges say for how long, and go when this process does not look any more: another's must not be contradicted.
func TestSilenceIsShown(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	o, err := New(Default(), func() time.Time { return now }, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, o.Close(t.Context())) }()
	if n := testutil.CollectAndCount(o.listener); n != 0 {
		t.Errorf("%d gauges before anybody has looked", n)
	}
	o.Silence([]silence.Report{
		{Sender: silence.Sender{Kind: silence.File, Name: "999"}, Verdict: silence.Verdict{State: silence.Silent, Since: now.Add(-time.Hour), Last: now.Add(-25 * time.Hour)}},
		{Sender: silence.Sender{Kind: silence.Asking, Name: "infirmary"}, Verdict: silence.Verdict{State: silence.Never}},
	}, now.Add(24*time.Hour))
	want := `
# HELP signalbox_bank_holidays_until_timestamp_seconds When the calendar of bank holidays ends, in seconds since 1970.
# TYPE signalbox_bank_holidays_until_timestamp_seconds gauge
signalbox_bank_holidays_until_timestamp_seconds 1.8000864e+09
# HELP signalbox_last_heard_timestamp_seconds When a sender was last heard, in seconds since 1970; 0: never.
# TYPE signalbox_last_heard_timestamp_seconds gauge
signalbox_last_heard_timestamp_seconds{kind="asking",sender="infirmary"} 0
signalbox_last_heard_timestamp_seconds{kind="file",sender="999"} 1.79991e+09
# HELP signalbox_silent_seconds For how long a sender should have been heard and was not, by its learnt cadence; 0: it is as usual, or too little is known.
# TYPE signalbox_silent_seconds gauge
signalbox_silent_seconds{kind="asking",sender="infirmary"} 0
signalbox_silent_seconds{kind="file",sender="999"} 3600
`
	if err := testutil.CollectAndCompare(o.listener, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	o.Silence(nil, time.Time{})
	if n := testutil.CollectAndCount(o.listener); n != 0 {
		t.Errorf("%d gauges after this process has stopped looking", n)
	}
}
