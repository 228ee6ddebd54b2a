package oracle

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"signalbox/fhir"
)

// Difference is a kind of difference between the two readers that somebody has decided. gotchas.md gives the reasons.
type Difference struct {
	Class string
	Ours  bool // our reader is the stricter one
}

// Differences lists the decided kinds, in the order in which gotchas.md has them.
func Differences() []Difference {
	return []Difference{
		{"name-twice", true}, {"absent-value", true}, {"key-case", true}, {"code-capitals", true}, {"characters", true}, {"surrogate", true}, {"narrative", true},
		{"extension-value", true}, {"reference-elsewhere", true}, {"identity", true}, {"contained", true}, {"xml-form", true}, {"value-as-object", true}, {"json-form", true},
		{"gaps-in-lists", false}, {"parameters-resource", false}, {"meta-in-extension", false}, {"leap-second", false}, {"number-size", false}, {"base64-lines", false},
		{"code-without-value", false}, {"uri-form", false},
	}
}

// classify names the difference: every fault of the reader that refuses has to be of a decided kind.
func (o Opinions) classify(doc *fhir.Document) string {
	switch {
	case (len(o.Ours) > 0) == (len(o.Theirs) > 0):
		return Agreed
	case len(o.Ours) > 0:
		return first(o.Ours, func(f *fhir.Fault) string { return oursAlone(f, o.Ours, doc) })
	}
	return first(o.Theirs, func(f *fhir.Fault) string { return theirsAlone(f, doc) })
}

// first returns the first of the faults' classes by the alphabet, because google/fhir reports in no fixed order; unless a fault has none.
func first(faults fhir.Faults, class func(*fhir.Fault) string) string {
	name := ""
	for _, f := range faults {
		of := class(f)
		if of == "" {
			return Undecided
		}
		if name == "" || of < name {
			name = of
		}
	}
	return name
}

// oursAlone names why our reader refuses what google/fhir takes.
func oursAlone(f *fhir.Fault, all fhir.Faults, doc *fhir.Document) string {
	switch f.Rule {
	case fhir.RuleDuplicate:
		return "name-twice"
	case fhir.RuleSyntax:
		return "json-form"
	case fhir.RuleOrder:
		return "xml-form"
	case fhir.RuleNull, fhir.RuleEmpty:
		return "absent-value"
	case fhir.RuleUTF8:
		return "surrogate"
	case fhir.RuleIdentity:
		return "identity"
	case fhir.RuleElement:
		return when(f.Suggest != "", "key-case")
	}
	if strings.Contains(f.Path, ".contained") {
		return "contained"
	}
	switch f.Rule {
	case fhir.RuleShape: // {} where a primitive stands, or its id and extensions under its own key
		if holds(all, fhir.RuleEmpty) {
			return "absent-value"
		}
		return when(doc.At(f.Path).Child("id") != nil || doc.At(f.Path).Child("extension") != nil, "value-as-object")
	case fhir.RuleCode:
		return "code-capitals"
	case fhir.RuleReference:
		return "reference-elsewhere"
	case fhir.RuleRequired: // the element is there, under a key that google/fhir takes for it
		return when(holds(all, fhir.RuleElement) || holds(all, fhir.RuleNull) || holds(all, fhir.RuleEmpty), "key-case")
	case fhir.RuleChoice:
		return when(strings.HasPrefix(f.Text, "an extension has"), "extension-value")
	case fhir.RuleValue:
		return valueClass(f.Text)
	}
	return ""
}

func when(is bool, class string) string {
	if is {
		return class
	}
	return ""
}

func holds(faults fhir.Faults, rule string) bool {
	for _, f := range faults {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

// valueClass goes by the words of our own rule.
func valueClass(text string) string {
	for start, class := range map[string]string{
		"a well-formed XHTML": "narrative", "a code stands": "characters", "a URI without": "characters", "text without": "characters", "base64": "characters",
		"a date": "characters", "an instant": "characters",
	} {
		if strings.HasPrefix(text, start) {
			return class
		}
	}
	return ""
}

// theirsAlone names why google/fhir refuses what our reader takes. It looks at the value, and tells nobody.
func theirsAlone(f *fhir.Fault, doc *fhir.Document) string {
	if f.Path == "" {
		return when(f.Rule == fhir.RuleShape && overflows(doc.Root()), "number-size")
	}
	n := doc.At(f.Path)
	switch {
	case n == nil:
		parent := doc.At(strings.TrimSuffix(f.Path, ".value.code"))
		return when(parent.Child("_valueCode") != nil && parent.Child("valueCode") == nil, "code-without-value")
	case n.Kind() == fhir.Null:
		return "gaps-in-lists"
	case f.Rule == fhir.RuleElement && strings.HasPrefix(f.Path, "Parameters.parameter") && strings.HasSuffix(f.Path, ".resource"):
		return "parameters-resource"
	case f.Rule == fhir.RuleElement && n.Child("valueMeta") != nil:
		return "meta-in-extension"
	case f.Rule == fhir.RuleValue && strings.Contains(n.Text(), ":60"):
		return "leap-second"
	case f.Rule == fhir.RuleValue && strings.ContainsAny(n.Text(), " \t\r\n") && strings.Contains(f.Text, "binary"):
		return "base64-lines"
	case f.Rule == fhir.RuleValue && unparsed(n.Text()):
		return "uri-form"
	}
	return ""
}

// unparsed reports what Go's net/url, which google/fhir asks, does not take for a URL.
func unparsed(text string) bool {
	_, err := url.Parse(text)
	return err != nil
}

// overflows reports a number that has no float of 64 bits.
func overflows(n *fhir.Node) bool {
	if n.Kind() == fhir.Number {
		v, _ := strconv.ParseFloat(n.Text(), 64)
		return math.IsInf(v, 0)
	}
	for c := range n.Children {
		if overflows(c) {
			return true
		}
	}
	return false
}
