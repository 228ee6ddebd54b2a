package fhirpath

import (
	"strings"

	"signalbox/fhir"
)

// equalItems is FHIRPath's = for two items: yes, no, or unknown where precision, zone or units leave it open.
func (c *context) equalItems(a, b *item, at *expr) verity {
	if a.node != nil && a.node == b.node {
		return yes
	}
	s, t := a.system(), b.system()
	switch {
	case s == "" || t == "":
		if s != t || a.node == nil || b.node == nil {
			return no
		}
		return verityOf(c.deepEqual(a.node, b.node, at))
	case s == sysQuantity && a.node != nil && b.node != nil && t == s:
		return verityOf(c.deepEqual(a.node, b.node, at))
	case s == t && (s == sysString || s == sysBoolean):
		return verityOf(a.text == b.text)
	case !converts(s, t) && !converts(t, s):
		return no
	}
	order, known := c.compareItems(a, b, at)
	if !known {
		return unknown
	}
	return verityOf(order == 0)
}

func verityOf(v bool) verity {
	if v {
		return yes
	}
	return no
}

// compareItems orders two items of types that can be compared. known is false where the values leave it open.
func (c *context) compareItems(a, b *item, at *expr) (order int, known bool) {
	s, t := a.system(), b.system()
	switch {
	case s == sysString && t == sysString:
		return strings.Compare(a.text, b.text), true
	case s == sysQuantity || t == sysQuantity:
		return c.compareQuantities(a, b, at)
	case isNumber(s) && isNumber(t):
		x, ok1 := a.decimal()
		y, ok2 := b.decimal()
		if !ok1 || !ok2 {
			c.fail(at, Value, "a number of more than 64 digits, or an exponent as large, cannot be compared")
			return 0, false
		}
		return x.cmp(y), true
	case isMoment(s) && isMoment(t) || s == sysTime && t == sysTime:
		x, ok1 := a.temporal(s)
		y, ok2 := b.temporal(t)
		if !ok1 || !ok2 {
			c.fail(at, Value, "what stands here as a date or time is none")
			return 0, false
		}
		return x.compare(y)
	}
	c.fail(at, Mistyped, "the two sides are of types that have no order between them")
	return 0, false
}

func isNumber(s string) bool { return s == sysInteger || s == sysDecimal }

func isMoment(s string) bool { return s == sysDate || s == sysDateTime }

func (c *context) compareQuantities(a, b *item, at *expr) (int, bool) {
	x, ok1 := toQuantity(a)
	y, ok2 := toQuantity(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	v, w, ok, open := sameUnit(x, y)
	switch {
	case ok:
		return v.cmp(w), true
	case !open:
		c.fail(at, Units, "the quantities have different units, which only UCUM's tables could compare")
	}
	return 0, false
}

// toQuantity reads a Quantity, or a number as one without a unit.
func toQuantity(it *item) (quantity, bool) {
	if isNumber(it.system()) {
		d, ok := it.decimal()
		return quantity{d, unitless}, ok
	}
	return it.quantity()
}

// equalCollections is = for two collections: unknown where one is empty.
func (c *context) equalCollections(a, b []item, at *expr) verity {
	if len(a) == 0 || len(b) == 0 {
		return unknown
	}
	if len(a) != len(b) {
		return no
	}
	all := yes
	for i := range a {
		if !c.spend(1, at) {
			return unknown
		}
		switch c.equalItems(&a[i], &b[i], at) {
		case no:
			return no
		case unknown:
			all = unknown
		}
	}
	return all
}

// deepEqual compares two nodes with all that is in them. The order of members does not matter, that of lists does.
func (c *context) deepEqual(a, b *fhir.Node, at *expr) bool {
	if !c.spend(1, at) || a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case fhir.Object:
		n := 0
		for m := a.First(); m != nil; m = m.Next() {
			o := b.Child(m.Name())
			if n++; o == nil || !c.deepEqual(m, o, at) {
				return false
			}
		}
		for m := b.First(); m != nil; m = m.Next() {
			n--
		}
		return n == 0
	case fhir.Array:
		m, o := a.First(), b.First()
		for ; m != nil && o != nil; m, o = m.Next(), o.Next() {
			if !c.deepEqual(m, o, at) {
				return false
			}
		}
		return m == nil && o == nil
	case fhir.Number:
		x, ok1 := parseDecimal(a.Text())
		y, ok2 := parseDecimal(b.Text())
		return ok1 && ok2 && x.cmp(y) == 0 || a.Text() == b.Text()
	}
	return a.Text() == b.Text()
}

