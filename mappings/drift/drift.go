// Package drift holds each message of a supplier against the ones before it and tells what is not as it was: a new or a missing column, a new code, another
// date format, a step in the number of records or in how often a column is empty.
//
// It is built to be silent on ordinary days and to speak on the first file that is different. What it says holds no value.
package drift

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"signalbox/mappings/twin"
)

// Kind is what has drifted.
type Kind string

// The kinds.
const (
	NewColumn     Kind = "new column"
	MissingColumn Kind = "missing column"
	NewCode       Kind = "new code"
	DateFormat    Kind = "date format"
	Volume        Kind = "volume"
	NullRate      Kind = "null rate"
)

// Alarm is one thing that is not as it was.
type Alarm struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path,omitempty"`
	Text string `json:"text"`
}

// String is the alarm on one line.
func (a Alarm) String() string {
	if a.Path == "" {
		return string(a.Kind) + ": " + a.Text
	}
	return string(a.Kind) + ": " + a.Path + ": " + a.Text
}

// How sure an alarm must be. The figures are chosen so that thirty days of chance raise none (see the tests), and a real step is seen at once.
const (
	enough       = 3    // messages before which there is no history to speak of
	enoughValues = 50   // values before which a column's codes and rates say nothing
	codeShare    = 0.1  // different values of a column of codes, of all its values, at most
	nullStep     = 0.15 // change of the share of empty values, at least
	deviations   = 6.0  // of chance, that a step of the null rate must exceed
	volumeFactor = 3.0  // more or fewer records than ever before, times this
	volumeStep   = 20   // and by so many records
	dateFits     = 0.95 // share of a column's values that make it one of dates
	dateFails    = 0.9  // below this share the layout is another
)

// Baseline is what a supplier's messages have looked like so far. The zero value is none. It is not safe for concurrent use.
type Baseline struct {
	messages   int
	rows       []int
	columns    map[string]*column
	everywhere map[string]int // path -> messages that had it
	known      map[string]bool
}

// New returns an empty baseline. known are codes that the mapping's tables and enumerations know: they are no news even when they are rare.
func New(known []string) *Baseline {
	b := &Baseline{columns: map[string]*column{}, everywhere: map[string]int{}, known: map[string]bool{}}
	for _, code := range known {
		b.known[code] = true
	}
	return b
}

// Add takes a message into the history.
func (b *Baseline) Add(p Profile) {
	b.messages++
	b.rows = append(b.rows, p.Records)
	for path, c := range p.columns {
		b.everywhere[path]++
		base := b.columns[path]
		if base == nil {
			base = newColumn()
			b.columns[path] = base
		}
		base.seen += c.seen
		base.filled += c.filled
		for name, n := range c.layouts {
			base.layouts[name] += n
		}
		if c.codes == nil {
			base.codes = nil
		}
		for code := range c.codes {
			base.addCode(code, 0)
		}
		if c.seen >= volumeStep {
			base.rates = append(base.rates, c.empty())
		}
	}
}

func (c *column) empty() float64 { return float64(c.seen-c.filled) / float64(max(c.seen, 1)) }

// Check tells what of a message is not as in those before it, in order of kind and path. The first message is like none and raises nothing.
func (b *Baseline) Check(p Profile) []Alarm {
	if b.messages == 0 {
		return nil
	}
	var out []Alarm
	for _, path := range slices.Sorted(maps.Keys(p.columns)) {
		base, known := b.columns[path]
		if !known {
			out = append(out, Alarm{NewColumn, path, fmt.Sprintf("in none of %d messages before", b.messages)})
			continue
		}
		out = append(out, b.column(path, base, p.columns[path])...)
	}
	for _, path := range slices.Sorted(maps.Keys(b.columns)) {
		// Where columns come and go from record to record, as in XML, that one is away once is nothing.
		always := b.everywhere[path] == b.messages && b.columns[path].filled >= b.total()
		if p.columns[path] == nil && (always && p.Records > 0 || strings.HasPrefix(path, "column ")) && b.everywhere[path] == b.messages {
			out = append(out, Alarm{MissingColumn, path, fmt.Sprintf("in each of %d messages before", b.messages)})
		}
	}
	out = append(out, b.volume(p)...)
	slices.SortStableFunc(out, func(a, b Alarm) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Path, b.Path))
	})
	return out
}

