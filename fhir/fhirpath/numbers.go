package fhirpath

// numbers are the functions of numbers whose outcome is exact.
func numbers() []scalar {
	numeric := []string{sysDecimal, sysQuantity}
	plain := []string{sysDecimal}
	whole := func(name string, f func(decimal) decimal) scalar {
		return scalar{name: name, in: plain, out: sysInteger, do: one(func(c *context, e *expr, it *item, _ []*item) (item, bool) {
			d, ok := c.number(e, it)
			if !ok {
				return item{}, false
			}
			return numberItem(f(d), sysInteger, true)
		})}
	}
	return []scalar{
		whole("ceiling", decimal.ceiling), whole("floor", decimal.floor), whole("truncate", decimal.truncate),
		{name: "abs", in: numeric, do: one(func(c *context, e *expr, it *item, _ []*item) (item, bool) {
			if q, ok := it.quantity(); ok && it.system() == sysQuantity {
				q.value.coef.Abs(q.value.coef)
				return item{typ: sysQuantity, text: q.String()}, true
			}
			d, ok := c.number(e, it)
			if !ok {
				return item{}, false
			}
			d.coef.Abs(d.coef)
			return numberItem(d, it.system(), true)
		})},
		{name: "round", in: plain, args: []string{sysInteger}, optional: 1, out: sysDecimal, do: one(func(c *context, e *expr, it *item, a []*item) (item, bool) {
			places := 0
			if len(a) == 1 {
				places, _ = a[0].integer()
			}
			if places < 0 || places > maxDigits {
				c.fail(e, Value, "round() takes 0 to 64 places")
				return item{}, false
			}
			d, ok := c.number(e, it)
			if !ok {
				return item{}, false
			}
			return numberItem(d.round(places), sysDecimal, true)
		})},
	}
}

// number reads a number, and fails where it is too long to be reckoned with.
func (c *context) number(e *expr, it *item) (decimal, bool) {
	d, ok := it.decimal()
	if !ok && isNumber(it.system()) {
		c.fail(e, Value, "a number of more than 64 digits, or an exponent as large, cannot be reckoned with")
	}
	return d, ok
}
