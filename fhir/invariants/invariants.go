// Package invariants holds documents against the invariants of FHIR R4 that FHIRPath can say, each under R4's key.
//
// The expressions are those of R4's definitions (http://hl7.org/fhir/R4), word for word. Left out: what package fhir's Check knows by itself (ele-1,
// ext-1, txt-1), dom-3, which needs trace() and descendants of every type, and dom-6, which is advice.
package invariants

import (
	"fmt"
	"strings"
	"sync"

	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
)

// Invariant is a rule of R4 for an element.
type Invariant struct {
	Key        string // of R4, such as bdl-7
	On         string // the element: a resource, an element of one, or DomainResource
	Expression string // FHIRPath that is true from there
}

// domainResource stands for every resource that has contained.
const domainResource = "DomainResource"

// All lists the invariants of the resources that Signalbox receives and answers with.
func All() []Invariant {
	return []Invariant{
		{"dom-2", domainResource, `contained.contained.empty()`},
		{"dom-4", domainResource, `contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()`},
		{"dom-5", domainResource, `contained.meta.security.empty()`},
		{"sev-1", "AuditEvent.entity", `name.empty() or query.empty()`},
		{"bdl-1", "Bundle", `total.empty() or (type = 'searchset') or (type = 'history')`},
		{"bdl-2", "Bundle", `entry.search.empty() or (type = 'searchset')`},
		{"bdl-3", "Bundle", `entry.all(request.exists() = (%resource.type = 'batch' or %resource.type = 'transaction' or %resource.type = 'history'))`},
		{"bdl-4", "Bundle", `entry.all(response.exists() = (%resource.type = 'batch-response' or %resource.type = 'transaction-response' or %resource.type = 'history'))`},
		{"bdl-5", "Bundle.entry", `resource.exists() or request.exists() or response.exists()`},
		{"bdl-7", "Bundle", `(type = 'history') or entry.where(fullUrl.exists()).select(fullUrl&resource.meta.versionId).isDistinct()`},
		{"bdl-8", "Bundle.entry", `fullUrl.exists() implies fullUrl.contains('/_history/').not()`},
		{"bdl-9", "Bundle", `type = 'document' implies (identifier.system.exists() and identifier.value.exists())`},
		{"bdl-10", "Bundle", `type = 'document' implies (timestamp.hasValue())`},
		{"bdl-11", "Bundle", `type = 'document' implies entry.first().resource.is(Composition)`},
		{"bdl-12", "Bundle", `type = 'message' implies entry.first().resource.is(MessageHeader)`},
		{"cpl-3", "CarePlan.activity", `detail.empty() or reference.empty()`},
		{"ctm-1", "CareTeam.participant", `onBehalfOf.exists() implies (member.resolve().iif(empty(), true, ofType(Practitioner).exists()))`},
		{"org-1", "Organization", `(identifier.count() + name.count()) > 0`},
		{"org-2", "Organization.address", `where(use = 'home').empty()`},
		{"org-3", "Organization.telecom", `where(use = 'home').empty()`},
		{"pat-1", "Patient.contact", `name.exists() or telecom.exists() or address.exists() or organization.exists()`},
	}
}

// Checker holds documents against the invariants. It is safe for concurrent use.
type Checker struct {
	by map[string][]compiled // by type of resource
}

// compiled is an invariant as a path that finds what breaks it, from its resource.
type compiled struct {
	Invariant
	path *fhirpath.Path
	self bool // the path says whether the resource itself keeps to it
}

// New returns a Checker; it is made once.
func New() *Checker { return made() }

var made = sync.OnceValue(func() *Checker {
	c := &Checker{by: map[string][]compiled{}}
	for _, i := range All() {
		if err := c.add(i); err != nil { // a test compiles them
			panic(fmt.Sprintf("fhir invariants: %s: %v", i.Key, err))
		}
	}
	return c
})

func (c *Checker) add(i Invariant) error {
	resource, rest, nested := strings.Cut(i.On, ".")
	expr, options := i.Expression, fhirpath.Options{Context: resource}
	if resource == domainResource {
		options.Context = ""
	}
	if nested {
		expr = rest + ".where((" + expr + ").not())"
	}
	path, err := fhirpath.Compile(expr, options)
	c.by[resource] = append(c.by[resource], compiled{i, path, !nested})
	return err
}

// Check returns what breaks an invariant, in document order: of the document's resource, of the entries of a Bundle and of what is contained.
// A document that Check of package fhir refuses may have more wrong with it than is said here.
func (c *Checker) Check(d *fhir.Document) fhir.Faults {
	if d == nil {
		return nil
	}
	var faults fhir.Faults
	c.resource(d, d.Root(), &faults)
	return faults
}

func (c *Checker) resource(d *fhir.Document, n *fhir.Node, faults *fhir.Faults) {
	kind := n.ResourceType()
	if kind == "" {
		return
	}
	c.each(d, n, kind, faults)
	if kind != "Bundle" && kind != "Parameters" && kind != "Binary" {
		c.each(d, n, domainResource, faults)
	}
	for e := range n.Child("entry").Children {
		if kind == "Bundle" && e.Child("resource") != nil {
			c.resource(d, e.Child("resource"), faults)
		}
	}
	for inner := range n.Child("contained").Children {
		c.resource(d, inner, faults)
	}
}

func (c *Checker) each(d *fhir.Document, n *fhir.Node, kind string, faults *fhir.Faults) {
	for _, i := range c.by[kind] {
		found, err := i.path.Eval(n, nil)
		switch {
		case err == nil && !i.self:
			for _, r := range found {
				*faults = append(*faults, i.fault(d, r.Sources()[0]))
			}
		case err == nil && len(found) == 1 && found[0].Text == "false", err != nil:
			*faults = append(*faults, i.fault(d, n))
		}
	}
}

// fault names the key and the rule, which are R4's, and the place.
func (i compiled) fault(d *fhir.Document, n *fhir.Node) *fhir.Fault {
	start, _ := n.Range()
	f := &fhir.Fault{Path: n.Path(), Rule: fhir.RuleInvariant, Offset: start, Text: i.Key + " of " + i.On + ": " + i.Expression}
	f.Line, f.Column = d.Position(start)
	return f
}
