package cpis

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// flushAt is how much a writer gathers before it writes on.
const flushAt = 64 << 10

// xmlWriter writes one message. The first error stays; later calls do nothing
// that shows.
type xmlWriter struct {
	w   io.Writer
	op  string
	buf []byte
	err error
}

func newXMLWriter(w io.Writer, op string) *xmlWriter {
	return &xmlWriter{w: w, op: op, buf: make([]byte, 0, 4096)}
}

func (x *xmlWriter) fail(what, why string) {
	if x.err == nil {
		x.err = fmt.Errorf("cpis: %s: %s: %s", x.op, what, why)
	}
}

// begin writes the declaration and the root with both namespaces.
func (x *xmlWriter) begin(root string) {
	x.buf = append(x.buf, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<"...)
	x.buf = append(x.buf, root...)
	x.buf = append(x.buf, ` xmlns="`+NamespaceHL7+`" xmlns:npfitlc="`+NamespaceLocalisation+`">`...)
}

func (x *xmlWriter) finish(root string) error {
	x.end(root)
	x.buf = append(x.buf, '\n')
	x.flush()
	return x.err
}

func (x *xmlWriter) flush() {
	if x.err == nil {
		if _, err := x.w.Write(x.buf); err != nil {
			x.err = fmt.Errorf("cpis: %s: write: %w", x.op, err)
		}
	}
	x.buf = x.buf[:0]
}

// copy writes what another writer has written.
func (x *xmlWriter) copy(written Aside) {
	x.flush()
	if x.err != nil {
		return
	}
	from, err := written.Reader()
	if err == nil {
		_, err = io.Copy(x.w, from)
		err = errors.Join(err, from.Close())
	}
	if err != nil {
		x.err = fmt.Errorf("cpis: %s: copy: %w", x.op, err)
	}
}

// open writes a start tag; attrs are names and values in turn.
func (x *xmlWriter) open(name string, attrs ...string) {
	x.tag(name, attrs)
	x.buf = append(x.buf, '>')
}

// leaf writes an element without content.
func (x *xmlWriter) leaf(name string, attrs ...string) {
	x.tag(name, attrs)
	x.buf = append(x.buf, '/', '>')
}

func (x *xmlWriter) tag(name string, attrs []string) {
	if len(x.buf) >= flushAt {
		x.flush()
	}
	x.buf = append(x.buf, '<')
	x.buf = append(x.buf, name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		x.buf = append(x.buf, ' ')
		x.buf = append(x.buf, attrs[i]...)
		x.buf = append(x.buf, '=', '"')
		x.escape(attrs[i+1], name+"/@"+attrs[i], true)
		x.buf = append(x.buf, '"')
	}
}

func (x *xmlWriter) end(name string) {
	x.buf = append(x.buf, '<', '/')
	x.buf = append(x.buf, name...)
	x.buf = append(x.buf, '>')
}

// text writes an element that holds text alone.
func (x *xmlWriter) text(name, text string, attrs ...string) {
	x.open(name, attrs...)
	x.escape(text, name, false)
	x.end(name)
}

// escape writes text so that a reader gets back the same characters. What XML
// 1.0 can not hold is an error that names the place, not the text.
func (x *xmlWriter) escape(s, place string, attr bool) {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || !xmlChar(r) {
				x.fail(place, "holds a character that XML does not allow")
			}
			x.buf = append(x.buf, s[i:i+n]...)
			i += n
			continue
		}
		i++
		switch {
		case c == '&':
			x.buf = append(x.buf, "&amp;"...)
		case c == '<':
			x.buf = append(x.buf, "&lt;"...)
		case c == '>':
			x.buf = append(x.buf, "&gt;"...)
		case c == '"' && attr:
			x.buf = append(x.buf, "&quot;"...)
		case c == '\r', attr && (c == '\n' || c == '\t'):
			x.buf = append(x.buf, "&#"...)
			x.buf = strconv.AppendInt(x.buf, int64(c), 10)
			x.buf = append(x.buf, ';')
		case c < 0x20 && c != '\n' && c != '\t':
			x.fail(place, "holds a control character that XML does not allow")
		default:
			x.buf = append(x.buf, c)
		}
	}
}

