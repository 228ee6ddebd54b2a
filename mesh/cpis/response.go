package cpis

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"
)

// Response acknowledges an upload, record by record.
type Response struct {
	CreationTime time.Time
	FileID       string // of the upload; "-1", or empty, when it could not be read
	Quantity     int    // of the upload; -1 when it could not be read
	FileCode     FileCode
	Organisation Organisation // the authority
	FileReasons  []FileReason // what is to be said of the file as a whole; see README: an assumption
	Records      []ResponseRecord

	// Stream gives the records in the place of Records, one at a time: each is written before the next is taken, so they need not be in
	// memory together. nil: Records.
	Stream iter.Seq[ResponseRecord]
	// Judge chooses the file's code in the place of FileCode, once the records are counted. nil: FileCode.
	Judge func(valid, invalid int) FileCode
	// Aside gives a place for what is known of the records before what stands ahead of it in the message is. It is asked for two. nil: memory.
	Aside func() Aside
}

// Aside holds bytes for a while. Reader gives them back from the start; nothing is written after it.
type Aside interface {
	io.Writer
	Reader() (io.ReadCloser, error)
}

// inMemory is the Aside of a response that asks for no other.
type inMemory struct{ bytes.Buffer }

// Reader gives back what was written.
func (m *inMemory) Reader() (io.ReadCloser, error) { return io.NopCloser(&m.Buffer), nil }

func (r *Response) aside() Aside {
	if r.Aside == nil {
		return &inMemory{}
	}
	return r.Aside()
}

// FileReason is one thing to be said of a file as a whole. Code is CPR07, also when empty, or CPR06 for a warning.
type FileReason struct {
	Code RecordCode
	Text string // one sentence without personal data
}

// ResponseRecord is what became of one record. It is told by its decoded Source,
// or by a Plan and a Subject when Source is nil. An invalid record which the
// schema refuses can not be echoed in a valid response: it is left out of the
// messages, still counted as failed, and its location names the upload instead.
type ResponseRecord struct {
	Valid    bool
	Source   *Record
	Plan     *Plan
	Subject  *Subject
	Position int          // in the upload; 0: Source's, else the place in Records
	Codes    []RecordCode // why it is invalid; empty means CPR07. A valid record needs none
	Reason   string       // one sentence without personal data, or empty; see README: an assumption
}

// EncodeResponse writes a REPC_MT000003GB01. The same response gives the same
// bytes. An error means that nothing valid could be written; discard the output.
func EncodeResponse(w io.Writer, r Response) error {
	x := newXMLWriter(w, "encode response")
	b := x.body(r)
	if r.Judge != nil {
		r.FileCode = r.Judge(b.valid, b.failed)
	}
	if r.FileCode.Display() == "" {
		x.fail("file code", "is not one of the vocabulary")
	}
	id := r.FileID
	if trim(id) == "" {
		id = "-1"
	}
	x.begin("FileResponse")
	x.leaf("creationTime", "value", x.hl7Time("creationTime", r.CreationTime))
	x.leaf("id", "extension", id)
	x.leaf("transmissionQuantity", "value", strconv.Itoa(max(r.Quantity, -1)))
	x.open("acknowledgementFile")
	x.open("acknowledgementFileDetail")
	x.leaf("code", "code", string(r.FileCode), "displayName", r.FileCode.Display())
	x.end("acknowledgementFileDetail")
	x.end("acknowledgementFile")
	x.details(r, b)
	x.open("communicationFunctionRcv")
	x.organisation("organisation", r.Organisation, true)
	x.end("communicationFunctionRcv")
	x.count("failedReturnedCP-ISRecords", b.failed) // which the schema wants first
	x.copy(b.messages)
	return x.finishResponse(b.valid)
}

// body is the part of a response that its records make. It is written before what stands ahead of it: that names places in it.
type body struct {
	valid, failed int
	detailed      bool  // there are details
	details       Aside // why records are invalid, and where they stand in the response
	messages      Aside
}