func (b *Baseline) total() int {
	n := 0
	for _, rows := range b.rows {
		n += rows
	}
	return n
}

func (b *Baseline) column(path string, base, c *column) []Alarm {
	var out []Alarm
	if a, changed := dates(path, base, c); changed {
		out = append(out, a)
	}
	if b.messages < enough || base.filled < enoughValues && base.seen < enoughValues {
		return out
	}
	if base.codes != nil && len(base.codes) <= maxCodes && base.filled >= enoughValues && float64(len(base.codes)) <= codeShare*float64(base.filled) {
		out = append(out, b.newCodes(path, base, c)...)
	}
	if a, stepped := nulls(path, base, c); stepped {
		out = append(out, a)
	}
	return out
}

// newCodes tells of values that a column of codes never had. The value is not shown: it may be anything.
func (b *Baseline) newCodes(path string, base, c *column) []Alarm {
	if c.codes == nil {
		return []Alarm{{NewCode, path, fmt.Sprintf("many values that it never had: it had %d different ones before", len(base.codes))}}
	}
	first, n := 0, 0
	for code, record := range c.codes {
		if _, before := base.codes[code]; before || b.known[code] {
			continue
		}
		if n++; first == 0 || record < first {
			first = record
		}
	}
	if n == 0 {
		return nil
	}
	return []Alarm{{NewCode, path, fmt.Sprintf("%d values that it never had, the first in record %d", n, first)}}
}

// dates tells of a column of dates whose layout does not fit any more.
func dates(path string, base, c *column) (Alarm, bool) {
	if base.filled == 0 || c.filled < enough {
		return Alarm{}, false
	}
	was, fits := "", 0
	for _, name := range twin.Layouts() {
		if float64(base.layouts[name]) < dateFits*float64(base.filled) {
			continue
		}
		if was == "" {
			was = name
		}
		fits = max(fits, c.layouts[name])
	}
	if was == "" || float64(fits) >= dateFails*float64(c.filled) || c.filled-fits < enough {
		return Alarm{}, false
	}
	now, best := "no layout that is known", 0
	for _, name := range twin.Layouts() {
		if c.layouts[name] > best && float64(c.layouts[name]) >= dateFails*float64(c.filled) {
			now, best = name, c.layouts[name]
		}
	}
	return Alarm{DateFormat, path, fmt.Sprintf("was %s, which %d of %d values do not have; now %s", was, c.filled-fits, c.filled, now)}, true
}

// nulls tells of a step in the share of empty values, beyond chance and beyond all that was there before.
func nulls(path string, base, c *column) (Alarm, bool) {
	if c.seen < volumeStep || len(base.rates) < enough {
		return Alarm{}, false
	}
	now := c.empty()
	low, high := slices.Min(base.rates), slices.Max(base.rates)
	p := float64(base.seen-base.filled+1) / float64(base.seen+2)
	chance := deviations * math.Sqrt(p*(1-p)*(1/float64(c.seen)+1/float64(base.seen)))
	if now <= high+nullStep && now >= low-nullStep || math.Abs(now-p) <= chance {
		return Alarm{}, false
	}
	return Alarm{NullRate, path, fmt.Sprintf("%.0f%% are empty, before it were %.0f%% to %.0f%%", 100*now, 100*low, 100*high)}, true
}

// volume tells of a number of records that is far beyond all before.
func (b *Baseline) volume(p Profile) []Alarm {
	if b.messages < enough {
		return nil
	}
	low, high := slices.Min(b.rows), slices.Max(b.rows)
	n := float64(p.Records)
	if n > volumeFactor*float64(high) && p.Records-high >= volumeStep || n*volumeFactor < float64(low) && low-p.Records >= volumeStep {
		return []Alarm{{Volume, "", fmt.Sprintf("%d records, before it were %d to %d", p.Records, low, high)}}
	}
	return nil
}
