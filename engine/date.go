package engine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Faults of a date, for errors.Is. They never hold the text that was sent.
var (
	ErrDateForm     = errors.New("the text does not have the form of the date layout")
	ErrDateCalendar = errors.New("no such day or time in the calendar")
)

// Date is a civil date with, where one was sent, the time of day in minutes. It has no zone: plan dates carry none on the wire
// (REPC_MT000002GB01, 12 digits). It keeps what was sent. The zero value is absent.
type Date struct {
	year                     int16
	month, day, hour, minute int8
	timed                    bool
	sent                     string
}

// NewDate returns a date without a time of day, as if it had been sent in ISO form.
func NewDate(year int, month time.Month, day int) (Date, error) {
	return newDate(civil{year: year, month: int(month), day: day}, fmt.Sprintf("%04d-%02d-%02d", year, month, day))
}

// DateOf returns the civil day of t in t's own zone.
func DateOf(t time.Time) Date {
	d, _ := NewDate(t.Year(), t.Month(), t.Day())
	return d
}

// civil is a date as read, before it is checked against the calendar.
type civil struct {
	year, month, day, hour, minute, second int
	timed                                  bool
}

func newDate(c civil, sent string) (Date, error) {
	if c.year < 1 || c.year > 9999 || c.month < 1 || c.month > 12 || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return Date{}, ErrDateCalendar
	}
	last := time.Date(c.year, time.Month(c.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if c.day < 1 || c.day > last {
		return Date{}, ErrDateCalendar
	}
	return Date{
		year: int16(c.year), month: int8(c.month), day: int8(c.day),
		hour: int8(c.hour), minute: int8(c.minute), timed: c.timed, sent: sent,
	}, nil
}

// IsZero reports whether no date is there.
func (d Date) IsZero() bool { return d.year == 0 }

// Sent returns the text as it was sent.
func (d Date) Sent() string { return d.sent }

// ISO returns yyyy-MM-dd, or yyyy-MM-ddTHH:mm where a time of day other than midnight was sent. Nothing when absent.
func (d Date) ISO() string {
	if d.IsZero() {
		return ""
	}
	return string(d.appendISO(make([]byte, 0, 16)))
}

// appendISO appends what ISO returns for a date that is there.
func (d Date) appendISO(b []byte) []byte {
	b = appendDigits(b, int(d.year), 4)
	b = appendDigits(append(b, '-'), int(d.month), 2)
	b = appendDigits(append(b, '-'), int(d.day), 2)
	if d.timed && (d.hour != 0 || d.minute != 0) {
		b = appendDigits(append(b, 'T'), int(d.hour), 2)
		b = appendDigits(append(b, ':'), int(d.minute), 2)
	}
	return b
}

// appendDigits appends n in decimal with at least width digits, of which n has no more.
func appendDigits(b []byte, n, width int) []byte {
	for unit := [5]int{0, 1, 10, 100, 1000}[width]; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return b
}

// HL7 returns the twelve digits yyyyMMddHHmm of a CP-IS plan date. Nothing when absent.
func (d Date) HL7() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d%02d%02d%02d%02d", d.year, d.month, d.day, d.hour, d.minute)
}

// HL7Day returns the eight digits yyyyMMdd of an HL7 birth time. Nothing when absent.
func (d Date) HL7Day() string {
	if d.IsZero() {
		return ""
	}
	return d.HL7()[:8]
}

// Time returns the date's start in the given zone; the zero time when absent.
func (d Date) Time(zone *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return time.Date(int(d.year), time.Month(d.month), int(d.day), int(d.hour), int(d.minute), 0, 0, zone)
}

// AddDays returns the day n days later, without a time of day.
func (d Date) AddDays(n int) Date {
	if d.IsZero() {
		return d
	}
	return DateOf(time.Date(int(d.year), time.Month(d.month), int(d.day)+n, 0, 0, 0, 0, time.UTC))
}

// Compare orders by calendar and time of day; what was sent does not count. An absent date comes first.
func (d Date) Compare(o Date) int {
	return cmp.Or(cmp.Compare(d.year, o.year), cmp.Compare(d.month, o.month), cmp.Compare(d.day, o.day),
		cmp.Compare(d.hour, o.hour), cmp.Compare(d.minute, o.minute))
}

// String returns Redacted: a birth date is personal data, and so is the day a plan began.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return Redacted
}

// Format prints Redacted whatever the verb.
func (d Date) Format(f fmt.State, _ rune) { fmt.Fprint(f, d.String()) }

// LogValue keeps the date out of structured logs.
func (d Date) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText keeps the date out of generic encoders.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
