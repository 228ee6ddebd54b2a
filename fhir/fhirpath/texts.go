package fhirpath

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// texts are the functions of text. Places are counted in characters from 0.
func texts() []scalar {
	str := []string{sysString}
	test := func(name string, f func(s, t string) bool) scalar {
		return scalar{name: name, in: str, args: str, out: sysBoolean, total: true,
			do: one(func(_ *context, _ *expr, it *item, a []*item) (item, bool) {
				return truthItem(f(it.text, a[0].text)), true
			})}
	}
	change := func(name string, f func(s string) string) scalar {
		return scalar{name: name, in: str, out: sysString, total: true,
			do: one(func(c *context, e *expr, it *item, _ []*item) (item, bool) { return c.text(e, f(it.text)) })}
	}
	find := func(name string, f func(s, t string) int) scalar {
		return scalar{name: name, in: str, args: str, out: sysInteger, total: true,
			do: one(func(_ *context, _ *expr, it *item, a []*item) (item, bool) {
				at := f(it.text, a[0].text)
				if at > 0 {
					at = utf8.RuneCountInString(it.text[:at])
				}
				return integerItem(at), true
			})}
	}
	return []scalar{
		test("startsWith", strings.HasPrefix), test("endsWith", strings.HasSuffix), test("contains", strings.Contains),
		change("upper", strings.ToUpper), change("lower", strings.ToLower), change("trim", strings.TrimSpace),
		find("indexOf", strings.Index), find("lastIndexOf", strings.LastIndex),
		{name: "length", in: str, out: sysInteger, total: true, do: one(func(_ *context, _ *expr, it *item, _ []*item) (item, bool) {
			return integerItem(utf8.RuneCountInString(it.text)), true
		})},
		{name: "substring", in: str, args: []string{sysInteger, sysInteger}, optional: 1, out: sysString, do: one(substring)},
		{name: "replace", in: str, args: []string{sysString, sysString}, out: sysString, total: true, do: one(replace)},
		{name: "matches", in: str, args: str, out: sysBoolean, total: true, do: one(matches("(?s)", ""))},
		{name: "matchesFull", in: str, args: str, out: sysBoolean, total: true, do: one(matches(`(?s)\A(?:`, `)\z`))},
		{name: "replaceMatches", in: str, args: []string{sysString, sysString}, out: sysString, total: true, do: one(replaceMatches)},
		{name: "toChars", in: str, out: sysString, many: true, do: func(c *context, e *expr, it *item, _ []*item, out []item) []item {
			for _, r := range it.text {
				if !c.spend(1, e) {
					break
				}
				out = append(out, stringItem(string(r)))
			}
			return out
		}},
		{name: "split", in: str, args: str, out: sysString, many: true, do: func(c *context, e *expr, it *item, a []*item, out []item) []item {
			if !c.spend(strings.Count(it.text, a[0].text), e) {
				return out
			}
			for part := range strings.SplitSeq(it.text, a[0].text) {
				out = append(out, stringItem(part))
			}
			return out
		}},
	}
}

func substring(_ *context, _ *expr, it *item, a []*item) (item, bool) {
	from, ok := a[0].integer()
	runes := []rune(it.text)
	if !ok || from < 0 || from >= len(runes) {
		return item{}, false
	}
	to := len(runes)
	if len(a) == 2 {
		n, ok := a[1].integer()
		if !ok || n < 0 {
			return stringItem(""), ok
		}
		to = min(to, from+n)
	}
	return stringItem(string(runes[from:to])), true
}

func replace(c *context, e *expr, it *item, a []*item) (item, bool) {
	n := strings.Count(it.text, a[0].text)
	if len(it.text)+n*max(0, len(a[1].text)-len(a[0].text)) > maxText {
		return c.text(e, strings.Repeat(" ", maxText+1))
	}
	return c.text(e, strings.ReplaceAll(it.text, a[0].text, a[1].text))
}

// pattern compiles a regular expression of Go's linear-time kind. What that kind has not (look-around, back-references) is a fault.
func pattern(c *context, e *expr, text string) (*regexp.Regexp, bool) {
	if len(text) > 1024 {
		c.fail(e, Value, "the regular expression is over 1024 bytes")
		return nil, false
	}
	re, err := regexp.Compile(text)
	if err != nil {
		c.fail(e, Unsupported, "the regular expression is refused: look-around and back-references are left out, because they have no bound in time")
	}
	return re, err == nil && c.spend(64+len(text), e)
}

func matches(before, after string) func(*context, *expr, *item, []*item) (item, bool) {
	return func(c *context, e *expr, it *item, a []*item) (item, bool) {
		re, ok := pattern(c, e, before+a[0].text+after)
		if !ok || !c.spend(len(it.text), e) {
			return item{}, false
		}
		return truthItem(re.MatchString(it.text)), true
	}
}

// replaceMatches replaces each match; $1 and ${name} in the substitution stand for groups. An empty pattern changes nothing.
func replaceMatches(c *context, e *expr, it *item, a []*item) (item, bool) {
	if a[0].text == "" {
		return stringItem(it.text), true
	}
	re, ok := pattern(c, e, "(?s)"+a[0].text)
	if !ok || !c.spend(len(it.text)*(1+len(a[1].text)/16), e) {
		return item{}, false
	}
	if n := len(re.FindAllStringIndex(it.text, -1)); n*(len(a[1].text)+strings.Count(a[1].text, "$")*len(it.text)) > maxText {
		return c.text(e, strings.Repeat(" ", maxText+1))
	}
	return c.text(e, re.ReplaceAllString(it.text, a[1].text))
}

// encodings are encode, decode, escape and unescape, of base64, urlbase64, hex, html and json.
func encodings() []scalar {
	made := func(name string, f func(s, form string) (string, bool)) scalar {
		return scalar{name: name, in: []string{sysString}, args: []string{sysString}, out: sysString,
			do: one(func(c *context, e *expr, it *item, a []*item) (item, bool) {
				s, ok := f(it.text, a[0].text)
				if !ok || !utf8.ValidString(s) {
					return item{}, false
				}
				return c.text(e, s)
			})}
	}
	return []scalar{made("encode", encode), made("decode", decode), made("escape", escape), made("unescape", unescapeText)}
}

func encode(s, form string) (string, bool) {
	switch form {
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(s)), true
	case "urlbase64":
		return base64.URLEncoding.EncodeToString([]byte(s)), true
	case "hex":
		return hex.EncodeToString([]byte(s)), true
	}
	return "", false
}

func decode(s, form string) (string, bool) {
	var out []byte
	var err error
	switch form {
	case "base64":
		out, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		out, err = base64.URLEncoding.DecodeString(s)
	case "hex":
		out, err = hex.DecodeString(s)
	default:
		return "", false
	}
	return string(out), err == nil
}

func escape(s, form string) (string, bool) {
	switch form {
	case "html":
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s), true
	case "json":
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			return "", false
		}
		quoted := strings.TrimSuffix(b.String(), "\n")
		return quoted[1 : len(quoted)-1], true
	}
	return "", false
}

func unescapeText(s, form string) (string, bool) {
	switch form {
	case "html":
		return html.UnescapeString(s), true
	case "json":
		return unescapeJSON(s)
	}
	return "", false
}

// unescapeJSON reads JSON's escapes; quotes may stand bare.
func unescapeJSON(s string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "\\")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		text, size := unescape(rest)
		switch {
		case strings.HasPrefix(rest, "b"):
			text, size = "\b", 1
		case size == 0, rest[0] == '\'', rest[0] == '`':
			return "", false
		}
		b.WriteString(text)
		s = rest[size:]
	}
}
