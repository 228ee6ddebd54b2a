package notify

import (
	"bytes"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

// acknowledgeXML writes a REPC_MT000003GB01. The records are given back from the bytes that were sent, so they are read again here, one at a
// time.
func acknowledgeXML(p Party, m engine.Message, r report) ([]byte, error) {
	d := cpis.NewDecoder(m.Body, cpis.Default())
	header, headerErr := d.Header()
	response := cpis.Response{CreationTime: m.Received, FileID: header.FileID, Quantity: header.Quantity, Organisation: p.Organisation()}
	response.Stream = func(yield func(cpis.ResponseRecord) bool) {
		if headerErr != nil {
			return
		}
		d.Reuse()
		for record, fault := range d.Records() {
			if record == nil && fault != nil {
				return // the fault that ended the file is among the report's
			}
			if !yield(responseRecord(record, r)) {
				return
			}
		}
	}
	response.Judge = func(valid, invalid int) cpis.FileCode { return fileCode(valid, invalid, r, headerErr != nil) }
	for _, f := range r.file {
		response.FileReasons = append(response.FileReasons, reason(f))
	}
	var buf bytes.Buffer
	buf.Grow(len(m.Body))
	if err := cpis.EncodeResponse(&buf, response); err != nil {
		return nil, &engine.Error{Op: "acknowledge", Kind: engine.Internal, Text: "the acknowledgement cannot be written", Err: err}
	}
	return buf.Bytes(), nil
}

func responseRecord(record *cpis.Record, r report) cpis.ResponseRecord {
	out := cpis.ResponseRecord{Valid: r.stands[record.Position], Source: record, Position: record.Position}
	if out.Valid {
		return out
	}
	var reasons []string
	for _, f := range r.records[record.Position] {
		if code := recordCode(f); len(out.Codes) == 0 || out.Codes[0] == cpis.RecordUnsuccessful {
			out.Codes = []cpis.RecordCode{code}
		}
		reasons = append(reasons, reason(f))
	}
	out.Reason = strings.Join(reasons, "; ")
	return out
}

// reason is the sentence that a supplier reads: rule, place, what is wrong.
func reason(f store.Fault) string {
	at := f.Error.Place
	at.Record = 0
	parts := []string{f.Error.Rule}
	if s := at.String(); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(append(parts, f.Error.Text), ": ")
}

// recordCode chooses the record's code: what PDS says of the person, CPR04 for an NHS number that is not one, CPR07 for everything else. The codes that qualify CPR07
// are not public, so the reason goes beside it in words.
func recordCode(f store.Fault) cpis.RecordCode {
	if code, ok := traceCode(f.Error.Rule); ok {
		return code
	}
	if f.Error.Rule == engine.RuleNHSNumber {
		return cpis.RecordBadFormat
	}
	return cpis.RecordUnsuccessful
}

// fileCode chooses the file's code: CPF01 when nothing could be read, CPF02 when every record stands and the file agrees with itself, CPF04
// when no record stands, CPF03 otherwise.
func fileCode(valid, invalid int, r report, unreadable bool) cpis.FileCode {
	switch {
	case unreadable, valid+invalid == 0:
		return cpis.FileError
	case invalid == 0 && len(r.file) == 0:
		return cpis.FileAccepted
	case valid == 0:
		return cpis.FileUnsuccessful
	default:
		return cpis.FilePartial
	}
}
