package cpis

import (
	"io"
	"iter"
	"strconv"
)

// Telecom is a telephone of an authority. Use is WP (office hours) or EC
// (emergency duty team); Value is "tel:" and digits.
type Telecom struct{ Use, Value string }

// Header is everything that stands before the first record of an upload.
type Header struct {
	FileID       string // the authority's upload sequence number
	CreationTime string // HL7 time as sent
	Quantity     int    // transmissionQuantity, -1 when absent or unreadable
	OrgRoot      string // OIDOrganisation or OIDSite
	ODSCode      string // of the authority
	OrgName      string // of the authority
	Telecoms     []Telecom
	Organisation *Element // communicationFunctionSnd/organisation, nil if absent
	Element      *Element // File, with the children that stand before the records
	Faults       []*Fault // every rule that the header breaks; Header returns the first as its error
	Warnings     []*Fault // what the header should hold but need not; they refuse nothing
}

// Record is one record of an upload, decoded, valid or not.
type Record struct {
	Position   int      // 1-based, in the file
	Element    *Element // the <record>
	Start, End int64    // byte offsets in the file, [Start, End)
	Faults     []*Fault // every rule it breaks; Records yields the first as the error

	trusted bool // it was found to keep the schema when it was first read
}

// Decoder reads one upload, REPC_MT000002GB01. It is not safe for concurrent use.
type Decoder struct {
	s       *scanner
	file    *source // nil: the file is in memory
	broken  error   // why the file could not be read on
	stands  func(position int) bool
	trees   treeBuilder
	header  *Header
	refused *Fault // what is wrong with the header
	failed  *Fault // what ended the file, in or after the header
	opened  bool   // Header has run
	atStart bool   // a record follows the header
	done    bool
	count   int
	checker checker // of records
	top     frame   // of the record being checked
}

// NewDecoder prepares to read body, which is copied once. Zero limits mean [Default].
func NewDecoder(body []byte, limits Limits) *Decoder {
	limits = limits.filled()
	s := newScanner(string(body), limits)
	return &Decoder{
		s: s, trees: treeBuilder{s: s, max: limits.MaxElements},
		checker: checker{base: "File/", level: RecordLevel, max: limits.MaxFaults},
	}
}

// NewStreamDecoder prepares to read a file piece by piece. A file larger than 1 MiB is opened twice: it is looked through before its first
// record is read, because one bad character anywhere refuses all of it. What open or a reader fails with is yielded by [Decoder.Records] as it
// is; the header is then empty. Close the decoder.
func NewStreamDecoder(open func() (io.ReadCloser, error), limits Limits) *Decoder {
	d := NewDecoder(nil, limits)
	d.file = &source{open: open}
	return d
}

// Close lets go of the file. A decoder of bytes in memory need not be closed.
func (d *Decoder) Close() {
	if d.file != nil {
		d.file.close()
	}
}

// Trust has records whose position stands in the record taken as they are: they were checked when they were first read, so they are neither
// held against the rules again nor given lines and columns. Call it before [Decoder.Records].
func (d *Decoder) Trust(stands func(position int) bool) { d.stands = stands }

// Header reads up to the first record. Its error is a *Fault of [FileLevel]; the
// header is then returned too, with whatever could be read (it is never nil),
// so that an acknowledgement can be addressed.
func (d *Decoder) Header() (*Header, error) {
	if !d.opened {
		d.opened = true
		f, err := d.openHeader()
		if d.broken = err; err != nil {
			d.header, d.done = &Header{Quantity: -1}, true
		}
		if f != nil {
			d.refused, d.failed, d.done = f, f, true
			if len(d.header.Faults) == 0 {
				d.header.Faults = []*Fault{f}
			}
		}
	}
	if d.broken != nil {
		return d.header, d.broken
	}
	if d.refused != nil {
		return d.header, d.refused
	}
	return d.header, nil
}

// Reuse has each record take the memory of the one before: a record is then valid until the next is read, and its parts too. Call it before
// [Decoder.Records].
func (d *Decoder) Reuse() {
	d.Header() //nolint:errcheck // Header returns it again; the header's own elements are not reused
	d.trees.reuse, d.trees.elems, d.trees.attrs, d.trees.kids = true, nil, nil, nil
}

// openHeader reads the header, with as large a window as it needs.
func (d *Decoder) openHeader() (*Fault, error) {
	if d.file != nil {
		if err := d.file.begin(d.s); err != nil {
			return nil, err
		}
	}
	start := d.s.place()
	for {
		d.header, d.atStart = &Header{Quantity: -1}, false
		f := d.readHeader()
		if d.atStart || d.s.ended || d.s.settled(f) {
			return f, nil
		}
		d.s.back(start)
		if err := d.s.moveTo(0); err != nil {
			return nil, err
		}
	}
}

func (d *Decoder) readHeader() *Fault {
	ev, f := d.s.next()
	if f != nil {
		return f
	}
	if ev != evStart || d.s.local != "File" || d.s.ns != nsHL7 {
		return d.s.fault(RuleRoot, d.s.start, "the root element is not File in namespace "+NamespaceHL7)
	}
	d.trees.reset()
	file, f := d.trees.open(upload.header)
	if f != nil {
		return f
	}
	d.header.Element = file
	f = d.headerChildren(file)
	d.header.fill(file)
	if f != nil {
		return f
	}
	return d.checkHeader(file)
}

