package cpis

// Validate checks any of the six messages against this package's own expression of its schema: structure, order, cardinality, attributes and
// types. The root element says which message it is. It returns every fault that could be found, at most [Limits].MaxFaults of the default, and
// nil for a valid message. What Spine and this engine ask of an upload beyond the schema is not asked here.
func Validate(body []byte) []*Fault {
	limits := Default()
	if len(body) > limits.MaxBytes {
		return []*Fault{fileFault(RuleLimitSize, "/", "the message is larger than the limit")}
	}
	limits.MaxElements = limits.MaxRecords * 32
	s := newScanner(string(body), limits)
	ev, f := s.next()
	if f != nil {
		return []*Fault{f}
	}
	root := messages.child(s.local, s.ns)
	if ev != evStart || root == nil {
		return []*Fault{s.fault(RuleRoot, s.start, "the root element is that of no CP-IS message in namespace "+NamespaceHL7)}
	}
	e, f := readModel(body, root, limits)
	if f != nil {
		return []*Fault{f}
	}
	c := &checker{level: FileLevel, max: limits.MaxFaults}
	c.element(&frame{e: e})
	return c.faults
}

// many is how often an element may stand that the schema does not bound.
const many = 1 << 30

// messages holds the six roots as its children. It is built once and never changed.
var messages = act("", one(uploadModel(), responseModel(), notificationModel(), inactiveModel(), query, queryResponseModel()))

func uploadModel() *node {
	n := headerModel()
	n.slots = append(n.slots, between(1, many, recordModel()))
	return n
}

func timeLeaf(name string) *node    { return leaf(name, required("value", valueTime, "")) }
func extensionID(name string) *node { return leaf(name, required("extension", valueString, "")) }
func uuidLeaf() *node               { return leaf("id", required("root", valueUUID, "")) }
func intLeaf(name string) *node     { return leaf(name, required("value", valueInteger, "")) }

// fileVocabulary is the types CP-ISUploadFileResponse_code and _displayName; the schema does not tie one to the other.
func fileVocabulary() (codes, displays string) {
	codes, displays = "|", "|"
	for _, c := range []FileCode{FileError, FileAccepted, FilePartial, FileUnsuccessful, FilePDSDown, FileOldClient} {
		codes, displays = codes+string(c)+"|", displays+c.Display()+"|"
	}
	return codes, displays
}

// responseModel is REPC_MT000003GB01. Decided: a record code of type CE may hold originalText alone; translations, and the attributes and
// elements of originalText and location, which the schema would take, are refused, because no source says what they would mean here.
func responseModel() *node {
	codes, displays := fileVocabulary()
	recordCode := &node{name: "code", ns: nsHL7, attrs: []attrRule{
		{name: "code", kind: valueToken}, {name: "codeSystem", kind: valueUID}, {name: "codeSystemName", kind: valueString},
		{name: "codeSystemVersion", kind: valueString}, {name: "displayName", kind: valueString}, {name: "nullFlavor", kind: valueToken, allowed: nullFlavors},
		{name: "updateMode", kind: valueToken, allowed: updateModes},
	}, slots: []slot{optional(&node{name: "originalText", ns: nsHL7, kind: contentText})}}
	record := act("pertinentInformation1", one(
		act("validCP-ISRecord", between(1, 2, subjectModel())),
		act("invalidCP-ISRecord", between(1, 3, plansModel()), between(1, 2, subjectModel()))))
	return act("FileResponse",
		one(timeLeaf("creationTime")), one(extensionID("id")), one(intLeaf("transmissionQuantity")),
		one(act("acknowledgementFile", between(1, many, act("acknowledgementFileDetail",
			one(leaf("code", required("code", valueToken, codes), required("displayName", valueExact, displays))))))),
		optional(nillable(true, act("acknowledgementRecord", between(1, many, act("acknowledgementRecordDetail", one(recordCode),
			one(&node{name: "location", ns: nsHL7, kind: contentText})))))),
		one(act("communicationFunctionRcv", one(organisationModel()))),
		one(act("failedReturnedCP-ISRecords", one(intLeaf("value")))),
		between(0, many, nillable(true, act("message", one(act("cP-ISLAAcknowledgementResponse", one(record)))))),
		one(act("successfulReturnedCP-ISRecords", one(intLeaf("value")))))
}