// body writes the records, each before the next is taken.
func (x *xmlWriter) body(r Response) body {
	records := r.Stream
	if records == nil {
		records = slices.Values(r.Records)
	}
	out := body{details: r.aside(), messages: r.aside()}
	w, why := newXMLWriter(out.messages, x.op), newXMLWriter(out.details, x.op)
	message, index := 0, 0
	for record := range records {
		if record.Valid {
			out.valid++
		} else {
			out.failed++
		}
		location := ""
		switch {
		case record.echoes():
			message++
			if codes := record.codes(); len(codes) > 0 {
				location = fmt.Sprintf("/FileResponse/message[%d]/cP-ISLAAcknowledgementResponse/pertinentInformation1/%s", message, record.kind())
			}
			w.message(&record)
		case record.Valid:
			w.fail(fmt.Sprintf("record %d", record.position(index)), "is called valid but holds no record that the schema takes")
		default:
			location = fmt.Sprintf("/File/record[%d]", record.position(index))
		}
		for _, code := range record.codes() {
			out.detailed = true
			why.detail(code, record.Reason, location)
		}
		index++
	}
	w.flush()
	why.flush()
	if x.err == nil {
		x.err = cmp.Or(why.err, w.err)
	}
	return out
}

// codes are the record's reasons. An invalid record has one at least.
func (r *ResponseRecord) codes() []RecordCode {
	if !r.Valid && len(r.Codes) == 0 {
		return []RecordCode{RecordUnsuccessful}
	}
	return r.Codes
}

func (r *ResponseRecord) kind() string {
	if r.Valid {
		return "validCP-ISRecord"
	}
	return "invalidCP-ISRecord"
}

func (r *ResponseRecord) position(index int) int {
	switch {
	case r.Position > 0:
		return r.Position
	case r.Source != nil:
		return r.Source.Position
	}
	return index + 1
}

// echoes says whether the record can stand in the response.
func (r *ResponseRecord) echoes() bool {
	if r.Source != nil {
		return r.Source.keepsSchema()
	}
	return r.Subject != nil && (r.Valid || r.Plan != nil)
}

// details writes the reasons: of the file first, then of its records. The message has no place for the reason of a file but this one.
func (x *xmlWriter) details(r Response, b body) {
	const name = "acknowledgementRecord"
	if len(r.FileReasons) == 0 && !b.detailed {
		return
	}
	x.open(name)
	for _, reason := range r.FileReasons {
		code := reason.Code
		if code == "" {
			code = RecordUnsuccessful
		}
		x.detail(code, reason.Text, "/File")
	}
	x.copy(b.details)
	x.end(name)
}

func (x *xmlWriter) detail(code RecordCode, reason, location string) {
	if code.Display() == "" {
		x.fail("record code", "is not one of the vocabulary")
	}
	attrs := []string{"code", string(code), "displayName", code.Display(), "codeSystem", OIDRecordCode}
	x.open("acknowledgementRecordDetail")
	if reason == "" {
		x.leaf("code", attrs...)
	} else {
		x.open("code", attrs...)
		x.text("originalText", reason)
		x.end("code")
	}
	x.text("location", location)
	x.end("acknowledgementRecordDetail")
}

func (x *xmlWriter) count(name string, n int) {
	x.open(name)
	x.leaf("value", "value", strconv.Itoa(n))
	x.end(name)
}

func (x *xmlWriter) finishResponse(valid int) error {
	x.count("successfulReturnedCP-ISRecords", valid)
	return x.finish("FileResponse")
}

func (x *xmlWriter) message(r *ResponseRecord) {
	kind := r.kind()
	x.open("message")
	x.open("cP-ISLAAcknowledgementResponse")
	x.open("pertinentInformation1")
	x.open(kind)
	if r.Source != nil {
		for _, part := range r.Source.body() {
			if part.Name == "subject" || !r.Valid {
				x.tree(part)
			}
		}
	} else {
		if !r.Valid {
			x.plan(*r.Plan)
		}
		x.subject(*r.Subject)
	}
	x.end(kind)
	x.end("pertinentInformation1")
	x.end("cP-ISLAAcknowledgementResponse")
	x.end("message")
}