// equivalentItems is FHIRPath's ~ for two items: text without regard to capitals and white space, numbers to the places of the less exact one.
func (c *context) equivalentItems(a, b *item, at *expr) bool {
	s, t := a.system(), b.system()
	switch {
	case s == sysString && t == s:
		return normal(a.text) == normal(b.text)
	case isNumber(s) && isNumber(t):
		x, ok1 := a.decimal()
		y, ok2 := b.decimal()
		return ok1 && ok2 && equivalentNumbers(x, y)
	case isMoment(s) && isMoment(t):
		x, ok1 := a.temporal(s)
		y, ok2 := b.temporal(t)
		order, known := x.compare(y)
		return ok1 && ok2 && x.prec == y.prec && known && order == 0
	case (s == sysQuantity || t == sysQuantity) && (converts(s, t) || converts(t, s)):
		return c.equivalentQuantities(a, b, at)
	}
	return c.equalItems(a, b, at) == yes
}

func equivalentNumbers(x, y decimal) bool {
	places := min(x.significant(), y.significant())
	return x.round(places).cmp(y.round(places)) == 0
}

func (c *context) equivalentQuantities(a, b *item, at *expr) bool {
	x, ok1 := toQuantity(a)
	y, ok2 := toQuantity(b)
	if !ok1 || !ok2 {
		return false
	}
	v, w, ok, _ := sameUnit(x, y)
	if !ok {
		c.fail(at, Units, "the quantities have different units, which only UCUM's tables could compare")
	}
	return ok && equivalentNumbers(v, w)
}

func normal(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// equivalentCollections is ~ for two collections, in any order. Two empty ones are equivalent.
func (c *context) equivalentCollections(a, b []item, at *expr) bool {
	if len(a) != len(b) {
		return false
	}
	used := make([]bool, len(b))
	for i := range a {
		found := false
		for j := range b {
			if !c.spend(1, at) {
				return false
			}
			if !used[j] && c.equivalentItems(&a[i], &b[j], at) {
				used[j], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// set tells items that are equal apart. Texts, booleans and numbers are looked up; the rest is compared with each that was seen.
type set struct {
	c      *context
	at     *expr
	keys   map[string]struct{}
	others []item
	nodes  map[nodeKey]bool
}

// nodeKey tells nodes apart by which they are, not by what they hold.
type nodeKey = *fhir.Node

func (c *context) set(at *expr) *set { return &set{c: c, at: at} }

// key returns a text that is the same for equal items and different for others.
func (it *item) key() (string, bool) {
	switch s := it.system(); s {
	case sysString, sysBoolean:
		return s + it.text, true
	case sysInteger, sysDecimal:
		if d, ok := it.decimal(); ok {
			return sysDecimal + d.trim().String(), true
		}
	}
	return "", false
}

// has reports whether an equal item was added.
func (s *set) has(it *item) bool {
	if key, ok := it.key(); ok {
		_, found := s.keys[key]
		return s.c.spend(1, s.at) && found
	}
	for i := range s.others {
		if !s.c.spend(1, s.at) {
			return true
		}
		if s.c.equalItems(&s.others[i], it, s.at) == yes {
			return true
		}
	}
	return false
}

// add reports whether the item was new.
func (s *set) add(it *item) bool {
	if s.has(it) {
		return false
	}
	if key, ok := it.key(); ok {
		if s.keys == nil {
			s.keys = map[string]struct{}{}
		}
		s.keys[key] = struct{}{}
	} else {
		s.others = append(s.others, *it)
	}
	return true
}
