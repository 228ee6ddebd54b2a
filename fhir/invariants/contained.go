package invariants

import (
	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
)

// keyContained is dom-3: a contained resource is referred to from elsewhere in its resource, or refers to it. R4's expression asks about all
// references anew for each contained resource and writes to a log (trace); here the references are collected once.
const keyContained = "dom-3"

// What R4's expression looks at, as paths: where references may stand in a resource, and what in a contained resource leads back.
const (
	pathReferences = `descendants().reference.combine(descendants().ofType(canonical)).combine(descendants().ofType(uri)).combine(descendants().ofType(url))`
	pathLeadsBack  = `descendants().where(reference = '#').exists() or descendants().where(ofType(canonical) = '#').exists()`
)

// contained finds the contained resources that nothing refers to.
type contained struct{ references, leadsBack *fhirpath.Path }

func (c *Checker) addContained(i Invariant) error {
	references, err := fhirpath.Compile(pathReferences, fhirpath.Options{})
	if err != nil {
		return err
	}
	leadsBack, err := fhirpath.Compile(pathLeadsBack, fhirpath.Options{})
	c.by[i.On] = append(c.by[i.On], compiled{Invariant: i, contained: &contained{references, leadsBack}})
	return err
}

// find returns the contained resources of n that nothing refers to; n itself where that cannot be worked out.
func (c *contained) find(n *fhir.Node) []*fhir.Node {
	list := n.Child("contained")
	if list == nil {
		return nil
	}
	found, err := c.references.Eval(n, nil)
	if err != nil {
		return []*fhir.Node{n}
	}
	referred := map[string]bool{}
	for _, r := range found {
		referred[r.Text] = true
	}
	var unmatched []*fhir.Node
	for inner := range list.Children {
		if id := inner.Child("id"); id != nil && referred["#"+id.Text()] {
			continue
		}
		if back, err := c.leadsBack.Eval(inner, nil); err != nil || len(back) != 1 || back[0].Text != "true" {
			unmatched = append(unmatched, inner)
		}
	}
	return unmatched
}
