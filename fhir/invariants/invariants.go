// Package invariants holds documents against the invariants of FHIR R4 that FHIRPath can say, each under R4's key.
//
// The expressions are those of R4's definitions (http://hl7.org/fhir/R4), word for word. Left out: what package fhir's Check knows by itself (ele-1,
// ext-1, txt-1, ref-1), dom-6, which is advice, and those of ElementDefinition, which is for those who write profiles.
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
	On         string // the element: a resource, an element of one, DomainResource, or a data type wherever it stands
	Expression string // FHIRPath that is true from there
}

// domainResource stands for every resource that has contained.
const domainResource = "DomainResource"

// All lists the invariants of the resources that Signalbox receives and answers with.
func All() []Invariant {
	return []Invariant{
		{"dom-2", domainResource, `contained.contained.empty()`},
		{keyContained, domainResource, `contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | %resource.descendants().as(uri) | %resource.descendants().as(url))) or descendants().where(reference = '#').exists() or descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()`},
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
		{"age-1", "Age", `(code.exists() or value.empty()) and (system.empty() or system = %ucum) and (value.empty() or value.hasValue().not() or value > 0)`},
		{"att-1", "Attachment", `data.empty() or contentType.exists()`},
		{"cnt-3", "Count", `(code.exists() or value.empty()) and (system.empty() or system = %ucum) and (code.empty() or code = '1') and (value.empty() or value.hasValue().not() or value.toString().contains('.').not())`},
		{"cpt-2", "ContactPoint", `value.empty() or system.exists()`},
		{"dis-1", "Distance", `(code.exists() or value.empty()) and (system.empty() or system = %ucum)`},
		{"drq-1", "DataRequirement.codeFilter", `path.exists() xor searchParam.exists()`},
		{"drq-2", "DataRequirement.dateFilter", `path.exists() xor searchParam.exists()`},
		{"drt-1", "Duration", `code.exists() implies ((system = %ucum) and value.exists())`},
		{"exp-1", "Expression", `expression.exists() or reference.exists()`},
		{"per-1", "Period", `start.hasValue().not() or end.hasValue().not() or (start <= end)`},
		{"qty-3", "Age", noUnitAlone}, {"qty-3", "Count", noUnitAlone}, {"qty-3", "Distance", noUnitAlone}, {"qty-3", "Duration", noUnitAlone},
		{"qty-3", "Quantity", noUnitAlone}, {"qty-3", "SimpleQuantity", noUnitAlone},
		{"rat-1", "Ratio", `(numerator.empty() xor denominator.exists()) and (numerator.exists() or extension.exists())`},
		{"rng-2", "Range", `low.empty() or high.empty() or (low <= high)`},
		{"tim-1", "Timing.repeat", `duration.empty() or durationUnit.exists()`},
		{"tim-2", "Timing.repeat", `period.empty() or periodUnit.exists()`},
		{"tim-4", "Timing.repeat", `duration.exists() implies duration >= 0`},
		{"tim-5", "Timing.repeat", `period.exists() implies period >= 0`},
		{"tim-6", "Timing.repeat", `periodMax.empty() or period.exists()`},
		{"tim-7", "Timing.repeat", `durationMax.empty() or duration.exists()`},
		{"tim-8", "Timing.repeat", `countMax.empty() or count.exists()`},
		{"tim-9", "Timing.repeat", `offset.empty() or (when.exists() and when.select($this in ('C' | 'CM' | 'CD' | 'CV')).allFalse())`},
		{"tim-10", "Timing.repeat", `timeOfDay.empty() or when.empty()`},
		{"trd-1", "TriggerDefinition", `data.empty() or timing.empty()`},
		{"trd-2", "TriggerDefinition", `condition.exists() implies data.exists()`},
		{"trd-3", "TriggerDefinition", `(type = 'named-event' implies name.exists()) and (type = 'periodic' implies timing.exists()) and (type.startsWith('data-') implies data.exists())`},
	}
}

// noUnitAlone is qty-3: R4 gives it to every kind of Quantity.
const noUnitAlone = `code.empty() or system.exists()`

// Checker holds documents against the invariants. It is safe for concurrent use.
type Checker struct {
	by map[string][]compiled // by type of resource, or by data type or element of one
}

// compiled is an invariant as a path that finds what breaks it, from its resource.
type compiled struct {
	Invariant
	path *fhirpath.Path
	self bool // the path says whether the object itself keeps to it

	contained *contained // instead of the path, for dom-3
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
	if i.Key == keyContained {
		return c.addContained(i)
	}
	resource, rest, nested := strings.Cut(i.On, ".")
	expr, options := i.Expression, fhirpath.Options{Context: resource}
	if resource == domainResource {
		options.Context = ""
	}
	if nested {
		expr = rest + ".where((" + expr + ").not())"
	}
	path, err := fhirpath.Compile(expr, options)
	c.by[resource] = append(c.by[resource], compiled{Invariant: i, path: path, self: !nested})
	return err
}

// Check returns what breaks an invariant, in document order: of the document's resource, of the entries of a Bundle and of what is contained.
// A document that Check of package fhir refuses may have more wrong with it than is said here.
func (c *Checker) Check(d *fhir.Document) fhir.Faults {
	if d == nil {
		return nil
	}
	var faults fhir.Faults
	for n, kind := range d.Objects {
		if len(faults) >= maxFaults {
			break
		}
		c.each(d, n, kind, &faults)
		if n.ResourceType() != "" && kind != "Bundle" && kind != "Parameters" && kind != "Binary" {
			c.each(d, n, domainResource, &faults)
		}
	}
	return faults
}

// maxFaults bounds what is said of one document.
const maxFaults = 100

func (c *Checker) each(d *fhir.Document, n *fhir.Node, kind string, faults *fhir.Faults) {
	for _, i := range c.by[kind] {
		if i.contained != nil {
			for _, unmatched := range i.contained.find(n) {
				*faults = append(*faults, i.fault(d, unmatched))
			}
			continue
		}
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
