package fhirpath

import (
	"strings"
)

// cast is a conversion: to is the type, convert gives nothing when the value does not convert (FHIRPath N1, "Conversion").
type cast struct {
	name    string
	to      string
	convert func(it *item) (string, bool)
}

func allCasts() []cast {
	return []cast{
		{"Boolean", sysBoolean, toBoolean}, {"Integer", sysInteger, toInteger}, {"Decimal", sysDecimal, toDecimal},
		{"String", sysString, toText}, {"Date", sysDate, toDate}, {"DateTime", sysDateTime, toDateTime}, {"Time", sysTime, toTime},
	}
}

// casts are toX() and convertsToX(). The one for Quantity takes a unit and stands apart.
func casts() []scalar {
	var out []scalar
	for _, t := range allCasts() {
		out = append(out,
			scalar{name: "to" + t.name, in: primitiveSystems(), out: t.to, do: one(func(_ *context, _ *expr, it *item, _ []*item) (item, bool) {
				text, ok := t.convert(it)
				return item{typ: t.to, text: text}, ok
			})},
			scalar{name: "convertsTo" + t.name, in: primitiveSystems(), out: sysBoolean, total: true, do: one(func(_ *context, _ *expr, it *item, _ []*item) (item, bool) {
				_, ok := t.convert(it)
				return truthItem(ok), true
			})})
	}
	return append(out,
		scalar{name: "toQuantity", in: primitiveSystems(), args: []string{sysString}, optional: 1, out: sysQuantity,
			do: one(func(c *context, e *expr, it *item, a []*item) (item, bool) {
				q, ok := castQuantity(c, e, it, a)
				return item{typ: sysQuantity, text: q}, ok
			})},
		scalar{name: "convertsToQuantity", in: primitiveSystems(), args: []string{sysString}, optional: 1, out: sysBoolean, total: true,
			do: one(func(c *context, e *expr, it *item, a []*item) (item, bool) {
				_, ok := castQuantity(c, e, it, a)
				return truthItem(ok), true
			})})
}

func primitiveSystems() []string {
	return []string{sysBoolean, sysString, sysInteger, sysDecimal, sysDate, sysDateTime, sysTime, sysQuantity}
}

func toBoolean(it *item) (string, bool) {
	switch s := it.system(); s {
	case sysBoolean:
		return it.text, true
	case sysString:
		switch strings.ToLower(it.text) {
		case "true", "t", "yes", "y", "1", "1.0":
			return "true", true
		case "false", "f", "no", "n", "0", "0.0":
			return "false", true
		}
	case sysInteger, sysDecimal:
		d, ok := it.decimal()
		switch {
		case !ok:
		case d.cmp(whole(1)) == 0:
			return "true", true
		case d.cmp(whole(0)) == 0:
			return "false", true
		}
	}
	return "", false
}

func toInteger(it *item) (string, bool) {
	switch it.system() {
	case sysInteger, sysString:
		n, ok := wholeNumber(it.text)
		return integerItem(n).text, ok
	case sysBoolean:
		if it.isTrue() {
			return "1", true
		}
		return "0", true
	}
	return "", false
}

func toDecimal(it *item) (string, bool) {
	switch it.system() {
	case sysInteger, sysDecimal:
		return it.text, true
	case sysString:
		d, ok := parseDecimal(it.text)
		if !ok || strings.ContainsAny(it.text, "eE") {
			return "", false
		}
		return d.String(), true
	case sysBoolean:
		if it.isTrue() {
			return "1.0", true
		}
		return "0.0", true
	}
	return "", false
}

func toText(it *item) (string, bool) {
	if it.system() == sysQuantity {
		q, ok := it.quantity()
		if !ok {
			return "", false
		}
		return q.String(), true
	}
	return it.text, true
}

func toDate(it *item) (string, bool) {
	switch it.system() {
	case sysDate, sysDateTime, sysString:
		date, _, timed := strings.Cut(it.text, "T")
		if timed {
			if _, ok := parseTemporal(sysDateTime, it.text); !ok {
				return "", false
			}
		}
		_, ok := parseTemporal(sysDate, date)
		return date, ok
	}
	return "", false
}

func toDateTime(it *item) (string, bool) {
	switch it.system() {
	case sysDate, sysDateTime, sysString:
		_, ok := parseTemporal(sysDateTime, it.text)
		return it.text, ok
	}
	return "", false
}

func toTime(it *item) (string, bool) {
	switch it.system() {
	case sysTime, sysString:
		text := strings.TrimPrefix(it.text, "T")
		_, ok := parseTemporal(sysTime, text)
		return text, ok
	}
	return "", false
}

// castQuantity converts to a Quantity, and to a unit where one is asked for. Units that only UCUM could convert are a fault.
func castQuantity(c *context, e *expr, it *item, a []*item) (string, bool) {
	var q quantity
	ok := false
	switch it.system() {
	case sysQuantity:
		q, ok = it.quantity()
	case sysString:
		q, ok = parseQuantity(it.text)
	case sysInteger, sysDecimal:
		q.unit = unitless
		q.value, ok = it.decimal()
	case sysBoolean:
		q, ok = quantity{whole(0), unitless}, true
		if it.isTrue() {
			q.value = whole(1)
		}
	}
	if !ok {
		return "", false
	}
	if len(a) == 1 && a[0].text != q.unit && quoteUnit(a[0].text) != q.unit {
		c.fail(e, Units, "a conversion to another unit needs UCUM's tables")
		return "", false
	}
	return q.String(), true
}
