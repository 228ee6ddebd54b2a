package oracle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// leaf is a primitive in the making: its JSON text and what the table says of it.
type leaf struct {
	typ, json string
	codes     []string
	targets   []string // of the reference that it stands in
}

// member and object keep the order of keys; a list is []any.
type member struct {
	key string
	val any
}

type object struct {
	typ     string
	members []*member
}

// field is one element of elements.txt.
type field struct {
	name           string
	types          []string
	codes, targets []string
	choice         bool
	list, required bool
}

// generator makes resources that R4 allows, from the element table alone. The same seed makes the same resources.
type generator struct {
	types     map[string][]field
	resources []string
	sets      map[string][]string
	rand      *rand.Rand
	ids       int
}

func newGenerator(t testing.TB, seed uint64) *generator {
	raw, err := os.ReadFile("../elements.txt")
	require.NoError(t, err)
	g := &generator{types: map[string][]field{}, sets: map[string][]string{}, rand: rand.New(rand.NewPCG(seed, 4))}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		name, rest, _ := strings.Cut(line, ":")
		switch line[0] {
		case '$':
		case '%':
			g.sets[name[1:]] = strings.Fields(rest)
		default:
			plain, resource := strings.CutPrefix(name, "@")
			if resource {
				g.resources = append(g.resources, plain)
			}
			for f := range strings.FieldsSeq(rest) {
				g.types[plain] = append(g.types[plain], g.field(f))
			}
		}
	}
	return g
}

func (g *generator) field(text string) field {
	var f field
	name, spec, _ := strings.Cut(text, "=")
	f.name, f.choice = strings.CutSuffix(name, "[x]")
	spec, f.required = strings.CutSuffix(spec, "!")
	spec, f.list = strings.CutSuffix(spec, "*")
	if at := strings.IndexByte(spec, '{'); at >= 0 {
		f.codes = strings.Split(strings.TrimSuffix(spec[at+1:], "}"), ",")
		if set, ok := strings.CutPrefix(f.codes[0], "%"); ok {
			f.codes = g.sets[set]
		}
		spec = spec[:at]
	}
	for typ := range strings.SplitSeq(spec, "|") {
		plain, targets, ok := strings.Cut(typ, "(")
		if ok {
			f.targets = strings.Split(strings.TrimSuffix(targets, ")"), ",")
		}
		f.types = append(f.types, plain)
	}
	return f
}

func pick[T any](g *generator, from []T) T { return from[g.rand.IntN(len(from))] }

func (g *generator) resource(typ string, depth int) *object {
	o := g.object(typ, depth, nil)
	o.members = append([]*member{{"resourceType", &leaf{typ: "type", json: strconv.Quote(typ)}}}, o.members...)
	return o
}

// object makes an object of a type: what is mandatory, and now and then what is not.
func (g *generator) object(typ string, depth int, targets []string) *object {
	o := &object{typ: typ}
	if typ == "Reference" {
		return g.reference(targets)
	}
	if typ == "Extension" {
		o.members = append(o.members, &member{"url", &leaf{typ: "uri", json: `"http://x.example/e"`}})
		if depth > 2 {
			o.members = append(o.members, &member{"valueString", &leaf{typ: "string", json: `"x"`}})
			return o
		}
		for _, f := range g.types[typ] {
			if f.choice {
				g.add(o, f, depth+2)
			}
		}
		return o
	}
	for _, f := range g.types[typ] {
		if f.required || g.wanted(f, typ, depth) {
			g.add(o, f, depth)
		}
	}
	if len(o.members) == 0 { // nothing was mandatory and nothing was drawn: the first element that is no id or extension
		for _, f := range g.types[typ] {
			if f.name != "id" && f.name != "extension" && f.name != "modifierExtension" && (!f.choice || f.types[0] != typ) {
				g.add(o, f, depth)
				break
			}
		}
	}
	return o
}

func (g *generator) wanted(f field, typ string, depth int) bool {
	if depth > 4 || f.name == "contained" && depth > 0 || f.types[0] == "Resource" && depth > 1 {
		return false
	}
	chance := []int{25, 15, 8, 4, 2}[depth]
	return g.rand.IntN(100) < chance
}

