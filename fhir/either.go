package fhir

import (
	"bytes"
	"strings"
)

// IsXML reports whether a document is XML rather than JSON, by its first character: no JSON begins with "<", and all XML does.
func IsXML(data []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte{'<'}) }

// ExamineEither is Examine or ExamineXML, by the document's first character.
func ExamineEither(data []byte, limits Limits, opinion SecondOpinion) (*Document, Faults) {
	if IsXML(data) {
		return ExamineXML(data, limits, opinion)
	}
	return Examine(data, limits, opinion)
}

// ReadEither is Read or ReadXML, by the document's first character.
func ReadEither(data []byte, limits Limits) (*Document, error) {
	if IsXML(data) {
		return ReadXML(data, limits)
	}
	return Read(data, limits)
}

// XML reports whether the document was read from XML.
func (d *Document) XML() bool { return d.xml }

// ValueRange returns the bytes [start, end) of a primitive's value as it was written, without what stands around it: the quotes of JSON, the
// element and the attribute of XML. Of anything else, a narrative in XML included, it returns Range.
func (n *Node) ValueRange() (start, end int64) {
	start, end = n.Range()
	switch {
	case n.kind == Object, n.kind == Array, n.kind == Null:
		return start, end
	case n.doc.xml:
		return n.attributeRange()
	case n.kind == String:
		return start + 1, end - 1
	}
	return start, end
}

// attributeRange finds the attribute that holds a primitive's value in the start tag at the node's place. The reader has taken the tag, so that
// it is well-formed.
func (n *Node) attributeRange() (start, end int64) {
	data := n.doc.data
	at := int(n.start) + 1 // behind "<"
	stop := at
	for !strings.ContainsRune(" \t\r\n/>", rune(data[stop])) {
		stop++
	}
	name := string(data[at:stop])
	if n.name == "resourceType" {
		return int64(at), int64(stop)
	}
	want := "value"
	if n.isAttribute(name[strings.IndexByte(name, ':')+1:]) {
		want = n.name
	}
	for stop < int(n.end) {
		at = stop + len(data[stop:]) - len(bytes.TrimLeft(data[stop:], " \t\r\n/"))
		if data[at] == '>' {
			break
		}
		equals := bytes.IndexByte(data[at:n.end], '=')
		open := bytes.IndexAny(data[at:n.end], `"'`)
		if equals < 0 || open < equals {
			break
		}
		open += at + 1
		closing := bytes.IndexByte(data[open:n.end], data[open-1])
		if closing < 0 {
			break
		}
		if string(bytes.TrimSpace(data[at:at+equals])) == want {
			return int64(open), int64(open + closing)
		}
		stop = open + closing + 1
	}
	return n.Range()
}

// isAttribute reports whether the node stands as an attribute of its own name: Element.id and Extension.url do, in the tag of the element that
// they belong to.
func (n *Node) isAttribute(tag string) bool {
	if n.parent.kind == Array {
		return false
	}
	holder := n.parent.name
	if n.parent.parent != nil && n.parent.parent.kind == Array {
		holder = n.parent.parent.name
	}
	return strings.HasPrefix(holder, "_") || tag != n.name
}
