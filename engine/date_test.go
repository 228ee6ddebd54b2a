package engine_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
)

func TestLayouts(t *testing.T) {
	for _, tc := range []struct {
		layout, in, want string
		err              error
	}{
		{"hl7", "202609010000", "2026-09-01", nil},
		{"hl7", "202609011430", "2026-09-01T14:30", nil},
		{"hl7", "20260901", "", engine.ErrDateForm},
		{"hl7", "182609010000", "", engine.ErrDateForm},
		{"hl7", "202602310000", "", engine.ErrDateCalendar},
		{"hl7", "202613010000", "", engine.ErrDateCalendar},
		{"hl7", "202609012400", "", engine.ErrDateCalendar},
		{"hl7ts", "20150312", "2015-03-12", nil},
		{"hl7ts", "20150312101500+0100", "2015-03-12T10:15", nil},
		{"hl7ts", "20150312101500.123-0500", "2015-03-12T10:15", nil},
		{"hl7ts", "201503", "", engine.ErrDateForm},
		{"hl7ts", "20150312+01", "", engine.ErrDateForm},
		{"iso", "2015-03-12", "2015-03-12", nil},
		{"iso", "2015-03-12T10:15:00Z", "2015-03-12T10:15", nil},
		{"iso", "2015-03-12T10:15:00.5+01:00", "2015-03-12T10:15", nil},
		{"iso", "2015-3-12", "", engine.ErrDateForm},
		{"iso", "2015-02-29", "", engine.ErrDateCalendar},
		{"iso", "2016-02-29", "2016-02-29", nil},
		{"dd/MM/yyyy", "31/12/2025", "2025-12-31", nil},
		{"dd-MMM-yyyy", "12-MAR-2015", "2015-03-12", nil},
		{"dd MMM yyyy", "01 sep 2026", "2026-09-01", nil},
		{"dd-MMM-yyyy", "31-Feb-2025", "", engine.ErrDateCalendar},
		{"dd-MMM-yyyy", "12-Mai-2015", "", engine.ErrDateForm},
		{"dd-MMM-yyyy", "12-ebm-2015", "", engine.ErrDateForm},
		{"dd/MM/yyyy", "31/02/2025", "", engine.ErrDateCalendar},
		{"dd/MM/yyyy", "12/31/2025", "", engine.ErrDateCalendar},
		{"dd/MM/yyyy", "1/2/2025", "", engine.ErrDateForm},
		{"dd/MM/yyyy", "31/12/2025 ", "", engine.ErrDateForm},
		{"yyyyMMdd HH:mm", "20251231 23:59", "2025-12-31T23:59", nil},
	} {
		d, err := engine.MustLayout(tc.layout).Parse(tc.in)
		if !errors.Is(err, tc.err) || d.ISO() != tc.want {
			t.Errorf("%s %q: got %q, %v; want %q, %v", tc.layout, tc.in, d.ISO(), err, tc.want, tc.err)
		}
		if err == nil && d.Sent() != tc.in {
			t.Errorf("%s %q: what was sent is not kept", tc.layout, tc.in)
		}
	}
}

func TestLayoutRefusesGuesses(t *testing.T) {
	for _, pattern := range []string{"dd/MM/yy", "d/M/yyyy", "MM/yyyy", "", "dd/MM/yyyy dd", "dd MMMM yyyy", "dd MMM MM yyyy", "yyyy-MM-dd G"} {
		if _, err := engine.NewLayout(pattern); err == nil {
			t.Errorf("%q is taken as a date layout", pattern)
		}
	}
}

func TestDateAgreesWithTheCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(1900, 1, 1, 0, rapid.IntRange(0, 150*365*24*60).Draw(t, "minutes"), 0, 0, time.UTC)
		hl7, err := engine.MustLayout("hl7").Parse(at.Format("200601021504"))
		if err != nil {
			t.Fatal(err)
		}
		iso, err := engine.MustLayout("iso").Parse(at.Format("2006-01-02T15:04"))
		if err != nil {
			t.Fatal(err)
		}
		if hl7.Compare(iso) != 0 || !hl7.Time(time.UTC).Equal(at) || hl7.HL7() != at.Format("200601021504") {
			t.Fatal("two readings of one time differ")
		}
		n := rapid.IntRange(-1000, 1000).Draw(t, "days")
		if got := hl7.AddDays(n).HL7Day(); got != at.AddDate(0, 0, n).Format("20060102") {
			t.Fatalf("%d days later is %s", n, got)
		}
	})
}
