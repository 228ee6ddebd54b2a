package cpis

import "strconv"

// ResponseSummary is the essence of a REPC_MT000003GB01.
type ResponseSummary struct {
	CreationTime  string // HL7 time as sent
	FileID        string // "-1" when the sender could not tell
	Quantity      int    // -1 when the sender could not tell
	Codes         []FileCode
	Records       []RecordOutcome
	ODSCode       string // of the authority addressed
	OrgName       string
	Failed        int
	Successful    int
	Valid         []Subject // of the messages with a valid record
	InvalidEchoed int       // messages with an invalid record
}

// RecordOutcome is what is said of one record.
type RecordOutcome struct {
	Code     RecordCode
	Display  string
	Reason   string // code/originalText, "" when there is none
	Location string // XPath of the record, as sent
}

// NotificationSummary is the essence of a REPC_MT000004GB01.
type NotificationSummary struct {
	ID       string
	At       string // HL7 time as sent
	Total    int    // as stated by the sender
	ODSCode  string // of the authority addressed
	OrgName  string
	Accesses []AccessSummary
}

// AccessSummary is one look-up of one child.
type AccessSummary struct {
	ID                 string // UUID of the query
	At                 string // HL7 time as sent
	NHSNumber, LocalID string
	Organisation       string // ODS code of who looked
	OrganisationName   string
	RoleCode, RoleName string // of the person, or of whoever the device acted for
	Person             string // their name
	Device             string // ASID, when a system looked
	FileID             string // the upload that created the record
}

// InactiveSummary is the essence of a REPC_MT000005GB01.
type InactiveSummary struct {
	ID, At           string
	ODSCode, OrgName string // of the authority addressed
	Patients         []InactivePatient
}

// readMessage reads a whole message into a tree. It is as strict as the upload
// decoder about XML, but knows only the root of the message.
func readMessage(body []byte, root string) (*Element, *Fault) {
	limits := Default()
	s := newScanner(string(body), limits)
	fail := func(rule, text string) (*Element, *Fault) {
		f := s.fault(rule, s.start, text)
		f.Path = root
		return nil, f
	}
	ev, f := s.next()
	if f != nil {
		f.Path = root
		return nil, f
	}
	if ev != evStart || s.local != root || s.ns != nsHL7 {
		return fail(RuleRoot, "the root element is not "+root+" in namespace "+NamespaceHL7)
	}
	b := &treeBuilder{s: s, max: limits.MaxRecords * 32}
	b.reset()
	e, f := b.build(nil)
	if f == nil {
		_, f = s.next()
	}
	if f != nil {
		f.Path = root
		return nil, f
	}
	return e, nil
}

// must collects the first mandatory part that is not there.
type must struct {
	root  *Element
	fault *Fault
}

func (m *must) fail(path, text string) {
	if m.fault == nil {
		m.fault = fileFault(RuleMissing, m.root.Name+"/"+path, text)
		m.fault.Line, m.fault.Column, m.fault.Offset = m.root.Line, m.root.Column, m.root.Start
	}
}

func (m *must) value(attr string, names ...string) string {
	e := m.root.Find(names...)
	v := e.value(attr)
	if v == "" {
		path := ""
		for _, n := range names {
			path += n + "/"
		}
		m.fail(path+"@"+attr, "a mandatory value is missing")
	}
	return v
}

func (m *must) number(names ...string) int {
	n, err := strconv.Atoi(trim(m.value("value", names...)))
	if err != nil {
		m.fail(names[0], "a number can not be read")
	}
	return n
}

func (m *must) err() error {
	if m.fault == nil {
		return nil
	}
	return m.fault
}

// DecodeResponse reads back the essentials of an acknowledgement. Its error is
// a *[Fault].
func DecodeResponse(body []byte) (*ResponseSummary, error) {
	root, f := readMessage(body, "FileResponse")
	if f != nil {
		return nil, f
	}
	m := &must{root: root}
	r := &ResponseSummary{
		CreationTime: m.value("value", "creationTime"),
		FileID:       m.value("extension", "id"),
		Quantity:     m.number("transmissionQuantity"),
		ODSCode:      m.value("extension", "communicationFunctionRcv", "organisation", "id"),
		OrgName:      root.Find("communicationFunctionRcv", "organisation", "name").text(),
		Failed:       m.number("failedReturnedCP-ISRecords", "value"),
		Successful:   m.number("successfulReturnedCP-ISRecords", "value"),
	}
	for _, d := range root.Child("acknowledgementFile").children("acknowledgementFileDetail") {
		r.Codes = append(r.Codes, FileCode(d.Child("code").value("code")))
	}
	if len(r.Codes) == 0 {
		m.fail("acknowledgementFile", "there is no file code")
	}
	for _, d := range root.Child("acknowledgementRecord").children("acknowledgementRecordDetail") {
		code := d.Child("code")
		r.Records = append(r.Records, RecordOutcome{
			Code: RecordCode(code.value("code")), Display: code.value("displayName"),
			Reason: code.Child("originalText").text(), Location: d.Child("location").text(),
		})
	}
	for _, message := range root.children("message") {
		r.addMessage(message.Find("cP-ISLAAcknowledgementResponse", "pertinentInformation1"))
	}
	return r, m.err()
}

