package fhirpath

import (
	"slices"
	"strings"
)

// conversions are the functions of text that take a collection.
func conversions() map[string]function {
	return map[string]function{"join": {0, 1, (*compiler).join}}
}

// join puts texts together, with a separator between them.
func (k *compiler) join(e *expr, on compiled) compiled {
	if systems, known := on.shape.systems(); known && !on.shape.none && !slices.Contains(systems, sysString) {
		k.fail(e.fault(Mistyped, "join() stands behind texts, not "+on.shape.describe()), "")
		return broken()
	}
	separator := constant("").run()
	if len(e.args) == 1 {
		separator = k.argument(e.args[0], sysString).run()
	}
	return collection(of(sysString, 0), on, func(c *context, in, out []item) []item {
		sep := separator(c, c.get())
		defer c.put(sep)
		between, ok := c.single(sep, e)
		if !ok || len(in) == 0 {
			return out
		}
		var b strings.Builder
		for i := range in {
			if in[i].system() != sysString {
				if in[i].hasValue() || systemType(in[i].typ) == "" {
					c.fail(e, Mistyped, "something that is no text stands before join(): use select(toString())")
					return out
				}
				continue
			}
			if b.Len() > 0 || i > 0 {
				b.WriteString(between.text)
			}
			b.WriteString(in[i].text)
			if b.Len() > maxText || !c.spend(1, e) {
				break
			}
		}
		if it, ok := c.text(e, b.String()); ok {
			c.sources(&it, in, sep)
			out = append(out, it)
		}
		return out
	})
}

// instants are today(), now() and timeOfDay(). They need an instant that the caller gives: nothing here reads a clock.
func instants() map[string]function {
	return map[string]function{
		"today":     {0, 0, moment(sysDate, "2006-01-02")},
		"now":       {0, 0, moment(sysDateTime, "2006-01-02T15:04:05.000Z07:00")},
		"timeOfDay": {0, 0, moment(sysTime, "15:04:05.000")},
	}
}

func moment(typ, layout string) func(*compiler, *expr, compiled) compiled {
	return func(k *compiler, e *expr, _ compiled) compiled {
		if !k.clock {
			f := e.fault(Unsupported, e.name+"() is not supported here: the same document must give the same values on every day")
			f.Name = e.name + "()"
			k.fail(f, "")
			return broken()
		}
		return made(of(typ, 1), func(c *context, out []item) []item {
			if c.now.IsZero() {
				c.fail(e, Value, e.name+"() needs the instant that EvalAt gives")
				return out
			}
			return append(out, item{typ: typ, text: c.now.Format(layout)})
		})
	}
}
