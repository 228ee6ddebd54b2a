package fhir

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ReadXML reads one FHIR resource in XML into the tree that Read makes of the same resource in JSON: repeated elements are lists, the value of a
// primitive is its text, its id and extensions stand under the key with "_", a narrative is the text of its div. A document type, entities, another
// namespace, unknown elements and attributes, elements out of R4's order and text between elements are refused (FHIR R4, "XML Representation of
// Resources"). Comments and processing instructions are passed over. The error is Faults. Node.Range is the range of the element.
func ReadXML(data []byte, limits Limits) (*Document, error) {
	return sound(readXML(data, limits))
}

func readXML(data []byte, limits Limits) (*Document, Faults) {
	r := &xmlReader{builder: builder{data: data, limits: limits.withDefaults(), table: r4(), doc: &Document{xml: true}}}
	if !r.admit() {
		return nil, r.faults
	}
	if at := badUTF8(data); at >= 0 {
		r.stop(RuleUTF8, at, nil, "the bytes are not valid UTF-8")
		return nil, r.faults
	}
	r.dec = xml.NewDecoder(bytes.NewReader(data))
	root := r.document()
	if r.halted {
		return nil, r.faults
	}
	r.doc.ready(root, data)
	return r.doc, r.faults
}

func badUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; at < len(data); {
		c, size := utf8.DecodeRune(data[at:])
		if c == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// xmlReader reads XML, led by the element table.
type xmlReader struct {
	builder
	dec   *xml.Decoder
	start int // offset of the last token
}

// next returns the next token that matters: a start or end of an element; nothing once reading has stopped or the document has ended.
func (r *xmlReader) next(n *Node) xml.Token {
	for !r.halted {
		r.start = int(r.dec.InputOffset())
		token, err := r.dec.Token()
		if err != nil {
			r.syntax(err, n)
			return nil
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return t
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				r.fault(RuleShape, r.start, n, "text stands between elements: FHIR puts values into the attribute value")
			}
		case xml.Directive:
			r.stop(RuleDoctype, r.start, n, "a document type declaration is not allowed")
		}
	}
	return nil
}

// syntax ends the reading without the parser's own text, which quotes the input.
func (r *xmlReader) syntax(err error, n *Node) {
	offset := int(r.dec.InputOffset())
	switch {
	case errors.Is(err, io.EOF), offset >= len(r.data):
		r.stop(RuleTruncated, offset, n, "the document ends too early")
	case strings.Contains(err.Error(), "entity"):
		r.stop(RuleSyntax, offset, n, "an entity that XML does not define itself")
	case strings.Contains(err.Error(), "encoding"):
		r.stop(RuleUTF8, offset, n, "the encoding is not UTF-8")
	default:
		r.stop(RuleSyntax, offset, n, "the document is not well-formed XML")
	}
}

// document reads the root and makes sure that nothing but comments and white space follows it.
func (r *xmlReader) document() *Node {
	start, ok := r.next(nil).(xml.StartElement)
	if !ok {
		r.stop(RuleTruncated, r.start, nil, "the document ends too early")
		return nil
	}
	root := r.node(nil, "", r.start)
	root.start = int32(r.start)
	if safeType(start.Name.Local) == "" {
		r.stop(RuleResourceType, r.start, nil, "the root element is not the name of an R4 resource")
		r.suggest(start.Name.Local, r.table.resources)
		return nil
	}
	r.resource(root, start, 1)
	for !r.halted {
		at := int(r.dec.InputOffset())
		switch token, err := r.dec.Token(); t := token.(type) {
		case nil:
			if !errors.Is(err, io.EOF) {
				r.stop(RuleTrailing, at, nil, "something follows the document")
			}
			return root
		case xml.StartElement, xml.EndElement, xml.Directive:
			r.stop(RuleTrailing, at, nil, "something follows the document")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				r.stop(RuleTrailing, at, nil, "something follows the document")
			}
		}
	}
	return root
}

func (r *xmlReader) suggest(name string, candidates []string) {
	if len(r.faults) > 0 {
		r.faults[len(r.faults)-1].Suggest = nearest(name, candidates)
	}
}

// resource reads a resource whose name is known into n.
func (r *xmlReader) resource(n *Node, start xml.StartElement, depth int) {
	n.kind = Object
	t := r.node(n, "resourceType", r.start)
	t.kind, t.text, t.start, t.end = String, safeType(start.Name.Local), n.start, int32(r.dec.InputOffset())
	b := &object{r: r, n: n, info: r.table.types[t.text], last: r.attach(n, nil, t, r.start), order: -1}
	b.read(start, depth)
}

// holder reads an element that holds one resource: contained, Bundle.entry.resource, Parameters.parameter.resource.
func (r *xmlReader) holder(n *Node, start xml.StartElement, depth int) {
	r.attributes(n, start, nil)
	for i := 0; ; i++ {
		switch t := r.next(n).(type) {
		case xml.StartElement:
			switch {
			case i > 0:
				r.refuse(RuleShape, n, "one resource stands here")
			case safeType(t.Name.Local) == "" || t.Name.Space != namespaceFHIR:
				r.refuse(RuleResourceType, n, "this is not the name of an R4 resource")
				r.suggest(t.Name.Local, r.table.resources)
			default:
				r.resource(n, t, depth+1)
			}
		case xml.EndElement:
			if n.end = int32(r.dec.InputOffset()); i == 0 {
				n.kind = Object
				r.fault(RuleEmpty, int(n.start), n, "a resource stands here")
			}
			return
		default:
			return
		}
	}
}

// refuse records a fault at the element whose start was read last and passes over what is in it.
func (r *xmlReader) refuse(rule string, n *Node, text string) {
	r.fault(rule, r.start, n, text)
	if r.halted {
		return
	}
	if err := r.dec.Skip(); err != nil {
		r.syntax(err, n)
	}
}

// attributes hands each attribute of FHIR's to take, and refuses what take does not want. Declarations of namespaces and the place of a schema
// are no content.
func (r *xmlReader) attributes(n *Node, start xml.StartElement, take func(name, value string) bool) {
	if start.Name.Space != namespaceFHIR {
		r.stop(RuleNamespace, r.start, n, "the element is not in the namespace "+namespaceFHIR)
		return
	}
	seen := ""
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" || a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" {
			continue
		}
		key := "|" + a.Name.Local + "|"
		switch {
		case a.Name.Space != "" || take == nil || strings.Contains(seen, key) || !take(a.Name.Local, a.Value):
			r.fault(RuleElement, r.start, n, "an attribute that R4 does not have here, or has once")
		case a.Value == "":
			r.fault(RuleEmpty, r.start, n, "an empty attribute is not a value in FHIR: leave the element out")
		case len(a.Value) > r.limits.MaxString:
			r.stop(RuleString, r.start, n, fmt.Sprintf("a value is over the limit of %d bytes", r.limits.MaxString))
		}
		seen += key
	}
}

// narrative reads a div into n as the text that it is written in.
func (r *xmlReader) narrative(n *Node) {
	n.kind = String
	if err := r.dec.Skip(); err != nil {
		r.syntax(err, n)
		return
	}
	n.end = int32(r.dec.InputOffset())
	n.text = string(r.data[n.start:n.end])
	if len(n.text) > r.limits.MaxString {
		r.stop(RuleString, int(n.start), n, fmt.Sprintf("a narrative is over the limit of %d bytes", r.limits.MaxString))
	}
}
