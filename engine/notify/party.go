package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

// Dialect is the form in which an authority reads what it is sent. It chooses one for its acknowledgements and one for its notifications.
type Dialect string

// The dialects.
const (
	CPISXML Dialect = "cpis-xml" // REPC_MT000003GB01, REPC_MT000004GB01
	CSV     Dialect = "csv"      // of our own making: one line a row of the upload, one line an access
)

// Valid reports whether d is one of the dialects.
func (d Dialect) Valid() bool { return d == CPISXML || d == CSV }

// Party is a local authority as a receiver: who it is and what it reads.
type Party struct {
	Authority engine.Authority
	Dialect   Dialect // of its acknowledgements
	Told      Dialect // of its notifications; empty: CPISXML
	Urgent    bool    // each access is told by itself
	SystemID  string  // twelve digits: the ASID under which an access is told that names nobody in full
	Sequence  Sequence
}

// Organisation is the authority as messages name it, with the telephones that are known.
func (p Party) Organisation() cpis.Organisation {
	o := cpis.Organisation{ODSCode: p.Authority.ODSCode, Name: p.Authority.Name}
	for _, t := range []cpis.Telecom{{Use: "WP", Value: tel(p.Authority.OfficeHours)}, {Use: "EC", Value: tel(p.Authority.EmergencyDuty)}} {
		if t.Value != "" {
			o.Telecoms = append(o.Telecoms, t)
		}
	}
	return o
}

func tel(number string) string {
	if number == "" {
		return ""
	}
	return "tel:" + number
}

// Form returns the file name extension and content type in which an effect is sent.
func Form(k store.EffectKind, p Party) (extension, contentType string) {
	csv := k == store.NotProtected || k == store.PatternNotice || k == store.Acknowledgement && p.Dialect == CSV || (k == store.Notification || k == store.EmptyNotification) && p.Told == CSV
	if csv {
		return ".csv", "text/csv"
	}
	return ".xml", "application/xml"
}

// acknowledgementPrefix begins the id of every acknowledgement; the id of the message that it answers follows.
const acknowledgementPrefix = "signalbox-" + string(store.Acknowledgement) + "-"

// AcknowledgementID names the effect that answers a message: a message is answered once. It is also the MESH local id, and holds nothing
// personal.
func AcknowledgementID(m engine.MessageID) string { return acknowledgementPrefix + string(m) }

// Answers returns the message that an acknowledgement answers, by the acknowledgement's id.
func Answers(effect string) (engine.MessageID, bool) {
	id, ok := strings.CutPrefix(effect, acknowledgementPrefix)
	return engine.MessageID(id), ok
}

// EffectID derives an effect's id from what causes it, so that the same cause never has two effects. It is also the MESH local id, and
// holds nothing personal.
func EffectID(k store.EffectKind, cause string) string {
	sum := sha256.Sum256([]byte(string(k) + "\x00" + cause))
	return "signalbox-" + string(k) + "-" + hex.EncodeToString(sum[:16])
}
