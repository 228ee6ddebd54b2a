package csv

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// slab is how many rows share one allocation.
const slab = 64

// decoding is the reading of one message.
type decoding struct {
	dialect
	*window
	scan     scanner
	rest     io.ReadCloser // of the file behind the window; nil: nothing
	failed   error         // why the file could not be read on
	columns  []int
	headRow  *record // the row before the records, or nil
	ended    bool    // the trailer has been read
	position int
	headings []string // column index to "column <heading>"
	width    int      // columns that every row must have
	cells    []cell   // slab
	records  []record // slab
	rawAt    int      // UTF-16: the text offset up to which raw was counted
	raw      int64
}

func newDecoding(msg engine.Message, src engine.Schema) (*decoding, error) {
	dia, err := newDialect(src)
	if err != nil {
		return nil, err
	}
	d := &decoding{dialect: dia}
	if len(msg.Body) > MaxFileBytes || msg.Size > MaxFileBytes {
		fault := fileFault(engine.RuleLimit, "the file is larger than it may be")
		fault.Kind = engine.TooLarge
		return nil, fault
	}
	text, rest, err := bodyOf(msg, d.charset.IsTwo)
	if d.rest = rest; err != nil {
		return nil, fileFault(engine.RuleSyntax, "the file cannot be read")
	}
	if err := d.wrongMark(text); err != nil {
		return d, err
	}
	start := 0
	if d.charset.IsTwo {
		if text, err = d.fromUTF16(text); err != nil {
			return d, err
		}
	} else if d.charset.Table == nil && strings.HasPrefix(text, "\ufeff") {
		start = len("\ufeff")
	}
	d.scan = scanner{pos: start, line: 1, delimiter: d.delimiter, quote: d.quote}
	d.look(text, 0)
	return d, nil
}

// wrongMark refuses a file that begins with the byte order mark of another encoding than the one declared: read on, every name with an
// accent in it would be wrong.
func (d *decoding) wrongMark(text string) error {
	two := strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")
	if two && !d.charset.IsTwo {
		return fileFault(engine.RuleEncoding, "the file begins with the mark of UTF-16 but "+d.charset.Name+" is declared")
	}
	if strings.HasPrefix(text, "\ufeff") && (d.charset.IsTwo || d.charset.Table != nil) {
		return fileFault(engine.RuleEncoding, "the file begins with the mark of UTF-8 but "+d.charset.Name+" is declared")
	}
	return nil
}

// fromUTF16 converts the whole file. Half a character at the end or half a pair becomes U+FFFD, which rejects its row.
func (d *decoding) fromUTF16(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	out, err := unicode.UTF16(d.charset.Order, d.charset.Wide).NewDecoder().String(text)
	if err != nil {
		return "", fileFault(engine.RuleEncoding, "the file has no UTF-16 byte order mark: declare utf-16le or utf-16be if it never has")
	}
	if d.charset.Wide == unicode.ExpectBOM {
		d.raw = 2
		return out, nil
	}
	if rest, marked := strings.CutPrefix(out, "\ufeff"); marked {
		d.raw = 2
		return rest, nil
	}
	return out, nil
}

func fileFault(rule, text string) *engine.Error {
	return &engine.Error{Op: "read csv", Kind: engine.Invalid, Rule: rule, Text: text}
}

// readHeader finds each declared field's column. Every missing or doubled column is one fault of the file.
func (d *decoding) readHeader(src engine.Schema) []error {
	if faults := d.readHead(src); len(faults) > 0 {
		return faults
	}
	if !d.header {
		d.readPositions(src)
		return nil
	}
	d.ready()
	r, ok := d.scan.next(nil)
	if !ok {
		return []error{fileFault(engine.RuleColumns, "the file is empty: it has no header")}
	}
	if fault := d.faultOf(r); fault != nil {
		fault.Text = "the header cannot be read: " + fault.Text
		return []error{fault}
	}
	names := map[string][]int{}
	for i, c := range r.cells {
		name := d.charset.Text(d.scan.content(c))
		names[name] = append(names[name], i)
		d.headings = append(d.headings, "")
	}
	var faults []error
	for _, f := range src.Fields {
		if column, inHead := headColumn(f.Selector()); inHead {
			d.columns = append(d.columns, ^column)
			continue
		}
		at := names[f.Selector()]
		if len(at) != 1 {
			faults = append(faults, columnFault(f.Selector(), len(at)))
			continue
		}
		d.columns = append(d.columns, at[0])
		d.headings[at[0]] = "column " + f.Selector()
	}
	d.width = len(r.cells)
	return faults
}

func columnFault(name string, found int) error {
	text := "the header lacks this declared column"
	if found > 1 {
		text = "the header has this column more than once"
	}
	fault := fileFault(engine.RuleColumns, text)
	fault.Place = engine.Place{Path: "column " + name, Line: 1, Column: 1}
	return fault
}

