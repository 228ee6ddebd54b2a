package fhir

import (
	"slices"
	"strings"
)

// reference checks what a reference leads to against the types that R4 allows there: by the reference itself where it says a type, by what
// it resolves to within the document, and by Reference.type.
func (c *checker) reference(n *Node, el *element) {
	if n.kind != Object {
		return
	}
	if ref := n.Child("reference"); ref != nil && ref.kind == String {
		target, id := splitReference(ref.text)
		if target != "" && !formID(id) {
			c.fault(RuleReference, ref, "", "what stands behind the type is no id")
		}
		if local := strings.HasPrefix(ref.text, "#"); local || strings.HasPrefix(ref.text, "urn:") {
			found := c.doc.resolve(n, ref.text)
			if found == nil && local {
				c.fault(RuleReference, ref, "", "no contained resource has this id")
			}
			target = safeType(found.ResourceType())
		}
		c.target(ref, el, target)
	}
	if typ := n.Child("type"); typ != nil && typ.kind == String {
		c.target(typ, el, safeType(strings.TrimPrefix(typ.text, structureDefinition)))
	}
}

// structureDefinition stands before the name of a type where it is written as a URI.
const structureDefinition = "http://hl7.org/fhir/StructureDefinition/"

func (c *checker) target(n *Node, el *element, typ string) {
	if typ != "" && len(el.targets) > 0 && !slices.Contains(el.targets, typ) {
		c.fault(RuleReference, n, "", "the reference leads to "+typ+"; R4 allows "+strings.Join(el.targets, ", "))
	}
}

// referredType returns the type that a literal reference names, as in Patient/1, Patient/1/_history/2 or https://host/base/Patient/1 (FHIR R4,
// "Literal References"); nothing where it names none.
func referredType(ref string) string {
	typ, _ := splitReference(ref)
	return typ
}

// splitReference returns the type and the id that a literal reference names, or no type.
func splitReference(ref string) (typ, id string) {
	if at := strings.Index(ref, "/_history/"); at >= 0 {
		ref = ref[:at]
	}
	slash := strings.LastIndexByte(ref, '/')
	if slash <= 0 {
		return "", ""
	}
	ref, id = ref[:slash], ref[slash+1:]
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	if len(name) != len(ref) && !strings.HasPrefix(ref, "http://") && !strings.HasPrefix(ref, "https://") {
		return "", ""
	}
	return safeType(name), id
}

// extension refuses an extension that has both a value and extensions of its own, or neither (FHIR R4, ext-1).
func (c *checker) extension(n *Node, info *typeInfo) {
	value, nested := false, false
	for m := n.first; m != nil; m = m.next {
		if el := info.keys[m.name].el; el != nil {
			value = value || el.choice
			nested = nested || el.name == "extension"
		}
	}
	if value == nested {
		c.fault(RuleChoice, n, "", "an extension has either a value or extensions of its own")
	}
}

// elementID refuses an id that two elements of one resource have (FHIR R4, "Element": unique within the resource).
func (c *checker) elementID(id *Node) {
	if c.ids[id.text] {
		c.fault(RuleIdentity, id, "", "two elements of one resource have this id")
		return
	}
	if c.ids == nil {
		c.ids = map[string]bool{}
	}
	c.ids[id.text] = true
}

// contained refuses contained resources that contain others (FHIR R4, dom-2) or share an id.
func (c *checker) contained(n *Node) {
	list := n.Child("contained")
	if list == nil {
		return
	}
	if n.parent != nil && n.parent.name == "contained" {
		c.fault(RuleShape, list, "", "a contained resource contains no others")
	}
	seen := map[string]bool{}
	for r := list.first; r != nil; r = r.next {
		if id := r.Child("id"); id != nil && id.text != "" {
			if seen[id.text] {
				c.fault(RuleIdentity, id, "", "two contained resources have this id")
			}
			seen[id.text] = true
		}
	}
}

// fullURLs refuses a fullUrl that two entries of a Bundle have, unless the Bundle is a history or their versions differ (FHIR R4, bdl-7).
func (c *checker) fullURLs(n *Node) {
	if kind := n.Child("type"); kind != nil && kind.text == "history" {
		return
	}
	seen := map[string]bool{}
	for entry := range n.Child("entry").Children {
		url := entry.Child("fullUrl")
		if url == nil {
			continue
		}
		key := url.text
		if version := entry.Child("resource").Child("meta").Child("versionId"); version != nil {
			key += "|" + version.text
		}
		if seen[key] {
			c.fault(RuleIdentity, url, "", "two entries of the Bundle have this fullUrl")
		}
		seen[key] = true
	}
}
