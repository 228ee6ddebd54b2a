package cpis

import (
	"io"
	"time"
)

// Notification tells an authority who looked its children up, REPC_MT000004GB01.
// It may hold no access at all: CP-IS sends such, too.
type Notification struct {
	ID        string // UUID of the notification
	At        time.Time
	Authority Organisation // telephones are not carried
	Accesses  []RecordAccess
}

// RecordAccess is the accesses to one record of one upload.
type RecordAccess struct {
	Queries []AccessQuery // one at least
	FileID  string        // the upload that created the record
}

// AccessQuery is one look-up.
type AccessQuery struct {
	ID                 string // UUID of the query: the de-duplication key
	At                 time.Time
	By                 Author
	NHSNumber          string
	LocalID            string // the authority's own id, may be empty
	AssigningAuthority string
}

// Author is who looked: exactly one of Person and Device.
type Author struct {
	Person *Person
	Device *Device
}

// Person is a member of staff, template COCT_TP145102GB01.
type Person struct {
	UserID        string // SDS user id
	RoleProfileID string // SDS role profile id, may be empty
	RoleCode      string // SDS job role, e.g. R0260
	RoleName      string
	Name          PersonName
	Organisation  Organisation
}

// Device is a system acting for somebody, template COCT_TP145104GB01.
type Device struct {
	ASID         string // accredited system id, 12 digits
	RoleCode     string // of the responsible person; empty leaves the person out
	RoleName     string
	Name         PersonName
	Organisation Organisation
}

// PersonName is a name in parts, or in one Text when the parts are not known.
// Use is HL7's kind of name, such as L for the legal one, or empty.
type PersonName struct{ Use, Prefix, Given, Family, Text string }

// EncodeNotification writes a REPC_MT000004GB01. The total it states is the
// number of its record accesses.
func EncodeNotification(w io.Writer, n Notification) error {
	const root = "CP-ISAccessToServiceNotification"
	x := newXMLWriter(w, "encode access notification")
	x.begin(root)
	x.leaf("effectiveTime", "value", x.hl7Time("effectiveTime", n.At))
	x.leaf("id", "root", x.uuid("id", n.ID))
	x.open("pertinentInformation")
	x.count("pertinentTotalReturnedRecords", len(n.Accesses))
	x.end("pertinentInformation")
	for i := range n.Accesses {
		x.access(&n.Accesses[i])
	}
	x.recipient(n.Authority)
	return x.finish(root)
}

func (x *xmlWriter) recipient(authority Organisation) {
	const template = "COCT_TP145103GB01.IntendedRecipient"
	x.open("primaryInformationRecipient")
	x.contentID(template)
	x.open(template)
	x.organisation("representedSourceOrganization", authority, false)
	x.end(template)
	x.end("primaryInformationRecipient")
}

func (x *xmlWriter) access(a *RecordAccess) {
	if len(a.Queries) == 0 {
		x.fail("record access", "holds no query")
	}
	x.open("pertinentInformation1")
	x.open("pertinentCP-ISRecordAccess")
	for i := range a.Queries {
		x.query(&a.Queries[i])
	}
	x.open("reference")
	x.open("referredToLAUploadFile")
	x.leaf("value", "extension", x.needed("upload file id", a.FileID))
	x.end("referredToLAUploadFile")
	x.end("reference")
	x.end("pertinentCP-ISRecordAccess")
	x.end("pertinentInformation1")
}

func (x *xmlWriter) query(q *AccessQuery) {
	x.open("pertinentInformation2")
	x.open("pertinentCP-ISNHSQuery")
	x.leaf("effectiveTime", "value", x.hl7Time("query effectiveTime", q.At))
	x.leaf("id", "root", x.uuid("query id", q.ID))
	x.open("author")
	x.author(q.By)
	x.end("author")
	x.open("queryByParameter")
	x.open("person.id")
	x.patientIDs("value", q.NHSNumber, q.LocalID, q.AssigningAuthority)
	x.end("person.id")
	x.end("queryByParameter")
	x.end("pertinentCP-ISNHSQuery")
	x.end("pertinentInformation2")
}

func (x *xmlWriter) author(a Author) {
	switch {
	case a.Person != nil && a.Device == nil:
		x.person(a.Person)
	case a.Device != nil && a.Person == nil:
		x.device(a.Device)
	default:
		x.fail("author", "is not exactly one of person and device")
	}
}

func (x *xmlWriter) person(p *Person) {
	const template = "COCT_TP145102GB01.AssignedAuthor"
	x.contentID(template)
	x.open(template)
	x.role(p.RoleCode, p.RoleName)
	x.leaf("id", "root", OIDUser, "extension", x.needed("author user id", p.UserID))
	if p.RoleProfileID != "" {
		x.leaf("id", "root", OIDRoleProfile, "extension", p.RoleProfileID)
	}
	x.open("assignedAuthorPerson")
	x.nameOf(p.Name)
	x.end("assignedAuthorPerson")
	x.organisation("representedOrganization", p.Organisation, false)
	x.end(template)
}

func (x *xmlWriter) device(d *Device) {
	const template = "COCT_TP145104GB01.System"
	if len(d.ASID) != 12 || !allDigits(d.ASID) {
		x.fail("author system id", "is not 12 digits")
	}
	x.contentID(template)
	x.open(template)
	x.leaf("id", "root", OIDDevice, "extension", d.ASID)
	if d.RoleCode != "" {
		x.open("indirectAuthority")
		x.open("superiorAssignedEntity")
		x.role(d.RoleCode, d.RoleName)
		x.open("assignedPerson")
		x.nameOf(d.Name)
		x.end("assignedPerson")
		x.end("superiorAssignedEntity")
		x.end("indirectAuthority")
	}
	x.organisation("maintainingOrganization", d.Organisation, false)
	x.end(template)
}

func (x *xmlWriter) role(code, name string) {
	if rule := (attrRule{kind: valueToken}); !rule.accepts(code) || code == "" {
		x.fail("author role code", "is empty or holds white space")
	}
	x.leaf("code", "code", code, "displayName", x.needed("author role name", name), "codeSystem", OIDJobRole)
}

// nameUses is the type cs_EntityNameUse.
const nameUses = "|L|A|I|R|ABC|SYL|IDE|PREVIOUS-BIRTH|PREVIOUS-MAIDEN|PREVIOUS-BACHELOR|PREVIOUS|PREFERRED|"

func (x *xmlWriter) nameOf(n PersonName) {
	var attrs []string
	if n.Use != "" {
		attrs = []string{"use", n.Use}
	}
	if n.Use != "" && !listed(nameUses, n.Use) {
		x.fail("author name use", "is not one of the vocabulary")
	}
	if n.Text != "" {
		x.text("name", n.Text, attrs...)
		return
	}
	x.open("name", attrs...)
	for _, part := range [...]struct{ name, value string }{{"prefix", n.Prefix}, {"given", n.Given}, {"family", n.Family}} {
		if part.value != "" {
			x.text(part.name, part.value)
		}
	}
	x.end("name")
}
