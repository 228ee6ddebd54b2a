package fhirpath

import (
	"math/big"
	"slices"
	"time"
)

// sides lists what an arithmetic operator takes, as pairs of System types and the type of the outcome.
func sides(op string) [][3]string {
	numbers := [][3]string{{sysInteger, sysInteger, sysInteger}, {sysDecimal, sysDecimal, sysDecimal}}
	moments := [][3]string{{sysDate, sysQuantity, sysDate}, {sysDateTime, sysQuantity, sysDateTime}, {sysTime, sysQuantity, sysTime}}
	switch op {
	case "+":
		return append(append(numbers, [3]string{sysString, sysString, sysString}, [3]string{sysQuantity, sysQuantity, sysQuantity}), moments...)
	case "-":
		return append(append(numbers, [3]string{sysQuantity, sysQuantity, sysQuantity}), moments...)
	case "/":
		return [][3]string{{sysDecimal, sysDecimal, sysDecimal}}
	}
	return numbers
}

// outcome finds the type that an operator makes of two types, or nothing.
func outcome(op, a, b string) string {
	for _, s := range sides(op) {
		exact := s[0] == sysDate || s[0] == sysDateTime || s[0] == sysTime // a date plus a number is refused, not taken as a quantity
		switch {
		case exact && a == s[0] && b == s[1], !exact && converts(a, s[0]) && converts(b, s[1]):
			return s[2]
		}
	}
	return ""
}

func (k *compiler) arithmetic(e *expr, a, b compiled) compiled {
	x, known1 := a.shape.systems()
	y, known2 := b.shape.systems()
	s := shape{}
	if known1 && known2 && !a.shape.none && !b.shape.none {
		for _, l := range x {
			for _, r := range y {
				if (l == sysQuantity || r == sysQuantity) && (e.name == "*" || e.name == "/") {
					f := e.fault(Unsupported, "quantities are not multiplied or divided: that needs UCUM's tables")
					f.Name = "UCUM conversion"
					k.fail(f, "")
					return broken()
				}
				if to := outcome(e.name, l, r); to != "" && !slices.Contains(s.types(), to) {
					s.alts = append(s.alts, alt{typ: to})
				}
			}
		}
		if s.alts == nil {
			k.fail(e.whole(Mistyped, e.name+" has no meaning between "+a.shape.describe()+" and "+b.shape.describe()), "")
			return broken()
		}
	}
	k.oneEach(e, a, b)
	left, right := a.run(), b.run()
	return made(s, func(c *context, out []item) []item {
		x, y := left(c, c.get()), right(c, c.get())
		if len(x) > 0 && len(y) > 0 {
			l, ok1 := c.single(x, e.args[0])
			r, ok2 := c.single(y, e.args[1])
			if ok1 && ok2 && c.spend(4, e) {
				if it, ok := c.calculate(e, l, r); ok {
					c.sources(&it, x, y)
					out = append(out, it)
				}
			}
		}
		c.put(x)
		c.put(y)
		return out
	})
}

// calculate makes one value of two. Overflow and division by zero give nothing (FHIRPath N1, "Math").
func (c *context) calculate(e *expr, a, b *item) (item, bool) {
	s, t := a.system(), b.system()
	to := outcome(e.name, s, t)
	switch to {
	case "":
		c.fail(e, Mistyped, "the operator has no meaning between the types that stand here")
		return item{}, false
	case sysString:
		return c.text(e, a.text+b.text)
	case sysDate, sysDateTime, sysTime:
		return c.shift(e, a, b, to)
	case sysQuantity:
		return c.addQuantities(e, a, b)
	}
	x, ok1 := a.decimal()
	y, ok2 := b.decimal()
	if !ok1 || !ok2 {
		c.fail(e, Value, "a number of more than 64 digits, or an exponent as large, cannot be reckoned with")
		return item{}, false
	}
	d, ok := apply(e.name, x, y)
	return numberItem(d, to, ok)
}

func apply(op string, x, y decimal) (d decimal, ok bool) {
	ok = true
	switch op {
	case "+":
		d = x.add(y)
	case "-":
		d = x.add(y.neg())
	case "*":
		d = x.mul(y)
	case "/":
		d, ok = x.quotient(y)
	case "div":
		d, _, ok = x.divMod(y)
	case "mod":
		_, d, ok = x.divMod(y)
	}
	return d, ok
}

// numberItem makes an Integer or Decimal; nothing when it is too large for its type.
func numberItem(d decimal, typ string, ok bool) (item, bool) {
	if !ok || !d.fits() {
		return item{}, false
	}
	text := d.String()
	if len(text) > maxDigits { // what is longer could not be read again
		return item{}, false
	}
	if typ == sysInteger {
		_, ok = wholeNumber(text)
	}
	return item{typ: typ, text: text}, ok
}

func (c *context) addQuantities(e *expr, a, b *item) (item, bool) {
	x, ok1 := toQuantity(a)
	y, ok2 := toQuantity(b)
	if !ok1 || !ok2 {
		return item{}, false
	}
	if x.unit != y.unit {
		c.fail(e, Units, "the quantities have different units, which only UCUM's tables could add")
		return item{}, false
	}
	d, _ := apply(e.name, x.value, y.value)
	return item{typ: sysQuantity, text: quantity{d, x.unit}.String()}, d.fits()
}

