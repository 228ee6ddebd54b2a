package oracle

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
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
		switch {
		case line[0] == '$':
		case line[0] == '%':
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

// mutation damages one document; it reports whether it found a place.
type mutation struct {
	name string
	do   func(g *generator, o *object) bool
}

// onLeaf replaces the text of one leaf of the types.
func onLeaf(name, json string, types ...string) mutation {
	return mutation{name, func(g *generator, o *object) bool {
		_, leaves := places(o)
		leaves = slices.DeleteFunc(leaves, func(l *leaf) bool { return !slices.Contains(types, l.typ) || l.codes != nil && json != "coded" })
		if len(leaves) == 0 {
			return false
		}
		pick(g, leaves).json = json
		return true
	}}
}

// onMember changes one member of one object.
func onMember(name string, do func(g *generator, o *object, m *member) bool) mutation {
	return mutation{name, func(g *generator, root *object) bool {
		type place struct {
			o *object
			m *member
		}
		var all []place
		objects, _ := places(root)
		for _, o := range objects {
			for _, m := range o.members {
				all = append(all, place{o, m})
			}
		}
		for start, i := g.rand.IntN(len(all)), 0; i < len(all); i++ {
			if at := all[(start+i)%len(all)]; do(g, at.o, at.m) {
				return true
			}
		}
		return false
	}}
}

func mutations() []mutation {
	extra := func(name, key, json string) mutation {
		return onMember(name, func(_ *generator, o *object, _ *member) bool {
			o.members = append(o.members, &member{key, &leaf{json: json}})
			return true
		})
	}
	all := []mutation{
		extra("unknown element", "favourite", `"x"`),
		extra("unknown element with an underscore", "_favourite", `{"id":"x"}`),
		extra("unknown object", "favourite", `{"a":[{"b":1}]}`),
		extra("resourceType in an object again", "ResourceType", `"Patient"`),
		onMember("key in the wrong case", func(_ *generator, _ *object, m *member) bool {
			m.key = strings.ToUpper(m.key[:1]) + m.key[1:]
			return m.key[0] != '_'
		}),
		onMember("a member left out", func(_ *generator, o *object, m *member) bool {
			o.members = slices.DeleteFunc(o.members, func(x *member) bool { return x == m })
			return true
		}),
		onMember("a member twice", func(_ *generator, o *object, m *member) bool {
			o.members = append(o.members, m)
			return true
		}),
		onMember("a list for one", func(_ *generator, _ *object, m *member) bool {
			if _, list := m.val.([]any); list || m.key == "resourceType" {
				return false
			}
			m.val = []any{m.val}
			return true
		}),
		onMember("one for a list", func(_ *generator, _ *object, m *member) bool {
			list, ok := m.val.([]any)
			if ok {
				m.val = list[0]
			}
			return ok
		}),
		onMember("a list in a list", func(_ *generator, _ *object, m *member) bool {
			list, ok := m.val.([]any)
			if ok {
				m.val = []any{list}
			}
			return ok
		}),
		onMember("lists of different length", func(_ *generator, o *object, m *member) bool {
			list, ok := m.val.([]any)
			if ok && m.key[0] == '_' {
				m.val = append(list, &leaf{json: "null"}, &object{members: []*member{{"id", &leaf{json: `"x"`}}}})
				return true
			}
			return false
		}),
		onMember("an extension of an object", func(_ *generator, o *object, m *member) bool {
			if _, is := m.val.(*object); !is || m.key[0] == '_' {
				return false
			}
			o.members = append(o.members, &member{"_" + m.key, &leaf{json: `{"id":"x"}`}})
			return true
		}),
		onMember("two types of a choice", func(_ *generator, o *object, m *member) bool {
			if !strings.HasPrefix(m.key, "value") || len(m.key) == 5 {
				return false
			}
			o.members = append(o.members, &member{"valueInteger", &leaf{json: "1"}}, &member{"valueBoolean", &leaf{json: "true"}})
			return true
		}),
		onMember("an extension with value and extensions", func(_ *generator, o *object, _ *member) bool {
			if o.typ != "Extension" {
				return false
			}
			o.members = append(o.members, &member{"extension", &leaf{json: `[{"url":"http://x.example/f","valueCode":"a"}]`}})
			return true
		}),
		onMember("an extension with neither", func(_ *generator, o *object, _ *member) bool {
			if o.typ != "Extension" {
				return false
			}
			o.members = o.members[:1]
			return true
		}),
		onMember("a contained resource that contains", func(_ *generator, o *object, m *member) bool {
			if m.key != "resourceType" {
				return false
			}
			o.members = append(o.members, &member{"contained", &leaf{json: `[{"resourceType":"Basic","code":{"text":"x"},"contained":[{"resourceType":"Basic","id":"y","code":{"text":"x"}}]}]`}})
			return true
		}),
		onMember("an unknown resource", func(_ *generator, _ *object, m *member) bool {
			if m.key != "resourceType" {
				return false
			}
			m.val = &leaf{json: `"Basik"`}
			return true
		}),
		{"two elements with one id", func(_ *generator, o *object) bool {
			o.members = append(o.members, &member{"text", &leaf{json: `{"id":"t","status":"generated","_status":{"id":"t"},"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}`}})
			return !slices.ContainsFunc(o.members[:len(o.members)-1], func(m *member) bool { return m.key == "text" })
		}},
		{"a code that is none", func(g *generator, o *object) bool { return coded(g, o, func(string) string { return "no-such-code" }) }},
		{"a code in capitals", func(g *generator, o *object) bool {
			return coded(g, o, func(s string) string {
				if up := strings.ToUpper(s); up != s {
					return up
				}
				return "X"
			})
		}},
		{"a reference to a wrong type", func(g *generator, o *object) bool { return redirect(g, o, "ValueSet/1") }},
		{"a reference to a wrong type elsewhere", func(g *generator, o *object) bool { return redirect(g, o, "https://x.example/R4/ValueSet/1") }},
		{"a reference to an id that is none", func(g *generator, o *object) bool { return redirect(g, o, "Patient/a_b!") }},
		{"a reference to a fragment that is not there", func(g *generator, o *object) bool { return redirect(g, o, "#nobody") }},
		{"a reference to no type", func(g *generator, o *object) bool { return redirect(g, o, "Patiens/1") }},
		{"a reference in words", func(g *generator, o *object) bool { return redirect(g, o, "the patient") }},
	}
	dates := []string{"date", "dateTime", "instant"}
	for _, d := range [][2]string{
		{"a day that is none", `"2019-02-30"`}, {"a month that is none", `"2019-13"`}, {"a date in another form", `"03/06/2019"`},
		{"the year 0", `"0000"`}, {"a date without zeros", `"2019-6-3"`}, {"no zone", `"2019-06-03T04:12:00"`},
		{"no seconds", `"2019-06-03T04:12Z"`}, {"hour 24", `"2019-06-03T24:00:00Z"`}, {"a leap second", `"2016-12-31T23:59:60Z"`},
		{"a zone that is none", `"2019-06-03T04:12:00+15:00"`}, {"small letters", `"2019-06-03t04:12:00z"`},
		{"a blank for T", `"2019-06-03 04:12:00Z"`}, {"a blank before", `" 2019"`}, {"many decimals", `"2019-06-03T04:12:00.1234567890123Z"`},
		{"no hyphens", `"20190603"`}, {"a full stop and no decimals", `"2019-06-03T04:12:00.Z"`},
	} {
		all = append(all, onLeaf(d[0], d[1], dates...))
	}
	for _, l := range []struct {
		name, json string
		types      []string
	}{
		{"null", "null", []string{"string", "code", "date", "boolean", "uri", "id", "decimal"}}, {"an empty string", `""`, []string{"string", "code", "uri", "markdown", "id", "date"}},
		{"an object for a string", `{}`, []string{"string", "uri", "boolean"}}, {"an empty list", `[]`, []string{"string", "boolean", "dateTime"}}, {"a number for a string", `1`, []string{"string", "code", "uri", "date"}},
		{"a boolean for a string", `true`, []string{"string", "id"}}, {"a string for a boolean", `"true"`, []string{"boolean"}}, {"a number for a boolean", `1`, []string{"boolean"}},
		{"a string for a number", `"1"`, []string{"integer", "decimal", "positiveInt", "unsignedInt"}}, {"a fraction", `1.5`, []string{"integer", "positiveInt", "unsignedInt"}},
		{"a fraction of nothing", `1.0`, []string{"integer", "positiveInt", "unsignedInt"}}, {"an exponent", `1e2`, []string{"integer", "positiveInt", "unsignedInt"}}, {"minus nothing", `-0`, []string{"integer", "positiveInt", "unsignedInt"}},
		{"over 32 bits", `2147483648`, []string{"integer", "positiveInt", "unsignedInt"}}, {"zero", `0`, []string{"positiveInt"}}, {"below zero", `-1`, []string{"positiveInt", "unsignedInt"}},
		{"a leading zero", `01`, []string{"integer", "decimal"}}, {"a plus", `+1`, []string{"integer", "decimal"}}, {"not a number", `NaN`, []string{"decimal"}}, {"a huge exponent", `1e999`, []string{"decimal"}},
		{"a long decimal", `1.` + strings.Repeat("1", 60), []string{"decimal"}},
		{"a control character", `"a\u0001b"`, []string{"string", "markdown", "code"}}, {"a blank string", `"  "`, []string{"string", "markdown"}}, {"a nul", `"a\u0000b"`, []string{"string"}},
		{"half a surrogate", `"a\ud800b"`, []string{"string"}}, {"bytes that are not UTF-8", "\"a\xff\"", []string{"string", "markdown"}}, {"not a character of XML", `"a\uffff"`, []string{"string", "uri"}},
		{"a raw line feed", "\"a\nb\"", []string{"string"}}, {"a bad escape", `"a\xb"`, []string{"string"}}, {"a vertical tab", `"a\u000bb"`, []string{"string", "code"}},
		{"a blank in a URI", `"http://x.example/a b"`, []string{"uri", "url", "canonical"}}, {"a blank before a code", `" a"`, []string{"code"}}, {"two blanks in a code", `"a  b"`, []string{"code"}},
		{"a tab in a code", `"a\tb"`, []string{"code"}}, {"a no-break space in a code", `"a\u00a0 b"`, []string{"code"}},
		{"an id with an underscore", `"a_b"`, []string{"id"}}, {"a long id", `"` + strings.Repeat("a", 65) + `"`, []string{"id"}}, {"an OID that is none", `"urn:oid:3.1"`, []string{"oid"}}, {"an OID with a zero", `"urn:oid:1.02"`, []string{"oid"}},
		{"a UUID in capitals", `"urn:uuid:0B2A3F52-9C6E-4F0E-8A57-1F3F1F0E6B01"`, []string{"uuid"}}, {"base64 that is none", `"YW!j"`, []string{"base64Binary"}}, {"base64 without padding", `"YQ"`, []string{"base64Binary"}},
		{"base64 with blanks", `"YW Jj"`, []string{"base64Binary"}}, {"base64 with lines", `"YWJj\nYWJj"`, []string{"base64Binary"}}, {"base64 with early padding", `"YQ==YWJj"`, []string{"base64Binary"}}, {"base64 for URLs", `"_-8="`, []string{"base64Binary"}},
		{"time without seconds", `"04:12"`, []string{"time"}}, {"hour 24", `"24:00:00"`, []string{"time"}}, {"time with a zone", `"04:12:00Z"`, []string{"time"}}, {"a leap second", `"23:59:60"`, []string{"time"}},
		{"a narrative that is open", `"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</div>"`, []string{"xhtml"}}, {"a narrative with a script", `"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"`, []string{"xhtml"}},
		{"a narrative in words", `"x"`, []string{"xhtml"}}, {"a narrative with an entity", `"<div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div>"`, []string{"xhtml"}},
		{"an element that runs a script", `"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p onclick=\"x\">x</p></div>"`, []string{"xhtml"}},
	} {
		all = append(all, onLeaf(l.name, l.json, l.types...))
	}
	return all
}

func coded(g *generator, o *object, change func(string) string) bool {
	_, leaves := places(o)
	leaves = slices.DeleteFunc(leaves, func(l *leaf) bool { return l.codes == nil || l.typ != "code" })
	if len(leaves) == 0 {
		return false
	}
	l := pick(g, leaves)
	l.json = strconv.Quote(change(strings.Trim(l.json, `"`)))
	return true
}

func redirect(g *generator, o *object, to string) bool {
	_, leaves := places(o)
	leaves = slices.DeleteFunc(leaves, func(l *leaf) bool { return l.typ != "reference" || slices.Contains(l.targets, "ValueSet") })
	if len(leaves) == 0 {
		return false
	}
	pick(g, leaves).json = strconv.Quote(to)
	return true
}

// around damages a document's bytes.
func around() map[string]func(string) string {
	return map[string]func(string) string{
		"trailing bytes":       func(s string) string { return s + "x" },
		"a second document":    func(s string) string { return s + s },
		"cut short":            func(s string) string { return s[:len(s)-1] },
		"cut in the middle":    func(s string) string { return s[:len(s)/2] },
		"a byte order mark":    func(s string) string { return "\xef\xbb\xbf" + s },
		"a comment":            func(s string) string { return "/* x */" + s },
		"a comma too many":     func(s string) string { return s[:len(s)-1] + ",}" },
		"single quotes":        func(s string) string { return strings.Replace(s, `"resourceType"`, `'resourceType'`, 1) },
		"white space":          func(s string) string { return " \r\n\t" + strings.ReplaceAll(s, `,"`, " ,\n \"") + "\n " },
		"a form feed":          func(s string) string { return "\f" + s },
		"in a list":            func(s string) string { return "[" + s + "]" },
		"an escape in the key": func(s string) string { return strings.Replace(s, `"resourceType"`, `"resourc\u0065Type"`, 1) },
	}
}
