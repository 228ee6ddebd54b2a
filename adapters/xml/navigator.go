package xml

import "github.com/antchfx/xpath"

// navigator is the library's cursor over the tree. Comments and processing instructions are not in it.
type navigator struct {
	file      *file
	at        *node
	attribute int // 1-based number of an attribute of at; 0: at itself
}

// NodeType tells document, element, attribute and text apart.
func (n *navigator) NodeType() xpath.NodeType {
	switch {
	case n.attribute > 0:
		return xpath.AttributeNode
	case n.at.isText:
		return xpath.TextNode
	case n.at == n.file.root:
		return xpath.RootNode
	}
	return xpath.ElementNode
}

// LocalName is the name without its prefix.
func (n *navigator) LocalName() string {
	if n.attribute > 0 {
		return n.at.attributes[n.attribute-1].name
	}
	return n.at.name
}

// Prefix is the source's own prefix for the namespace, whatever the file calls it.
func (n *navigator) Prefix() string {
	if n.attribute > 0 {
		return n.at.attributes[n.attribute-1].prefix
	}
	return n.at.prefix
}

// Value is the string-value.
func (n *navigator) Value() string {
	if n.attribute > 0 {
		return n.at.attributes[n.attribute-1].value
	}
	return n.at.value()
}

// Copy returns a cursor of its own at the same node.
func (n *navigator) Copy() xpath.NodeNavigator {
	c := *n
	return &c
}

// MoveToRoot goes to the document.
func (n *navigator) MoveToRoot() { n.at, n.attribute = n.file.root, 0 }

// MoveToParent goes one up.
func (n *navigator) MoveToParent() bool {
	if n.attribute > 0 {
		n.attribute = 0
		return true
	}
	if n.at.in == nil {
		return false
	}
	n.at = n.at.in
	return true
}

// MoveToNextAttribute goes from an element to its first attribute, and from an attribute to the next.
func (n *navigator) MoveToNextAttribute() bool {
	if n.attribute >= len(n.at.attributes) {
		return false
	}
	n.attribute++
	return true
}

// MoveToChild goes to the first child.
func (n *navigator) MoveToChild() bool {
	if n.attribute > 0 || len(n.at.children) == 0 {
		return false
	}
	n.at = n.at.children[0]
	return true
}

// MoveToFirst goes to the first of the siblings.
func (n *navigator) MoveToFirst() bool { return n.sibling(-n.at.index) }

// MoveToNext goes to the next sibling.
func (n *navigator) MoveToNext() bool { return n.sibling(1) }

// MoveToPrevious goes to the sibling before.
func (n *navigator) MoveToPrevious() bool { return n.sibling(-1) }

func (n *navigator) sibling(by int) bool {
	if n.attribute > 0 || n.at.in == nil {
		return false
	}
	i := n.at.index + by
	if by == 0 || i < 0 || i >= len(n.at.in.children) {
		return false
	}
	n.at = n.at.in.children[i]
	return true
}

// MoveTo goes where another cursor of the same file stands.
func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if !ok || o.file != n.file {
		return false
	}
	n.at, n.attribute = o.at, o.attribute
	return true
}
