package fhirpath

import (
	"strconv"
	"strings"

	"signalbox/fhir"
)

// FHIRPath's own types. Everything else is a type of R4.
const (
	sysBoolean  = "System.Boolean"
	sysString   = "System.String"
	sysInteger  = "System.Integer"
	sysDecimal  = "System.Decimal"
	sysDate     = "System.Date"
	sysDateTime = "System.DateTime"
	sysTime     = "System.Time"
	sysQuantity = "System.Quantity"
)

// item is one item of a collection: a node of the document, or a value that an operation made.
type item struct {
	node *fhir.Node
	typ  string // R4 or System type; empty when it is not known
	text string // value of a primitive
	from []*fhir.Node
}

// systemType returns the System type that a type converts to without being asked, or nothing.
func systemType(typ string) string {
	switch typ {
	case "boolean":
		return sysBoolean
	case "string", "code", "id", "uri", "url", "canonical", "markdown", "base64Binary", "uuid", "oid", "xhtml":
		return sysString
	case "integer", "positiveInt", "unsignedInt":
		return sysInteger
	case "decimal":
		return sysDecimal
	case "date":
		return sysDate
	case "dateTime", "instant":
		return sysDateTime
	case "time":
		return sysTime
	case "Quantity", "Age", "Count", "Distance", "Duration":
		return sysQuantity
	}
	if strings.HasPrefix(typ, "System.") {
		return typ
	}
	return ""
}

// system returns the System type of an item's value, or nothing for an object or a primitive without a value.
func (it *item) system() string {
	if it.node == nil {
		return it.typ
	}
	s := systemType(it.typ)
	switch it.node.Kind() {
	case fhir.Object:
		if s == sysQuantity {
			return s
		}
		return ""
	case fhir.Array, fhir.Null:
		return ""
	case fhir.Bool:
		return sysBoolean
	case fhir.Number:
		if s == sysInteger {
			return s
		}
		return sysDecimal
	}
	switch s { // a text stands where R4 wants something else: it is taken for what it is
	case "", sysQuantity, sysBoolean, sysInteger, sysDecimal:
		return sysString
	}
	return s
}

// hasValue reports whether a primitive has a value of its own, not extensions only.
func (it *item) hasValue() bool {
	if it.node == nil {
		return it.typ != ""
	}
	k := it.node.Kind()
	return k == fhir.String || k == fhir.Number || k == fhir.Bool
}

// place is the node that the item is, or the first that it was made of; nil for none.
func (it *item) place() *fhir.Node {
	if it.node == nil && len(it.from) > 0 {
		return it.from[0]
	}
	return it.node
}

func (it *item) isTrue() bool { return it.text == "true" }

func (it *item) decimal() (decimal, bool) { return parseDecimal(it.text) }

func (it *item) integer() (int, bool) { return wholeNumber(it.text) }

// temporal reads the item's date or time.
func (it *item) temporal(system string) (temporal, bool) { return parseTemporal(system, it.text) }

// quantity reads the item as a Quantity. One of R4 needs a value, no comparator, and a unit: its UCUM code, or else its text.
func (it *item) quantity() (quantity, bool) {
	if it.node == nil {
		return parseQuantity(it.text)
	}
	if it.node.Kind() != fhir.Object {
		return quantity{}, false
	}
	v, unit := it.node.Child("value"), it.node.Child("code")
	if system := it.node.Child("system"); system == nil || system.Text() != "http://unitsofmeasure.org" || unit == nil {
		unit = it.node.Child("unit")
	}
	if v == nil || v.Kind() != fhir.Number || it.node.Child("comparator") != nil {
		return quantity{}, false
	}
	d, ok := parseDecimal(v.Text())
	if unit == nil {
		return quantity{d, unitless}, ok
	}
	return quantity{d, quoteUnit(unit.Text())}, ok
}

func truthItem(v bool) item { return item{typ: sysBoolean, text: strconv.FormatBool(v)} }

func stringItem(s string) item { return item{typ: sysString, text: s} }

func integerItem(v int) item { return item{typ: sysInteger, text: strconv.Itoa(v)} }
