package json

import (
	"bytes"
	"cmp"
	"slices"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// decoding is the reading of one message.
type decoding struct {
	shape
	body     []byte
	index    *chars.Index
	root     *value
	position int
	yield    func(engine.Record, error) bool
}

// record is one value that the record path found.
type record struct {
	doc      *decoding
	position int
	value    *value
}

// Position is the record's number in the message.
func (r *record) Position() int { return r.position }

// Place says where the value stands.
func (r *record) Place() engine.Place { return r.doc.place(r.value, r.position) }

func (r *record) at(v *value) engine.Place { return r.doc.place(v, r.position) }

func (d *decoding) place(v *value, position int) engine.Place {
	p := engine.Place{Record: position, Path: v.path(), Start: int64(v.start), End: int64(v.end)}
	p.Line, p.Column = d.index.Place(v.start)
	return p
}

func (d *decoding) run() {
	if len(d.body) > MaxFileBytes {
		fault := d.fault(flaw{rule: engine.RuleLimit, text: "the message is larger than it may be"}, 0)
		fault.Place = engine.Place{}
		d.yield(nil, fault)
		return
	}
	base := 0
	if bytes.HasPrefix(d.body, []byte("\ufeff")) {
		base = len("\ufeff") // RFC 8259, section 8.1: a reader may ignore the mark
	}
	d.index = chars.NewIndex(string(d.body))
	if d.lines {
		d.eachLine(base)
		return
	}
	d.whole(base)
}

// eachLine reads every line that is not empty as a text of its own. A line whose syntax is broken costs itself.
func (d *decoding) eachLine(base int) {
	for base < len(d.body) {
		end := len(d.body)
		if n := bytes.IndexByte(d.body[base:], '\n'); n >= 0 {
			end = base + n
		}
		line := d.body[base:end]
		if len(bytes.TrimSpace(line)) > 0 {
			t := read(line, base)
			if t.stop != nil {
				d.position++
				fault := d.fault(*t.stop, d.position)
				fault.Place.Start, fault.Place.End = int64(base), int64(end)
				if !d.yield(nil, fault) {
					return
				}
			} else if !d.yieldRecords(t) {
				return
			}
		}
		base = end + 1
	}
}

func (d *decoding) whole(base int) {
	t := read(d.body[base:], base)
	if !d.yieldRecords(t) {
		return
	}
	if t.stop != nil {
		d.yield(nil, d.fault(*t.stop, 0))
	} else if d.position == 0 && !d.listed(t) {
		d.yield(nil, &engine.Error{Op: "read json", Kind: engine.Invalid, Rule: engine.RuleMandatory, Text: "the record path finds nothing in the message"})
	}
}

// listed reports whether the list that holds the records is there, even if it is empty.
func (d *decoding) listed(t *tree) bool {
	found := false
	if n := len(d.shape.records.steps); n > 0 {
		walk(t.root, d.shape.records.steps[:n-1], func(v *value) { found = found || v.kind == array })
	}
	return found
}

// yieldRecords yields what the record path finds in one text. It returns false when nobody wants more.
func (d *decoding) yieldRecords(t *tree) bool {
	d.root = t.root
	var found []*value
	d.shape.records.find(t.root, func(v *value) {
		if v.end > 0 {
			found = append(found, v)
		}
	})
	slices.SortStableFunc(t.flaws, func(a, b flaw) int { return cmp.Compare(a.offset, b.offset) })
	if outside := firstOutside(t.flaws, found); outside != nil && t.stop == nil {
		d.yield(nil, d.fault(*outside, 0)) // what goes for all records is doubtful
		return false
	}
	view := *d
	for _, v := range found {
		d.position++
		rec := &record{doc: &view, position: d.position, value: v}
		err := d.wrong(t, v)
		if err == nil && !d.yield(rec, nil) || err != nil && !d.yield(nil, err) {
			return false
		}
	}
	return true
}

func firstOutside(flaws []flaw, found []*value) *flaw {
	for i := range flaws {
		n, _ := slices.BinarySearchFunc(found, flaws[i].offset, func(v *value, at int) int { return cmp.Compare(v.end, at) })
		if n == len(found) || flaws[i].offset < found[n].start {
			return &flaws[i]
		}
	}
	return nil
}

// wrong returns what makes a record unreadable: flaws inside it, or that it is no object. Further flaws hang on the first.
func (d *decoding) wrong(t *tree, v *value) error {
	if v.kind != object {
		return d.fault(flaw{offset: v.start, rule: engine.RuleType, text: "a record is an object, and this is not"}, d.position)
	}
	n, _ := slices.BinarySearchFunc(t.flaws, v.start, func(f flaw, at int) int { return cmp.Compare(f.offset, at) })
	var first *engine.Error
	var more faults
	for ; n < len(t.flaws) && t.flaws[n].offset < v.end; n++ {
		fault := d.fault(t.flaws[n], d.position)
		fault.Place.Start, fault.Place.End = int64(v.start), int64(v.end)
		if first == nil {
			first = fault
		} else {
			more = append(more, fault)
		}
	}
	if first == nil {
		return nil
	}
	if len(more) > 0 {
		first.Err = more
	}
	return first
}

func (d *decoding) fault(f flaw, position int) *engine.Error {
	e := &engine.Error{Op: "read json", Kind: engine.Invalid, Rule: f.rule, Text: f.text}
	if f.rule == engine.RuleLimit {
		e.Kind = engine.TooLarge
	}
	e.Place.Record = position
	e.Place.Start, e.Place.End = int64(f.offset), int64(f.offset)
	if d.index != nil {
		e.Place.Line, e.Place.Column = d.index.Place(f.offset)
	}
	return e
}

// faults are the further flaws of a record.
type faults []error

// Error says that there are more: each has a place and a sentence of its own.
func (faults) Error() string { return "and more" }

// Unwrap returns them.
func (f faults) Unwrap() []error { return f }
