package notify

import (
	"bytes"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
	"signalbox/mesh/cpis/rules"
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
	response.Judge = func(valid, invalid int) cpis.FileCode { return r.fileCode(valid, invalid, headerErr == nil) }
	for _, f := range r.file {
		response.FileReasons = append(response.FileReasons, cpis.FileReason{Code: rules.ReasonCode(f.Error.Rule), Text: reason(f)})
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
	var reasons, broken []string
	for _, f := range r.records[record.Position] {
		broken = append(broken, f.Error.Rule)
		reasons = append(reasons, reason(f))
	}
	if len(broken) > 0 {
		out.Codes = []cpis.RecordCode{rules.RecordCode(broken...)}
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

// fileCode takes the file's code from the table of rules.
func (r report) fileCode(valid, invalid int, readable bool) cpis.FileCode {
	t := rules.Tally{Readable: readable, Valid: valid, Invalid: invalid}
	for _, f := range r.file {
		t.Broken = append(t.Broken, f.Error.Rule)
	}
	return rules.FileCode(t)
}