func organisationModel() *node { return headerModel().slots[3].nodes[0].slots[0].nodes[0] }
func plansModel() *node        { return recordModel().slots[0].nodes[0].slots[0].nodes[0] }
func subjectModel() *node      { return recordModel().slots[0].nodes[0].slots[1].nodes[0] }

// lookUp is CP-ISNHSQuery within a notification or an answer; parameter says how the person is named.
func lookUp(name string, parameter *node) *node {
	return act(name, one(timeLeaf("effectiveTime")), one(uuidLeaf()),
		one(act("author", one(contentID()), one(authorModel(), deviceModel()))), one(act("queryByParameter", one(parameter))))
}

func personID(name string) *node {
	n := patientID()
	n.name = name
	return n
}

func recipientModel() *node {
	return act("primaryInformationRecipient", one(contentID()),
		one(act("COCT_TP145103GB01.IntendedRecipient", one(lookerModel("representedSourceOrganization")))))
}

// notificationModel is REPC_MT000004GB01.
func notificationModel() *node {
	asked := lookUp("pertinentCP-ISNHSQuery", act("person.id", between(1, 2, personID("value"))))
	access := nillable(true, act("pertinentCP-ISRecordAccess", between(1, many, act("pertinentInformation2", one(asked))),
		one(act("reference", one(act("referredToLAUploadFile", one(extensionID("value"))))))))
	return act("CP-ISAccessToServiceNotification", one(timeLeaf("effectiveTime")), one(uuidLeaf()),
		one(act("pertinentInformation", one(act("pertinentTotalReturnedRecords", one(intLeaf("value")))))),
		between(0, many, nillable(true, act("pertinentInformation1", one(access)))), one(recipientModel()))
}

// inactiveModel is REPC_MT000005GB01.
func inactiveModel() *node {
	replaced := nillable(true, act("replacedBy", one(nillable(true, act("newVersion", between(1, 99999, extensionID("id")))))))
	patient := act("pDSInactivePatient", between(1, 2, personID("id")), optional(replaced),
		one(act("subjectOf", one(act("lAUploadFile", one(extensionID("value")))))))
	return act("CP-ISInactiveNHSNumberNotification", one(timeLeaf("effectiveTime")), one(uuidLeaf()), one(recipientModel()),
		between(1, many, act("subject", one(patient))))
}

// queryResponseModel is REPC_MT000007GB01. Its plans have no delete date.
func queryResponseModel() *node {
	var plans []*node
	for _, k := range answerKinds {
		n := planModel(k.template, k.prefix, k.kind != PlanUnbornProtection)
		n.slots = n.slots[:2]
		plans = append(plans, n)
	}
	total := func(outer, inner string) slot { return one(act(outer, one(act(inner, one(intLeaf("value")))))) }
	asked := nillable(true, lookUp("pertinentCP-ISNHSQuery", act("person.NHSnumber", one(extensionID("value")))))
	record := act("record", one(act("communicationFunctionSnd", one(organisationModel()))),
		one(act("CP-ISRecord", between(1, 3, act("pertinentInformation15", one(contentID()), one(plans...))), between(1, 2, subjectModel()))))
	return act(responseRoot, one(timeLeaf("effectiveTime")), one(uuidLeaf()),
		total("pertinentInformation11", "pertinentTotalReturnedAccessRecords"), total("pertinentInformation12", "pertinentTotalReturnedChildRecords"),
		between(0, many, nillable(true, act("pertinentInformation13", one(asked)))),
		between(1, many, act("pertinentInformation14", one(act("pertinentCP-ISRecordControlAct", between(1, many, record))))))
}
