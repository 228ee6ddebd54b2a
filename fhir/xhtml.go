package fhir

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"sync"
)

// narrative lists the elements that R4 allows in a narrative: the basic formatting of chapters 7 to 11 (but 4 of 9) and 15 of HTML 4.0, links and
// images (FHIR R4, "Narrative", txt-1). Scripts, forms, styles and frames are not among them.
var narrative = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p
		pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var`) {
		names[name] = true
	}
	return names
})

// formXHTML takes one well-formed div in the namespace of XHTML that it declares itself, with the elements that R4 allows and no attribute that runs
// a script. Entities other than XML's own five are refused, as is a document type.
func formXHTML(s string) bool {
	if !strings.HasPrefix(s, "<div") {
		return false
	}
	dec := xml.NewDecoder(strings.NewReader(s))
	for depth := 0; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return depth == 0
		}
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && t.Name.Local != "div" {
				return false
			}
			if depth++; depth > 64 || !formatting(t) {
				return false
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				return dec.InputOffset() == int64(len(s))
			}
		case xml.Directive, xml.ProcInst:
			return false
		}
	}
}

func formatting(t xml.StartElement) bool {
	if t.Name.Space != namespaceXHTML || !narrative()[t.Name.Local] {
		return false
	}
	for _, a := range t.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Value)), "javascript:") {
			return false
		}
	}
	return true
}
