package cpis

import (
	"io"
	"strconv"
)

// Query is a look-up as it was sent, QUPC_MT000006GB01.
type Query struct {
	ID        string // UUID in upper case: the de-duplication key
	At        string // HL7 time as sent
	NHSNumber string // as sent: its check digit is the reader's business
	By        AccessSummary
}

// QueryFaults is everything that is wrong with a query. It is never empty.
type QueryFaults []*Fault

// Error gives the first fault and how many there are.
func (f QueryFaults) Error() string {
	if len(f) == 1 {
		return f[0].Error()
	}
	return f[0].Error() + " (and " + strconv.Itoa(len(f)-1) + " more)"
}

const queryRoot = "CP-ISQueryStub"

// query is the model of the query, built once and never changed. Source: schema QUPC_MT000006GB01 with templates COCT_TP145102GB01 and
// COCT_TP145104GB01. Two things that the schema would take are refused: originalText in a role's code, and validTime in a name.
var query = act(queryRoot, one(act("cP-ISNHSQuery",
	one(leaf("effectiveTime", required("value", valueTime, ""))),
	one(leaf("id", required("root", valueUUID, ""))),
	one(act("author", one(contentID()), one(authorModel(), deviceModel()))),
	one(act("queryByParameter", one(act("person.NHSnumber", one(leaf("value", required("extension", valueString, ""))))))))))

func roleModel(system valueKind) *node {
	return leaf("code", required("code", valueToken, ""), required("displayName", valueString, ""), required("codeSystem", system, ""))
}

func nameModel() *node {
	return &node{name: "name", ns: nsHL7, kind: contentMixed, attrs: []attrRule{
		{name: "use", kind: valueTokens, allowed: nameUses},
		{name: "nullFlavor", kind: valueToken, allowed: nullFlavors},
		{name: "updateMode", kind: valueToken, allowed: updateModes},
	}, slots: []slot{{0, 64, []*node{namePart("delimiter", "DEL"), namePart("prefix", "PFX"), namePart("given", "GIV"), namePart("family", "FAM"), namePart("suffix", "SFX")}}}}
}

func lookerModel(name string) *node {
	return act(name, one(leaf("id", required("root", valueExact, organisations), required("extension", valueString, ""))),
		one(&node{name: "name", ns: nsHL7, kind: contentText}))
}

func authorModel() *node {
	id := leaf("id", attrRule{name: "root", kind: valueOID}, attrRule{name: "extension", kind: valueString},
		attrRule{name: "assigningAuthorityName", kind: valueString}, attrRule{name: "nullFlavor", kind: valueToken, allowed: nullFlavors})
	return act("COCT_TP145102GB01.AssignedAuthor", one(roleModel(valueOID)), between(1, 2, id),
		one(act("assignedAuthorPerson", one(nameModel()))), one(lookerModel("representedOrganization")))
}

func deviceModel() *node {
	superior := act("indirectAuthority", one(act("superiorAssignedEntity", one(roleModel(valueUID)), one(act("assignedPerson", one(nameModel()))))))
	return act("COCT_TP145104GB01.System",
		one(leaf("id", required("root", valueExact, "|"+OIDDevice+"|"), required("extension", valueASID, ""))),
		slot{0, 16, []*node{superior}}, one(lookerModel("maintainingOrganization")))
}

// DecodeQuery reads a query as strictly as the upload decoder reads a record. Its error is a [QueryFaults] with every fault that could be
// found. A zero limit takes its value from [Default].
func DecodeQuery(body []byte, limits Limits) (*Query, error) {
	limits = limits.filled()
	if len(body) > limits.MaxBytes {
		return nil, QueryFaults{fileFault(RuleLimitSize, queryRoot, "the query is larger than the limit")}
	}
	root, f := readModel(body, query, limits)
	if f != nil {
		return nil, QueryFaults{f}
	}
	c := &checker{level: FileLevel, max: limits.MaxFaults}
	at := &frame{e: root}
	c.element(at)
	asked := root.Child("cP-ISNHSQuery")
	if len(c.faults) == 0 {
		contentMatches(c, &frame{up: &frame{up: at, e: asked}, e: asked.Child("author"), i: 2})
	}
	if len(c.faults) > 0 {
		return nil, QueryFaults(c.faults)
	}
	summary := accessOf(asked, "")
	return &Query{
		ID: asked.Child("id").value("root"), At: asked.Child("effectiveTime").value("value"), By: summary,
		NHSNumber: asked.Find("queryByParameter", "person.NHSnumber", "value").value("extension"),
	}, nil
}

// readModel reads a whole message into a tree by its model.
func readModel(body []byte, root *node, limits Limits) (*Element, *Fault) {
	s := newScanner(string(body), limits)
	at := func(f *Fault) *Fault {
		f.Path = root.name
		return f
	}
	ev, f := s.next()
	switch {
	case f != nil:
		return nil, at(f)
	case ev != evStart || s.local != root.name || s.ns != nsHL7:
		return nil, at(s.fault(RuleRoot, s.start, "the root element is not "+root.name+" in namespace "+NamespaceHL7))
	}
	b := &treeBuilder{s: s, max: limits.MaxElements}
	b.reset()
	e, f := b.build(root)
	if f == nil {
		_, f = s.next()
	}
	if f != nil {
		return nil, at(f)
	}
	return e, nil
}

// EncodeQuery writes a QUPC_MT000006GB01: for tests and demonstrations, because here queries are answered.
func EncodeQuery(w io.Writer, q AccessQuery) error {
	x := newXMLWriter(w, "encode query")
	x.begin(queryRoot)
	x.open("cP-ISNHSQuery")
	x.asked(&q)
	x.end("cP-ISNHSQuery")
	return x.finish(queryRoot)
}

// asked writes what a query is made of; the local id is left out, because a query has the NHS number alone.
func (x *xmlWriter) asked(q *AccessQuery) {
	x.leaf("effectiveTime", "value", x.hl7Time("query effectiveTime", q.At))
	x.leaf("id", "root", x.uuid("query id", q.ID))
	x.open("author")
	x.author(q.By)
	x.end("author")
	x.open("queryByParameter")
	x.open("person.NHSnumber")
	x.leaf("value", "extension", x.needed("NHS number", q.NHSNumber))
	x.end("person.NHSnumber")
	x.end("queryByParameter")
}
