package cpis

import (
	"io"
	"time"
)

// maxReplacements is the schema's bound on newVersion/id.
const maxReplacements = 99999

// Inactive tells an authority of NHS numbers that are no longer in use,
// REPC_MT000005GB01.
type Inactive struct {
	ID        string // UUID of the notification
	At        time.Time
	Authority Organisation // telephones are not carried
	Patients  []InactivePatient
}

// InactivePatient is one number that has gone, and what it was replaced by:
// none, one or many. None means unknown; many must not be chosen from.
type InactivePatient struct {
	NHSNumber          string
	LocalID            string // the authority's own id, may be empty
	AssigningAuthority string
	Replacements       []string
	FileID             string // the upload that held the number
}

// EncodeInactive writes a REPC_MT000005GB01. It needs one patient at least.
func EncodeInactive(w io.Writer, n Inactive) error {
	const root = "CP-ISInactiveNHSNumberNotification"
	x := newXMLWriter(w, "encode inactive number notification")
	if len(n.Patients) == 0 {
		x.fail("subject", "there is none")
	}
	x.begin(root)
	x.leaf("effectiveTime", "value", x.hl7Time("effectiveTime", n.At))
	x.leaf("id", "root", x.uuid("id", n.ID))
	x.recipient(n.Authority)
	for i := range n.Patients {
		x.inactive(&n.Patients[i])
	}
	return x.finish(root)
}

func (x *xmlWriter) inactive(p *InactivePatient) {
	if len(p.Replacements) > maxReplacements {
		x.fail("newVersion", "more replacements than the schema allows")
	}
	x.open("subject")
	x.open("pDSInactivePatient")
	x.patientIDs("id", p.NHSNumber, p.LocalID, p.AssigningAuthority)
	if len(p.Replacements) > 0 {
		x.open("replacedBy")
		x.open("newVersion")
		for _, number := range p.Replacements {
			x.leaf("id", "extension", x.needed("replacement number", number))
		}
		x.end("newVersion")
		x.end("replacedBy")
	}
	x.open("subjectOf")
	x.open("lAUploadFile")
	x.leaf("value", "extension", x.needed("upload file id", p.FileID))
	x.end("lAUploadFile")
	x.end("subjectOf")
	x.end("pDSInactivePatient")
	x.end("subject")
}
