package cpis

import (
	"io"
	"strconv"
	"time"
)

// Upload is a file of records as a local authority sends it.
type Upload struct {
	CreationTime time.Time
	FileID       string // incrementing sequence number
	Quantity     int    // 0: the number of Records
	Organisation Organisation
	Records      []UploadRecord
}

// UploadRecord is one plan of one subject.
type UploadRecord struct {
	Plan    Plan
	Subject Subject
}

// EncodeUpload writes a REPC_MT000002GB01 for test data, demonstrations and
// benchmarks. It refuses what the schema refuses, not what Spine's own rules do.
func EncodeUpload(w io.Writer, u Upload) error {
	x := newXMLWriter(w, "encode upload")
	if len(u.Records) == 0 {
		x.fail("record", "there is none")
	}
	quantity := u.Quantity
	if quantity == 0 {
		quantity = len(u.Records)
	}
	x.begin("File")
	x.leaf("creationTime", "value", x.hl7Time("creationTime", u.CreationTime))
	x.leaf("id", "extension", x.needed("id", u.FileID))
	x.leaf("transmissionQuantity", "value", strconv.Itoa(quantity))
	x.open("communicationFunctionSnd")
	x.organisation("organisation", u.Organisation, true)
	x.end("communicationFunctionSnd")
	for _, r := range u.Records {
		x.open("record")
		x.open("CP-ISRecord")
		x.plan(r.Plan)
		x.subject(r.Subject)
		x.end("CP-ISRecord")
		x.end("record")
	}
	return x.finish("File")
}
