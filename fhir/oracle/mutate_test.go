package oracle

import (
	"slices"
	"strconv"
	"strings"
)

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