// shift moves a date or time by a quantity of time. Units that the value is not exact enough for are converted down to its precision, and
// fractions of all but seconds are dropped (FHIRPath N1, "Date/Time Arithmetic").
func (c *context) shift(e *expr, a, b *item, typ string) (item, bool) {
	t, ok := a.temporal(typ)
	q, ok2 := b.quantity()
	if !ok || !ok2 {
		c.fail(e, Value, "what stands here as a date, time or quantity is none")
		return item{}, false
	}
	if e.name == "-" {
		q.value = q.value.neg()
	}
	unit := timeUnit(q.unit)
	if unit == "" {
		c.fail(e, Units, "a date is moved by calendar units (1 month, 2 weeks), or by UCUM's 'wk', 'd', 'h', 'min', 's' and 'ms'")
		return item{}, false
	}
	n := q.value.truncate().coef
	if !n.IsInt64() || n.CmpAbs(big.NewInt(400_000_000_000_000)) > 0 {
		return item{}, false
	}
	moved, ok := t.plus(n.Int64(), unit)
	if !ok || moved.at.Year() < 1 || moved.at.Year() > 9999 {
		return item{}, false
	}
	return item{typ: typ, text: moved.String()}, true
}

// timeUnit returns the calendar's word for a unit that a date can be moved by, or nothing.
func timeUnit(unit string) string {
	if len(unit) > 2 && unit[0] == '\'' {
		switch unit {
		case "'wk'":
			return "week"
		case "'d'":
			return "day"
		case "'h'":
			return "hour"
		case "'min'":
			return "minute"
		case "'s'":
			return "second"
		case "'ms'":
			return "millisecond"
		}
		return calendarUnit(unit[1 : len(unit)-1])
	}
	return calendarUnit(unit)
}

func (t temporal) plus(n int64, unit string) (temporal, bool) {
	switch unit {
	case "year", "month":
		if t.typ == sysTime {
			return t, false
		}
		if unit == "year" {
			n *= 12
		}
		return t.plusMonths(n), n < 1_000_000 && n > -1_000_000
	}
	millis, _ := unitSpan(unit)
	step := n * int64(millis/time.Millisecond)
	if step/max(int64(millis/time.Millisecond), 1) != n {
		return t, false
	}
	const day = int64(24 * time.Hour / time.Millisecond)
	switch {
	case t.typ == sysTime:
		t.at = t.at.Add(time.Duration(step%day) * time.Millisecond)
		t.at = time.Date(1, 1, 1, t.at.Hour(), t.at.Minute(), t.at.Second(), t.at.Nanosecond(), time.UTC)
	case t.prec == toYear:
		return t.plusMonths(step / day / 365 * 12), true
	case t.prec == toMonth:
		return t.plusMonths(step / day / 30), true
	case t.prec == toDay:
		t.at = t.at.AddDate(0, 0, int(step/day))
	default:
		t.at = t.at.AddDate(0, 0, int(step/day)).Add(time.Duration(step%day) * time.Millisecond)
		if unit == "millisecond" && t.prec == toSecond {
			t.fraction = max(t.fraction, 3)
		}
	}
	return t, true
}

// plusMonths moves by whole months and stays within the month that it reaches: 31 January plus a month is the last of February.
func (t temporal) plusMonths(n int64) temporal {
	if t.prec == toYear {
		n = n / 12 * 12
	}
	year, month, day := t.at.Date()
	first := time.Date(year, month+time.Month(n), 1, t.at.Hour(), t.at.Minute(), t.at.Second(), t.at.Nanosecond(), t.at.Location())
	last := first.AddDate(0, 1, -1).Day()
	t.at = first.AddDate(0, 0, min(day, last)-1)
	return t
}

// unary compiles the signs.
func (k *compiler) unary(e *expr) compiled {
	a := k.compile(e.args[0])
	k.accepts(e.args[0], a.shape, []string{sysInteger, sysDecimal, sysQuantity}, "behind "+e.name)
	if e.name == "+" {
		return a
	}
	src := a.run()
	s := a.shape
	s.many = false
	s.alts = slices.Clone(s.alts)
	for i := range s.alts {
		s.alts[i].typ = systemType(s.alts[i].typ)
	}
	return made(s, func(c *context, out []item) []item {
		x := src(c, c.get())
		if it, ok := c.single(x, e.args[0]); ok {
			if neg, ok := c.negative(e, it); ok {
				c.sources(&neg, x)
				out = append(out, neg)
			}
		}
		c.put(x)
		return out
	})
}

func (c *context) negative(e *expr, it *item) (item, bool) {
	switch s := it.system(); s {
	case sysInteger, sysDecimal:
		d, ok := it.decimal()
		if !ok {
			c.fail(e, Value, "a number of more than 64 digits, or an exponent as large, cannot be reckoned with")
			return item{}, false
		}
		return numberItem(d.neg(), s, true)
	case sysQuantity:
		q, ok := it.quantity()
		if !ok {
			return item{}, false
		}
		q.value = q.value.neg()
		return item{typ: s, text: q.String()}, true
	}
	c.fail(e, Mistyped, "a sign stands before a number or quantity only")
	return item{}, false
}