func (r *ResponseSummary) addMessage(e *Element) {
	if e.Child("invalidCP-ISRecord") != nil {
		r.InvalidEchoed++
	}
	for _, subject := range e.Child("validCP-ISRecord").children("subject") {
		for _, role := range subject.Children {
			if s, ok := subjectOf(role); ok {
				r.Valid = append(r.Valid, s)
			}
		}
	}
}

// children gives the children of that name. It may be called on nil.
func (e *Element) children(name string) []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, c := range e.Children {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// DecodeNotification reads back the essentials of an access notification. Its
// error is a *[Fault].
func DecodeNotification(body []byte) (*NotificationSummary, error) {
	root, f := readMessage(body, "CP-ISAccessToServiceNotification")
	if f != nil {
		return nil, f
	}
	m := &must{root: root}
	n := &NotificationSummary{ID: m.value("root", "id"), At: m.value("value", "effectiveTime")}
	n.Total = m.number("pertinentInformation", "pertinentTotalReturnedRecords", "value")
	n.ODSCode, n.OrgName = m.recipient()
	for _, p := range root.children("pertinentInformation1") {
		record := p.Child("pertinentCP-ISRecordAccess")
		file := record.Find("reference", "referredToLAUploadFile", "value").value("extension")
		for _, q := range record.children("pertinentInformation2") {
			if query := q.Child("pertinentCP-ISNHSQuery"); query != nil {
				n.Accesses = append(n.Accesses, accessOf(query, file))
			}
		}
	}
	return n, m.err()
}

func (m *must) recipient() (ods, name string) {
	path := []string{"primaryInformationRecipient", "COCT_TP145103GB01.IntendedRecipient", "representedSourceOrganization"}
	ods = m.value("extension", append(path, "id")...)
	return ods, m.root.Find(path...).Child("name").text()
}

func accessOf(query *Element, file string) AccessSummary {
	a := AccessSummary{ID: query.Child("id").value("root"), At: query.Child("effectiveTime").value("value"), FileID: file}
	if ids := query.Find("queryByParameter", "person.id"); ids != nil {
		a.NHSNumber, a.LocalID, _ = patientIDsOf(ids.Children, "value")
	}
	role := query.Find("author", "COCT_TP145102GB01.AssignedAuthor")
	person := role.Child("assignedAuthorPerson")
	org := role.Child("representedOrganization")
	if device := query.Find("author", "COCT_TP145104GB01.System"); device != nil {
		a.Device = device.Child("id").value("extension")
		role = device.Find("indirectAuthority", "superiorAssignedEntity")
		person = role.Child("assignedPerson")
		org = device.Child("maintainingOrganization")
	}
	a.RoleCode, a.RoleName = role.Child("code").value("code"), role.Child("code").value("displayName")
	a.Person = person.Child("name").spoken()
	a.Organisation, a.OrganisationName = org.Child("id").value("extension"), org.Child("name").text()
	return a
}

// spoken joins the parts of a name, or gives its text.
func (e *Element) spoken() string {
	if e == nil {
		return ""
	}
	out := trim(e.Text)
	for _, part := range e.Children {
		if out != "" {
			out += " "
		}
		out += part.Text
	}
	return out
}

// DecodeInactive reads back the essentials of an inactive number notification.
// Its error is a *[Fault].
func DecodeInactive(body []byte) (*InactiveSummary, error) {
	root, f := readMessage(body, "CP-ISInactiveNHSNumberNotification")
	if f != nil {
		return nil, f
	}
	m := &must{root: root}
	n := &InactiveSummary{ID: m.value("root", "id"), At: m.value("value", "effectiveTime")}
	n.ODSCode, n.OrgName = m.recipient()
	for _, s := range root.children("subject") {
		patient := s.Child("pDSInactivePatient")
		if patient == nil {
			continue
		}
		p := InactivePatient{FileID: patient.Find("subjectOf", "lAUploadFile", "value").value("extension")}
		p.NHSNumber, p.LocalID, p.AssigningAuthority = patientIDsOf(patient.Children, "id")
		for _, id := range patient.Find("replacedBy", "newVersion").children("id") {
			p.Replacements = append(p.Replacements, id.value("extension"))
		}
		n.Patients = append(n.Patients, p)
	}
	return n, m.err()
}
