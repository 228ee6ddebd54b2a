package fhir

import "strings"

// buildIndex lists a Bundle's entries by their fullUrl and by Type/id. Of two entries with one name the first counts.
func (d *Document) buildIndex() map[string]*Node {
	index := map[string]*Node{}
	put := func(key string, n *Node) {
		if _, taken := index[key]; !taken && key != "" {
			index[key] = n
		}
	}
	for entry := range d.root.Child("entry").Children {
		resource := entry.Child("resource")
		if resource == nil {
			continue
		}
		if url := entry.Child("fullUrl"); url != nil {
			put(url.text, resource)
		}
		if id := resource.Child("id"); id != nil && resource.ResourceType() != "" {
			put(resource.ResourceType()+"/"+id.text, resource)
		}
	}
	return index
}

// resolve follows a literal reference within the document: "#id" to a contained resource, anything else to a Bundle entry by its fullUrl
// or by Type/id. A reference that is only an identifier, or that leads outside, resolves to nothing.
func (d *Document) resolve(from *Node, reference string) *Node {
	if id, local := strings.CutPrefix(reference, "#"); local {
		return contained(from, id)
	}
	if hash := strings.IndexByte(reference, '#'); hash >= 0 {
		return nil
	}
	if version := strings.Index(reference, "/_history/"); version >= 0 {
		reference = reference[:version]
	}
	index := d.index()
	if n := index[reference]; n != nil {
		return n
	}
	if !strings.Contains(reference, ":") {
		return index[siblingURL(from, reference)]
	}
	return nil
}

// siblingURL makes a relative reference absolute with the fullUrl of the entry that it stands in (FHIR R4, "Resolving references in Bundles").
func siblingURL(from *Node, reference string) string {
	for n := from; n != nil; n = n.parent {
		url := n.Child("fullUrl")
		if url == nil || n.parent == nil || n.parent.name != "entry" {
			continue
		}
		resource := n.Child("resource")
		if id := resource.Child("id"); id != nil {
			if base, ok := strings.CutSuffix(url.text, resource.ResourceType()+"/"+id.text); ok {
				return base + reference
			}
		}
		return ""
	}
	return ""
}

// contained finds a contained resource by id in the resource that holds the reference; "#" alone is that resource itself.
func contained(from *Node, id string) *Node {
	for n := from; n != nil; n = n.parent {
		if n.ResourceType() == "" || n.parent != nil && n.parent.name == "contained" {
			continue
		}
		if id == "" {
			return n
		}
		for c := range n.Child("contained").Children {
			if own := c.Child("id"); own != nil && own.text == id {
				return c
			}
		}
		return nil
	}
	return nil
}
