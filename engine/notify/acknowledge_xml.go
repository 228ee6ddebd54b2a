package notify

import (
	"io"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
	"signalbox/mesh/cpis/rules"
)

// acknowledgeXML writes a REPC_MT000003GB01. The records are given back from the bytes that were sent, so they are read again here, one at a
// time; those that stand were checked when they were translated and are not checked again.
func acknowledgeXML(w io.Writer, p Party, m engine.Message, r *report, aside func() scratch) error {
	d := decoderOf(m)
	defer d.Close()
	header, headerErr := d.Header()
	response := cpis.Response{CreationTime: m.Received, FileID: header.FileID, Quantity: header.Quantity, Organisation: p.Organisation()}
	response.Stream = func(yield func(cpis.ResponseRecord) bool) {
		if headerErr != nil {
			return
		}
		d.Reuse()
		d.Trust(r.standing)
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
	var used []scratch
	defer func() {
		for _, s := range used {
			s.Discard()
		}
	}()
	response.Aside = func() cpis.Aside {
		used = append(used, aside())
		return used[len(used)-1]
	}
	err := cpis.EncodeResponse(w, response)
	if broken := r.err(); broken != nil {
		return broken
	}
	if engine.KindOf(err) == engine.Unavailable {
		return err
	}
	if err != nil {
		return &engine.Error{Op: "acknowledge", Kind: engine.Internal, Text: "the acknowledgement cannot be written", Err: err}
	}
	return nil
}

func decoderOf(m engine.Message) *cpis.Decoder {
	if m.Open == nil {
		return cpis.NewDecoder(m.Body, cpis.Default())
	}
	return cpis.NewStreamDecoder(m.Open, cpis.Default())
}

func responseRecord(record *cpis.Record, r *report) cpis.ResponseRecord {
	out := cpis.ResponseRecord{Valid: r.standing(record.Position), Source: record, Position: record.Position}
	if out.Valid {
		return out
	}
	var reasons, broken []string
	for _, f := range r.at(record.Position) {
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
func (r *report) fileCode(valid, invalid int, readable bool) cpis.FileCode {
	t := rules.Tally{Readable: readable, Valid: valid, Invalid: invalid}
	for _, f := range r.file {
		t.Broken = append(t.Broken, f.Error.Rule)
	}
	return rules.FileCode(t)
}