func (d *decoding) readPositions(src engine.Schema) {
	for _, f := range src.Fields {
		if column, inHead := headColumn(f.Selector()); inHead {
			d.columns = append(d.columns, ^column)
			continue
		}
		i, _ := positional(f.Selector())
		d.columns = append(d.columns, i)
		d.width = max(d.width, i+1)
	}
	for i := range d.width {
		d.headings = append(d.headings, fmt.Sprintf("column col%d", i+1))
	}
}

// next returns the next row's record or its fault; both nil at the end.
func (d *decoding) next() (*record, error) {
	if cap(d.cells)-len(d.cells) < d.width {
		d.cells = make([]cell, 0, slab*max(d.width, 1))
	}
	used := len(d.cells)
	if !d.ready() && d.failed != nil {
		return nil, fileFault(engine.RuleSyntax, "the file cannot be read on")
	}
	r, ok := d.scan.next(d.cells[used:used])
	if !ok {
		if fault := d.unended(); fault != nil {
			return nil, fault
		}
		return nil, nil
	}
	if d.framing != (framing{}) {
		if fault, done := d.frame(r); fault != nil {
			if done {
				d.scan.pos = len(d.scan.text)
				_ = d.close() // what was asked of the file was read
			}
			return nil, fault
		}
		if d.ended {
			return d.next()
		}
	}
	d.position++
	if fault := d.faultOf(r); fault != nil {
		return nil, fault
	}
	if d.detail != "" && d.cellText(r, 0) != d.detail {
		fault := d.newFault(r, engine.RuleSyntax, "the row is neither a record nor the trailer by its first cell")
		fault.Place.Line, fault.Place.Column = r.line, 1
		return nil, fault
	}
	if len(r.cells) != d.width {
		fault := d.newFault(r, engine.RuleColumns, fmt.Sprintf("the row has %d columns where there should be %d", len(r.cells), d.width))
		fault.Place.Line, fault.Place.Column = r.line, 1
		return nil, fault
	}
	d.cells = d.cells[:used+d.width]
	if len(d.records) == cap(d.records) {
		d.records = make([]record, 0, slab)
	}
	start, end := d.rawRange(r)
	d.records = append(d.records, record{d: d, window: d.window, position: d.position, line: r.line, from: r.start, start: start, end: end, cells: r.cells[:d.width:d.width]})
	return &d.records[len(d.records)-1], nil
}

// faultOf returns the fault of a row that cannot be used: its bytes first, because a broken byte may be what broke the quotes.
func (d *decoding) faultOf(r row) *engine.Error {
	at, rule, text := r.faultAt, r.fault, r.text
	if !d.clean {
		if bad := d.charset.BadAt(d.scan.text[r.start:r.end]); bad >= 0 {
			at, rule, text = r.start+bad, engine.RuleEncoding, "a byte is not valid "+d.charset.Name+" text"
		}
	}
	if rule == "" {
		return nil
	}
	fault := d.newFault(r, rule, text)
	fault.Place.Line, fault.Place.Column = d.lineColumn(r.line, r.start, at)
	if rule == engine.RuleLimit {
		fault.Kind = engine.TooLarge
	}
	for i, c := range r.cells {
		if from, to := c.bounds(); from <= at && at < to && i < len(d.headings) {
			fault.Place.Path = d.headings[i]
		}
	}
	return fault
}

func (d *decoding) newFault(r row, rule, text string) *engine.Error {
	fault := fileFault(rule, text)
	fault.Place.Record = d.position
	fault.Place.Start, fault.Place.End = d.rawRange(r)
	return fault
}

// rawRange converts a row's offsets in the text into offsets in the raw message. Rows MUST come in order.
func (d *decoding) rawRange(r row) (start, end int64) {
	if !d.charset.IsTwo {
		return d.base + int64(r.start), d.base + int64(r.end)
	}
	if r.start >= d.rawAt {
		d.raw += int64(chars.WidthUTF16(d.scan.text[d.rawAt:r.start]))
		d.rawAt = r.start
	}
	return d.raw, d.raw + int64(chars.WidthUTF16(d.scan.text[r.start:r.end]))
}

// lineColumn returns line and column, in characters, of an offset in a row that begins at start on the given line.
func (d *decoding) lineColumn(line, start, at int) (int, int) {
	return d.window.lineColumn(d.charset, line, start, at)
}

func (w *window) lineColumn(charset chars.Charset, line, start, at int) (int, int) {
	before := w.text[start:at]
	if n := strings.LastIndexByte(before, '\n'); n >= 0 {
		line += strings.Count(before, "\n")
		before = before[n+1:]
	}
	if w.ascii || charset.Table != nil {
		return line, len(before) + 1
	}
	return line, utf8.RuneCountInString(before) + 1
}
