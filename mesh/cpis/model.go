package cpis

// contentKind says what may stand inside an element.
type contentKind uint8

const (
	contentElements contentKind = iota // children, and white space between them
	contentEmpty                       // nothing, not even white space
	contentText                        // character data only
	contentMixed                       // children and character data
)

// node is what the message model says of one element at one place.
type node struct {
	name     string
	ns       nsID
	kind     contentKind
	nillable bool
	attrs    []attrRule
	slots    []slot
}

// slot is one step of a sequence: one of its nodes, min to max times.
type slot struct {
	min, max int
	nodes    []*node
}

// attrRule is one attribute that the schema allows; all others are refused.
// What the schema calls "prohibited on the wire" is simply not listed.
type attrRule struct {
	name     string
	required bool
	kind     valueKind
	allowed  string // the fixed value, or the values in | bars: "|a|b|"
}

// content is contentElements for an unknown element.
func (n *node) content() contentKind {
	if n == nil {
		return contentMixed
	}
	return n.kind
}

// child finds what the model says of a child element, nil when it has no place.
func (n *node) child(name string, ns nsID) *node {
	if n == nil {
		return nil
	}
	for i := range n.slots {
		for _, c := range n.slots[i].nodes {
			if c.name == name && c.ns == ns {
				return c
			}
		}
	}
	return nil
}

func one(n ...*node) slot                { return slot{1, 1, n} }
func optional(n *node) slot              { return slot{0, 1, []*node{n}} }
func between(min, max int, n *node) slot { return slot{min, max, []*node{n}} }

// act is an element with InfrastructureRootAttributes and child elements.
func act(name string, slots ...slot) *node {
	return &node{name: name, ns: nsHL7, slots: slots, attrs: []attrRule{
		{name: "nullFlavor", kind: valueToken, allowed: "|NI|MSK|NA|OTH|NINF|PINF|UNK|QS|NASK|TRC|ASKU|NAV|"},
		{name: "updateMode", kind: valueToken, allowed: updateModes},
	}}
}

// nillable lets xsi:nil="true" stand for the content.
func nillable(yes bool, n *node) *node {
	n.nillable = yes
	return n
}

// leaf is an element with attributes and no content.
func leaf(name string, attrs ...attrRule) *node {
	return &node{name: name, ns: nsHL7, kind: contentEmpty, attrs: attrs}
}

func required(name string, kind valueKind, allowed string) attrRule {
	return attrRule{name, true, kind, allowed}
}

const (
	updateModes   = "|added|altered|removed|unchanged|"
	nullFlavors   = "|NI|NA|UNK|NASK|ASKU|NAV|OTH|PINF|NINF|"
	telecomUses   = "|H|HP|HV|WP|AS|EC|PG|MC|"
	organisations = "|" + OIDOrganisation + "|" + OIDSite + "|"
	patientIDs    = "|" + OIDNHSNumber + "|" + OIDLocalID + "|"
)

// message is the model of the upload in two parts, as the decoder reads it:
// what stands before the first record, and the record. Source: schema
// REPC_MT000002GB01 with templates COCT_TP145100/1 and COCT_TP146100/1/2.
type message struct{ header, record *node }

// upload is built once and never changed.
var upload = message{header: headerModel(), record: recordModel()}

func headerModel() *node {
	organisation := act("organisation",
		one(leaf("id", required("root", valueExact, organisations), required("extension", valueString, ""))),
		one(&node{name: "name", ns: nsHL7, kind: contentText}),
		between(1, 2, leaf("telecom", required("value", valueTelecom, ""), required("use", valueTokens, telecomUses))))
	return act("File",
		one(leaf("creationTime", required("value", valueTime, ""))),
		one(leaf("id", required("extension", valueString, ""))),
		one(leaf("transmissionQuantity", required("value", valueInteger, ""))),
		one(act("communicationFunctionSnd", one(organisation))))
}

func recordModel() *node {
	return act("record", one(act("CP-ISRecord",
		between(1, 3, act("pertinentInformation", one(contentID()),
			one(planModel("COCT_TP146100GB01.LACInformation", "lAC", true),
				planModel("COCT_TP146101GB01.CPPInformation", "cPP", true),
				planModel("COCT_TP146102GB01.UCPInformation", "uCP", false)))),
		between(1, 2, act("subject", one(contentID()), one(unbornModel(), childModel()))))))
}

func contentID() *node {
	n := leaf("contentId", required("root", valueExact, "|"+OIDTemplate+"|"), required("extension", valueString, ""))
	n.ns = nsLocal
	return n
}

// planModel is one plan block. An unborn plan must have an end, and nothing of
// it may be nil; the two others may leave the end out.
func planModel(name, prefix string, open bool) *node {
	date := func(component, kind string, mayBeNil bool) *node {
		value := leaf("value", required("value", valuePlanDate, ""))
		return nillable(mayBeNil, act(component, one(nillable(mayBeNil, act(prefix+kind, one(value))))))
	}
	end := one(date("component1", "EndDate", open))
	if open {
		end.min = 0
	}
	return act(name, one(date("component", "StartDate", false)), end, optional(date("component2", "DeleteDate", open)))
}

func patientID() *node {
	return leaf("id", required("root", valueExact, patientIDs), required("extension", valueString, ""),
		attrRule{name: "assigningAuthorityName", kind: valueString})
}

func birthTime() *node { return leaf("birthTime", required("value", valueTime, "")) }

func childModel() *node {
	return act("COCT_TP145101GB01.Child", between(1, 2, patientID()),
		one(act("childPerson", one(birthTime()), one(personName()))))
}

func unbornModel() *node {
	return act("COCT_TP145100GB01.UnbornChild",
		one(act("parentMotherPerson", one(birthTime()), one(personName()),
			one(act("playedMother", between(1, 2, patientID()))))))
}

func personName() *node {
	return &node{name: "name", ns: nsHL7, kind: contentMixed,
		slots: []slot{one(namePart("given", "GIV")), one(namePart("family", "FAM"))}}
}

func namePart(name, partType string) *node {
	return &node{name: name, ns: nsHL7, kind: contentText, attrs: []attrRule{
		{name: "partType", kind: valueToken, allowed: "|" + partType + "|"},
		{name: "qualifier", kind: valueTokens, allowed: "|BR|SP|VV|AC|PR|NB|LS|CL|IN|"},
		{name: "nullFlavor", kind: valueToken, allowed: nullFlavors},
		{name: "updateMode", kind: valueToken, allowed: updateModes},
		{name: "representation", kind: valueToken, allowed: "|B64|TXT|"},
		{name: "mediaType", kind: valueToken},
		{name: "language", kind: valueToken},
		{name: "compression", kind: valueToken, allowed: "|DF|GZ|ZL|Z|"},
		{name: "integrityCheck", kind: valueBase64},
		{name: "integrityCheckAlgorithm", kind: valueToken, allowed: "|SHA-1|SHA-256|"},
	}}
}