// tree writes a decoded element again, in the prefixes of this package.
func (x *xmlWriter) tree(e *Element) {
	name := e.Name
	if e.ns == nsLocal {
		name = "npfitlc:" + name
	}
	attrs := make([]string, 0, 8)
	for i := range e.Attrs {
		a := &e.Attrs[i]
		switch {
		case a.Name == "xsi:nil":
			attrs = append(attrs, "xmlns:xsi", namespaceXSI, "xsi:nil", trim(a.Value))
		case !strings.HasPrefix(a.Name, "xsi:"):
			attrs = append(attrs, a.Name, a.Value)
		}
	}
	if len(e.Children) == 0 && e.Text == "" {
		x.leaf(name, attrs...)
		return
	}
	x.open(name, attrs...)
	x.escape(e.Text, name, false)
	for _, c := range e.Children {
		x.tree(c)
	}
	x.end(name)
}

// hl7Time writes a moment with its offset: yyyymmddhhmmss±zzzz.
func (x *xmlWriter) hl7Time(place string, t time.Time) string {
	if t.IsZero() {
		x.fail(place, "is not set")
	}
	return t.Format("20060102150405-0700")
}

// needed gives the value, or records that it is missing.
func (x *xmlWriter) needed(place, value string) string {
	if value == "" {
		x.fail(place, "is empty")
	}
	return value
}

// uuid gives the id in the upper case that the schema asks for.
func (x *xmlWriter) uuid(place, id string) string {
	id = strings.ToUpper(id)
	if !isUUID(id) {
		x.fail(place, "is not a UUID")
	}
	return id
}

func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Organisation is a local authority, or an organisation that looked a child up.
type Organisation struct {
	Root     string // OIDOrganisation (when empty) or OIDSite
	ODSCode  string
	Name     string
	Telecoms []Telecom // one or two in uploads and responses; notifications carry none
}

func (x *xmlWriter) organisation(name string, o Organisation, telecoms bool) {
	root := o.Root
	if root == "" {
		root = OIDOrganisation
	}
	if root != OIDOrganisation && root != OIDSite {
		x.fail(name+"/id/@root", "is neither ODS organisation nor ODS site")
	}
	x.open(name)
	x.leaf("id", "root", root, "extension", x.needed(name+"/id/@extension", o.ODSCode))
	x.text("name", o.Name)
	if telecoms {
		x.telecoms(name, o.Telecoms)
	}
	x.end(name)
}

// telecoms writes one or two. The schema demands one: when none is known it is
// written as "tel:+" with use WP, which the schema takes and which says nothing.
func (x *xmlWriter) telecoms(name string, telecoms []Telecom) {
	if len(telecoms) > 2 {
		x.fail(name+"/telecom", "more than two telephones")
	}
	if len(telecoms) == 0 {
		telecoms = []Telecom{{Use: "WP", Value: "tel:+"}}
	}
	for _, t := range telecoms {
		value := t.Value
		if !strings.HasPrefix(value, "tel:") {
			value = "tel:" + value
		}
		if !isTelecom(value) {
			x.fail(name+"/telecom/@value", "is not digits only")
		}
		if !(&attrRule{kind: valueTokens, allowed: telecomUses}).accepts(t.Use) {
			x.fail(name+"/telecom/@use", "is not a telephone use")
		}
		x.leaf("telecom", "value", value, "use", t.Use)
	}
}

func (x *xmlWriter) contentID(template string) {
	x.leaf("npfitlc:contentId", "root", OIDTemplate, "extension", strings.Replace(template, ".", "#", 1))
}

func (x *xmlWriter) patientIDs(name, nhsNumber, localID, authority string) {
	x.leaf(name, "root", OIDNHSNumber, "extension", x.needed(name+" (NHS number)", nhsNumber))
	if localID == "" {
		return
	}
	attrs := []string{"root", OIDLocalID, "extension", localID}
	if authority != "" {
		attrs = append(attrs, "assigningAuthorityName", authority)
	}
	x.leaf(name, attrs...)
}
