package fhirpath

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// xmlNode is any element of FHIR XML.
type xmlNode struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Nodes   []xmlNode  `xml:",any"`
	Inner   string     `xml:",innerxml"`
}

func (n xmlNode) attr(name string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// jsonOf converts an example of HL7's from FHIR XML to FHIR JSON.
func jsonOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	var n xmlNode
	require.NoError(t, xml.Unmarshal(raw, &n))
	out, err := json.Marshal(n.resource())
	require.NoError(t, err)
	return out
}

func (n xmlNode) resource() map[string]any {
	out := n.object(n.XMLName.Local)
	out["resourceType"] = n.XMLName.Local
	return out
}

func (n xmlNode) object(typ string) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"id", "url"} {
		if v, ok := n.attr(key); ok {
			out[key] = v
		}
	}
	for _, c := range n.Nodes {
		c.into(out, typ)
	}
	return out
}

func (n xmlNode) into(out map[string]any, typ string) {
	key := n.XMLName.Local
	if key == "div" {
		out[key] = `<div xmlns="http://www.w3.org/1999/xhtml">` + n.Inner + "</div>"
		return
	}
	name, to, _ := fhir.KeyOf(typ, key)
	list := false
	for _, el := range fhir.ElementsOf(typ) {
		list = list || el.Name == name && el.List
	}
	var value, shadow any
	switch {
	case to == "Resource":
		value = n.Nodes[0].resource()
	case fhir.IsPrimitiveType(to):
		value, shadow = n.primitive(to)
	default:
		value = n.object(to)
	}
	put(out, key, value, list)
	put(out, "_"+key, shadow, list)
}

func put(out map[string]any, key string, value any, list bool) {
	if value == nil {
		return
	}
	if !list {
		out[key] = value
		return
	}
	was, _ := out[key].([]any)
	out[key] = append(was, value)
}

func (n xmlNode) primitive(typ string) (value, shadow any) {
	if text, ok := n.attr("value"); ok {
		value = text
		switch typ {
		case "boolean", "integer", "decimal", "positiveInt", "unsignedInt":
			value = json.RawMessage(strings.TrimSpace(text))
		}
	}
	if len(n.Nodes) > 0 {
		shadow = n.object("Extension")
	}
	return value, shadow
}
