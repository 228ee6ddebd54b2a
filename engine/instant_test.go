package engine

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestInstant(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		layout, sent, want string
		err                error
	}{
		{"yyyyMMddHHmmss", "20261001020000", "2026-10-01T02:00:00+01:00", nil},
		{"dd/MM/yyyy HH:mm", "01/12/2026 02:30", "2026-12-01T02:30:00Z", nil},
		{"hl7ts", "20261001020000+0100", "2026-10-01T02:00:00+01:00", nil},
		{"hl7ts", "20261001020015.25-0500", "2026-10-01T02:00:15-05:00", nil},
		{"hl7ts", "202610010200", "2026-10-01T02:00:00+01:00", nil},
		{"hl7ts", "20261001", "", ErrInstantTime},
		{"iso", "2026-10-01T02:00:00Z", "2026-10-01T02:00:00Z", nil},
		{"iso", "2026-10-01T02:00:00+05:30", "2026-10-01T02:00:00+05:30", nil},
		{"iso", "2026-10-01", "", ErrInstantTime},
		{"dd/MM/yyyy", "01/10/2026", "", ErrInstantTime},
		{"dd/MM/yyyy HH:mm", "29/03/2026 01:30", "", ErrInstantGap},
		{"dd/MM/yyyy HH:mm", "25/10/2026 01:30", "", ErrInstantTwice},
		{"dd/MM/yyyy HH:mm", "25/10/2026 02:30", "2026-10-25T02:30:00Z", nil},
		{"hl7ts", "202610250130+0100", "2026-10-25T01:30:00+01:00", nil},
		{"dd/MM/yyyy HH:mm", "31/02/2026 01:30", "", ErrDateCalendar},
		{"dd/MM/yyyy HH:mm", "2026", "", ErrDateForm},
	} {
		got, err := MustLayout(tt.layout).Instant(tt.sent, london)
		if !errors.Is(err, tt.err) || err == nil && got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s of %s: %v, %v", tt.layout, tt.sent, got, err)
		}
	}
}
