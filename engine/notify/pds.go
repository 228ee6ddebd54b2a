package notify

import (
	"bytes"
	"fmt"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
	"signalbox/mesh/cpis/rules"
)

// pdsUnavailablePrefix begins the id of what tells that a file waits for PDS.
const pdsUnavailablePrefix = "signalbox-pds-unavailable-"

// PDSUnavailable makes the word to an authority that its file waits, because PDS has not answered for so long: CPF05, without records, or one
// line in the CSV dialect. The file is kept and goes on by itself; its acknowledgement follows then.
func PDSUnavailable(p Party, m engine.Message, now store.Effect) (store.Effect, error) {
	const text = "PDS has not answered; the file is kept and goes on by itself, and its acknowledgement follows"
	now.ID, now.Kind, now.Authority = pdsUnavailablePrefix+string(m.ID), store.Acknowledgement, p.Authority.ODSCode
	if p.Dialect == CSV {
		var buf bytes.Buffer
		w := newLines(&buf)
		fileLines(w, []store.Fault{{Outcome: engine.Parked, Error: engine.Error{Rule: engine.RuleTraceUnavailable, Text: text}}})
		w.Flush()
		now.Body = buf.Bytes()
		return now, w.Error()
	}
	d := decoderOf(m)
	defer d.Close()
	header, err := d.Header()
	response := cpis.Response{
		CreationTime: m.Received, FileID: header.FileID, Quantity: header.Quantity, FileCode: cpis.FilePDSDown, Organisation: p.Organisation(),
		FileReasons: []cpis.FileReason{{Code: rules.ReasonCode(rules.PDSUnavailable), Text: rules.PDSUnavailable + ": " + text}},
	}
	if err != nil { // what is wrong with it is told when it is acknowledged
		response.FileID, response.Quantity = "", -1
	}
	var buf bytes.Buffer
	if err := cpis.EncodeResponse(&buf, response); err != nil {
		return now, &engine.Error{Op: "acknowledge", Kind: engine.Internal, Text: "the word that a file waits cannot be written", Err: err}
	}
	now.Body = buf.Bytes()
	return now, nil
}

// Gone is an NHS number that is no longer in use, as an authority is told of it.
type Gone struct {
	Task         store.Task // which names the effect: a hash of the number would be a pseudonym
	LocalID      engine.Personal
	FileID       string // of the upload that held the number
	Replacements []engine.NHSNumber
}

// Inactive plans REPC_MT000005GB01 about one number. It has none, one or many replacements; nothing is chosen from them.
func Inactive(tx *store.Tx, p Party, g Gone) error {
	id := EffectID(store.InactiveNotice, fmt.Sprintf("%s/%d/%s/%s/%d", g.Task.Message, g.Task.Position, g.Task.Kind, p.Authority.ODSCode, g.Task.ID))
	patient := cpis.InactivePatient{NHSNumber: g.Task.NHSNumber.Reveal(), LocalID: Clean(g.LocalID.Reveal()), FileID: Clean(g.FileID)}
	if patient.LocalID != "" {
		patient.AssigningAuthority = p.Authority.ODSCode + ":" + p.Authority.Name
	}
	if patient.FileID == "" {
		patient.FileID = string(g.Task.Message)
	}
	for _, n := range g.Replacements {
		patient.Replacements = append(patient.Replacements, n.Reveal())
	}
	var buf bytes.Buffer
	err := cpis.EncodeInactive(&buf, cpis.Inactive{ID: engine.NewUUID(id), At: tx.Now(), Authority: p.Organisation(), Patients: []cpis.InactivePatient{patient}})
	if err != nil {
		return &engine.Error{Op: "notify", Kind: engine.Internal, Text: "the notice of an inactive number cannot be written", Err: err}
	}
	return tx.PlanEffect(store.Effect{ID: id, Kind: store.InactiveNotice, Authority: p.Authority.ODSCode, Body: buf.Bytes(), Due: tx.Now()})
}