// headerChildren builds the children of File up to the first record.
func (d *Decoder) headerChildren(file *Element) *Fault {
	for {
		ev, f := d.s.next()
		if f != nil {
			return f
		}
		file.End = d.s.inFile(d.s.start)
		switch {
		case ev == evStart && d.s.local == "record" && d.s.ns == nsHL7:
			d.atStart = true
			d.s.retract()
			return nil
		case ev == evStart:
			c, f := d.trees.build(upload.header.child(d.s.local, d.s.ns))
			if f != nil {
				return f
			}
			file.Children = append(file.Children, c)
		case ev == evText:
			if f := d.trees.addText(file); f != nil {
				return f
			}
		default:
			return nil
		}
	}
}

func (d *Decoder) checkHeader(file *Element) *Fault {
	c := &checker{level: FileLevel, max: d.s.limits.MaxFaults}
	c.element(&frame{e: file})
	if !d.atStart {
		c.add(&frame{e: file}, "/record", RuleMissing, "the file has no record")
	}
	if len(c.faults) == 0 {
		checkHeaderRules(c, file)
	}
	d.header.Faults = c.faults
	if len(c.faults) == 0 {
		d.header.Warnings = officeTelephone(file)
	}
	if len(c.faults) > 0 {
		return c.faults[0]
	}
	return nil
}

func (h *Header) fill(file *Element) {
	h.FileID = file.Child("id").value("extension")
	h.CreationTime = file.Child("creationTime").value("value")
	if q, err := strconv.Atoi(trim(file.Child("transmissionQuantity").value("value"))); err == nil && q >= 0 {
		h.Quantity = q
	}
	org := file.Find("communicationFunctionSnd", "organisation")
	if org == nil {
		return
	}
	h.Organisation = org
	h.OrgRoot, h.ODSCode = org.Child("id").value("root"), org.Child("id").value("extension")
	if name := org.Child("name"); name != nil {
		h.OrgName = name.Text
	}
	for _, c := range org.Children {
		if c.Name == "telecom" {
			h.Telecoms = append(h.Telecoms, Telecom{Use: trim(c.value("use")), Value: trim(c.value("value"))})
		}
	}
}

// Records yields the records in order, after the header has been read. A record
// that breaks a rule is yielded with its first *Fault (all are in Record.Faults)
// and decoding goes on. A fault that ends the file is yielded last, with a nil
// record. Stopping early is allowed; a second call goes on where the first stopped.
func (d *Decoder) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if _, err := d.Header(); err != nil {
			yield(nil, err)
			return
		}
		for !d.done {
			record, f, err := d.next()
			switch {
			case err != nil:
				d.broken, d.done = err, true
				yield(nil, err)
				return
			case f != nil:
				d.failed, d.done = f, true
				yield(nil, f)
				return
			case record == nil:
				d.done = true
				return
			}
			if !yield(record, record.err()) {
				return
			}
		}
	}
}

func (r *Record) err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return r.Faults[0]
}

// next gives the next record, or nil at the end of the file, with as large a window as it needs.
func (d *Decoder) next() (*Record, *Fault, error) {
	for {
		before := d.s.place()
		r, f := d.read()
		if r != nil || d.s.settled(f) {
			return r, f, nil
		}
		d.s.back(before)
		if err := d.s.moveTo(before.off); err != nil {
			return nil, nil, err
		}
	}
}

func (d *Decoder) read() (*Record, *Fault) {
	more, f := d.toRecord()
	if f != nil || !more {
		return nil, f
	}
	if d.count >= d.s.limits.MaxRecords {
		return nil, d.s.fault(RuleLimitRecords, d.s.start, "the file has more records than the limit")
	}
	trusted := d.stands != nil && d.stands(d.count+1)
	d.s.plain = trusted
	d.trees.reset()
	e, f := d.trees.build(upload.record)
	if f != nil {
		return nil, f
	}
	d.count++
	r := &Record{Position: d.count, Element: e, Start: e.Start, End: e.End, trusted: trusted}
	if !trusted {
		d.check(r)
	}
	return r, nil
}

// toRecord moves to the next record's start tag; false is the file's proper end.
func (d *Decoder) toRecord() (bool, *Fault) {
	for {
		ev, f := d.s.next()
		if f != nil {
			return false, f
		}
		switch ev {
		case evStart:
			if d.s.local != "record" || d.s.ns != nsHL7 {
				return false, d.s.fault(RuleElement, d.s.start, "after the first record only records may stand")
			}
			return true, nil
		case evText:
			if !blank(d.s.text) {
				return false, d.s.fault(RuleText, d.s.start, "text stands where only records may")
			}
		case evEOF:
			return false, nil
		}
	}
}

func (d *Decoder) check(r *Record) {
	c := &d.checker
	c.faults = nil
	d.top = frame{e: r.Element, i: -r.Position}
	c.element(&d.top)
	if len(c.faults) == 0 {
		checkRecordRules(c, &d.top)
	}
	r.Faults = c.faults
}

// Count is how many records have been read so far.
func (d *Decoder) Count() int { return d.count }

// QuantityFault compares transmissionQuantity with the records read, once
// [Decoder.Records] has come to its end. It is nil when they agree, before
// the end, and when the file ended badly. The fault does not stop decoding: the schema and Spine both let it
// pass, so how grave it is lies with configuration.
func (d *Decoder) QuantityFault() *Fault {
	if !d.done || d.failed != nil || d.header.Quantity == d.count {
		return nil
	}
	e := d.header.Element.Child("transmissionQuantity")
	return newFault(FileLevel, RuleQuantity, "File/transmissionQuantity/@value",
		"the quantity is not the number of records in the file", e.Line, e.Column, e.Start)
}
