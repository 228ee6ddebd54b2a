package day

import (
	"math/rand/v2"
	"time"
)

// fault is one way in which a record, or a file, is wrong, and what its sender must be told.
type fault struct {
	name string
	code string // of the acknowledgement: record code, or file code for a whole file
	rule string
	bare bool   // the record cannot be given back: the schema has no place for it
	csv  string // status in a CSV acknowledgement
	// unnamed: the NHS number cannot be read, so that only the authority's own id says who it is; lost: nothing does.
	unnamed, lost bool
	spoil         func(r *wireRecord) // the record as it goes out
}

const (
	parked   = "parked"
	rejected = "rejected"
	skipped  = "skipped"
)

// xmlFaults are the bad records of an XML file.
var xmlFaults = []*fault{
	{name: "check digit", unnamed: true, code: "CPR04", rule: "nhs-number", spoil: func(r *wireRecord) { r.number = wrongDigit(r.number) }},
	{name: "letters for a number", unnamed: true, code: "CPR04", rule: "nhs-number", spoil: func(r *wireRecord) { r.number = "99A" + r.number[3:] }},
	{name: "31 February", code: "CPR07", rule: "engine-date", spoil: func(r *wireRecord) { r.start = "202602310000" }},
	{name: "an end before the start", code: "CPR07", rule: "plan-period", spoil: func(r *wireRecord) {
		r.start, r.end, r.deleted = "202605010000", "202604010000", ""
	}},
	{name: "two plans", code: "CPR07", rule: "spine-one-plan", spoil: func(r *wireRecord) { r.twice = true }},
	{name: "no NHS number", unnamed: true, code: "CPR07", rule: "spine-nhs-number", spoil: func(r *wireRecord) { r.number = "" }},
	{name: "an unborn plan without an end", code: "CPR07", rule: "schema-missing", bare: true, spoil: func(r *wireRecord) {
		r.kind, r.end, r.deleted = unborn, "", ""
	}},
	{name: "a short start", code: "CPR07", rule: "schema-value", bare: true, spoil: func(r *wireRecord) { r.start = "20260501" }},
	{name: "hyphens in the birth date", code: "CPR07", rule: "schema-value", bare: true, spoil: func(r *wireRecord) { r.born = "2015-03-12" }},
	{name: "two given names", code: "CPR07", rule: "schema-too-many", bare: true, spoil: func(r *wireRecord) { r.given = append(r.given, "Second") }},
	{name: "no given name", code: "CPR07", rule: "schema-missing", bare: true, spoil: func(r *wireRecord) { r.given = nil }},
	{name: "an unborn plan of a child", code: "CPR07", rule: "engine-plan-subject", spoil: func(r *wireRecord) {
		r.kind, r.end, r.deleted, r.asChild = unborn, "209901010000", "", true
	}},
}

// csvFaults are the bad rows of a CSV file.
var csvFaults = []*fault{
	{name: "check digit", unnamed: true, rule: "nhs-number", csv: rejected, spoil: func(r *wireRecord) { r.number = wrongDigit(r.number) }},
	{name: "31 February", rule: "date", csv: rejected, spoil: func(r *wireRecord) { r.start = "202602310000" }},
	{name: "a code that nobody knows", rule: "code-unmapped", csv: parked, spoil: func(r *wireRecord) { r.category = "Q" }},
	{name: "a row cut short", lost: true, rule: "column-count", csv: rejected, spoil: func(r *wireRecord) { r.cut = true }},
	{name: "a training row", rule: "not-selected", csv: skipped, spoil: func(r *wireRecord) { r.status = "T" }},
}

// wrongDigit changes the last digit, so that the number fails its check and belongs to nobody.
func wrongDigit(number string) string {
	return number[:9] + string('0'+(number[9]-'0'+1)%10)
}

// Faults of whole files.
var (
	noDuty  = &fault{name: "no emergency duty telephone", code: "CPF01", rule: "spine-telecom-ec"}
	foreign = &fault{name: "another authority's name", code: "CPF04", rule: "foreign-authority"}
)

// maker makes the day's people and files.
type maker struct {
	rng     *rand.Rand
	m       *model
	today   time.Time
	numbers []string
	locals  int
}

func (k *maker) number() string {
	n := k.numbers[len(k.numbers)-1]
	k.numbers = k.numbers[:len(k.numbers)-1]
	return n
}

func (k *maker) ago(days int) time.Time { return k.today.AddDate(0, 0, -days) }

func (k *maker) oneIn(n int) bool { return k.rng.IntN(n) == 0 }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// person makes somebody; years before today and some days.
func (k *maker) person(years, days int) *person {
	born := k.today.AddDate(-years, 0, -days)
	if born.Month() == time.February && born.Day() == 29 {
		born = born.AddDate(0, 0, -1) // when such a child is grown up is not told alike everywhere
	}
	p := &person{number: k.number(), born: born, given: pick(k.rng, []string{"Ada", "Ben", "Cara", "Zoë", "Seán", "D'Arcy"}),
		family: pick(k.rng, []string{"Testone", "O'Test", "Test-Two", "Testfour", "Müllertest"})}
	k.m.people = append(k.m.people, p)
	return p
}

// child makes a child; one in sixty is about to be, or has been, grown up.
func (k *maker) child() *person {
	if k.oneIn(60) {
		return k.person(18, pick(k.rng, []int{-1, 0, 1, 200, 364, 365, 366, 400}))
	}
	return k.person(k.rng.IntN(17), k.rng.IntN(300))
}

// plan makes a plan of a child, or of the mother of one, at an authority.
func (k *maker) plan(la *authority, who *person, of kind) *entry {
	k.locals++
	e := &entry{who: who, la: la, kind: of, start: k.ago(420 + k.rng.IntN(400)), local: "LA-" + letters(k.locals)}
	switch draw := k.rng.IntN(100); {
	case of == unborn && draw < 70:
		e.start, e.end = k.ago(k.rng.IntN(60)), k.ago(-1-k.rng.IntN(200))
	case of == unborn:
		e.start, e.end = k.ago(100), k.ago(pick(k.rng, []int{0, 10, 27, 28, 29, 40}))
	case draw < 80:
		e.start = k.ago(k.rng.IntN(800))
	case draw < 82:
		e.start = k.ago(-1 - k.rng.IntN(20)) // the authority knows of the risk already
	case draw < 97:
		e.end = k.ago(pick(k.rng, []int{-30, 0, 1, 30, 200, 364, 365, 366, 400}))
	default:
		e.withdrawn = k.ago(k.rng.IntN(30))
	}
	return e
}

// letters writes a number so that no NHS number can be made of it.
func letters(n int) string {
	out := []byte{}
	for ; n > 0; n /= 26 {
		out = append(out, byte('A'+n%26))
	}
	return string(out)
}

// spoil makes three in a hundred of a file's records bad.
func (k *maker) spoil(f *file) {
	kinds := xmlFaults
	if f.la.csv {
		kinds = csvFaults
	}
	for _, e := range f.entries {
		if k.rng.IntN(100) < 3 {
			e.fault = kinds[k.rng.IntN(len(kinds))]
		}
	}
}
