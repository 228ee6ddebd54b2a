package cpis

import (
	"fmt"
	"io"
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
	FileReasons  []string     // what is wrong with the file as a whole, a sentence each; see README: an assumption
	Records      []ResponseRecord
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
	if r.FileCode.Display() == "" {
		x.fail("file code", "is not one of the vocabulary")
	}
	id := r.FileID
	if id == "" {
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
	placed := place(r.Records)
	x.details(r, placed)
	x.open("communicationFunctionRcv")
	x.organisation("organisation", r.Organisation, true)
	x.end("communicationFunctionRcv")
	valid := x.messages(r.Records, placed)
	return x.finishResponse(valid)
}

// placement says where a record stands in the response.
type placement struct {
	message  int // 1-based; 0 when it is left out
	location string
	codes    []RecordCode
}

func place(records []ResponseRecord) []placement {
	placed := make([]placement, len(records))
	message := 0
	for i := range records {
		r, p := &records[i], &placed[i]
		p.codes = r.Codes
		if !r.Valid && len(p.codes) == 0 {
			p.codes = []RecordCode{RecordUnsuccessful}
		}
		if !r.echoes() {
			p.location = fmt.Sprintf("/File/record[%d]", r.position(i))
			continue
		}
		message++
		p.message = message
		kind := "invalidCP-ISRecord"
		if r.Valid {
			kind = "validCP-ISRecord"
		}
		p.location = fmt.Sprintf("/FileResponse/message[%d]/cP-ISLAAcknowledgementResponse/pertinentInformation1/%s", message, kind)
	}
	return placed
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
func (x *xmlWriter) details(r Response, placed []placement) {
	const name = "acknowledgementRecord"
	opened := false
	detail := func(code RecordCode, reason, location string) {
		if !opened {
			opened = true
			x.open(name)
		}
		x.detail(code, reason, location)
	}
	for _, reason := range r.FileReasons {
		detail(RecordUnsuccessful, reason, "/File")
	}
	for i, p := range placed {
		for _, code := range p.codes {
			detail(code, r.Records[i].Reason, p.location)
		}
	}
	if opened {
		x.end(name)
	}
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

// messages writes the count of the failed, which the schema wants first, then
// the records. It gives the count of the valid.
func (x *xmlWriter) messages(records []ResponseRecord, placed []placement) (valid int) {
	for i := range records {
		if records[i].Valid {
			valid++
		}
	}
	x.count("failedReturnedCP-ISRecords", len(records)-valid)
	for i := range records {
		r := &records[i]
		if placed[i].message > 0 {
			x.message(r)
		} else if r.Valid {
			x.fail(fmt.Sprintf("record %d", r.position(i)), "is called valid but holds no record that the schema takes")
		}
	}
	return valid
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
	kind := "invalidCP-ISRecord"
	if r.Valid {
		kind = "validCP-ISRecord"
	}
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