func (g *generator) add(o *object, f field, depth int) {
	typ := pick(g, f.types)
	key := f.name
	if f.choice {
		key += strings.ToUpper(typ[:1]) + typ[1:]
		if typ == "SimpleQuantity" || typ == "MoneyQuantity" {
			key = f.name + "Quantity"
		}
	}
	count := 1
	if f.list {
		count += g.rand.IntN(2)
	}
	var items, extras []any
	extended := false
	for range count {
		switch {
		case typ == "Resource":
			items = append(items, g.resource(pick(g, []string{"Basic", "Organization", "Observation", "Patient", "Device"}), depth+2))
		case typ[0] >= 'a':
			items = append(items, g.primitive(f, typ))
		default:
			items = append(items, g.object(typ, depth+1, f.targets))
		}
		if typ[0] >= 'a' && typ != "xhtml" && f.name != "id" && f.name != "url" && g.rand.IntN(20) == 0 {
			extras = append(extras, &object{typ: "Element", members: []*member{{"extension", []any{g.object("Extension", 3, nil)}}}})
			extended = true
		} else {
			extras = append(extras, &leaf{typ: "null", json: "null"})
		}
	}
	if !f.list {
		o.members = append(o.members, &member{key, items[0]})
		if extended {
			o.members = append(o.members, &member{"_" + key, extras[0]})
		}
		return
	}
	o.members = append(o.members, &member{key, items})
	if extended {
		o.members = append(o.members, &member{"_" + key, extras})
	}
}

func (g *generator) reference(targets []string) *object {
	o := &object{typ: "Reference"}
	if len(targets) == 0 {
		targets = []string{"Patient", "Organization", "Device"}
	}
	text := fmt.Sprintf("%s/r%d", pick(g, targets), g.rand.IntN(100))
	switch g.rand.IntN(4) {
	case 0:
		o.members = append(o.members, &member{"display", &leaf{typ: "string", json: `"somebody"`}})
		return o
	case 1:
		text = "urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"
	case 2:
		text = "https://fhir.testshire.example/R4/" + text
	}
	o.members = append(o.members, &member{"reference", &leaf{typ: "reference", json: strconv.Quote(text), targets: targets}})
	return o
}

func (g *generator) primitive(f field, typ string) *leaf {
	l := &leaf{typ: typ, codes: f.codes}
	if f.codes != nil {
		l.json = strconv.Quote(pick(g, f.codes))
		return l
	}
	samples := map[string][]string{
		"boolean": {"true", "false"}, "integer": {"0", "-5", "2147483647", "-2147483648"}, "positiveInt": {"1", "17"}, "unsignedInt": {"0", "9"},
		"decimal": {"1.50", "0", "-3", "1e3", "0.0000001", "12345678901234567.890"},
		"string":  {`"x"`, `"two words"`, `"tab\tfeed\n"`, `"snow ☃ and \ud83d\ude00"`}, "markdown": {`"*x*"`, `"a\n\nb"`},
		"code": {`"a-code"`}, "uri": {`"http://x.example/a"`, `"urn:oid:1.2.3"`, `"a/b"`}, "url": {`"https://x.example"`}, "canonical": {`"http://x.example/a|1"`},
		"oid": {`"urn:oid:2.16.840.1"`}, "uuid": {`"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"`}, "base64Binary": {`"YWJj"`, `"YQ=="`, `"YWI="`},
		"date": {`"2019"`, `"2019-06"`, `"2020-02-29"`}, "dateTime": {`"2019"`, `"2019-06"`, `"2019-06-03"`, `"2019-06-03T04:12:00Z"`, `"2019-06-03T04:12:00.123+01:00"`},
		"instant": {`"2019-06-03T04:12:00Z"`, `"2019-06-03T04:12:00.5-14:00"`}, "time": {`"04:12:00"`, `"23:59:59.5"`},
		"xhtml": {`"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div>"`},
	}
	if typ == "id" || f.name == "id" {
		g.ids++
		l.typ, l.json = "id", fmt.Sprintf(`"i%d"`, g.ids)
		return l
	}
	l.json = pick(g, samples[typ])
	return l
}

// text writes a value as JSON.
func text(v any) string {
	switch v := v.(type) {
	case *leaf:
		return v.json
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = text(x)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *object:
		parts := make([]string, len(v.members))
		for i, m := range v.members {
			parts[i] = strconv.Quote(m.key) + ":" + text(m.val)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return ""
}

// walk visits every object, and every leaf with a way to replace it.
func walk(v any, onObject func(*object), onLeaf func(*leaf)) {
	switch v := v.(type) {
	case *leaf:
		onLeaf(v)
	case []any:
		for _, x := range v {
			walk(x, onObject, onLeaf)
		}
	case *object:
		onObject(v)
		for _, m := range v.members {
			walk(m.val, onObject, onLeaf)
		}
	}
}

// places lists the objects and leaves of a document.
func places(v any) (objects []*object, leaves []*leaf) {
	walk(v, func(o *object) { objects = append(objects, o) }, func(l *leaf) {
		if l.typ != "null" && l.typ != "type" {
			leaves = append(leaves, l)
		}
	})
	return objects, leaves
}
