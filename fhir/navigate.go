package fhir

// First returns an object's first member or an array's first item, or nil.
func (n *Node) First() *Node { return n.first }

// Next returns the sibling that follows in the document, or nil.
func (n *Node) Next() *Node { return n.next }

// Document returns the document that the node is part of.
func (n *Node) Document() *Document { return n.doc }

// Twin returns the object that holds the id and the extensions of a primitive (_birthDate for birthDate), or nil.
func (n *Node) Twin() *Node { return shadow(n) }

// Resolve follows a literal reference that stands at n within the document: "#id" to a contained resource, anything else to a Bundle
// entry by its fullUrl or by Type/id (FHIR R4, "Resolving references in Bundles"). What leads outside gives nil.
func (n *Node) Resolve(reference string) *Node {
	if n == nil {
		return nil
	}
	return n.doc.resolve(n, reference)
}
