package fhir

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// stricter says where a matcher takes less than R4's regular expression, which R4's own text asks for.
var stricter = map[string]func(string) bool{
	"integer":      func(s string) bool { return len(s) > 9 || s == "-0" }, // 32 bits; JSON writes no -0 for unsigned ones
	"positiveInt":  func(s string) bool { return len(s) > 9 },
	"unsignedInt":  func(s string) bool { return len(s) > 9 },
	"string":       hasControl, // "SHALL NOT contain Unicode character points below 32, except for u0009, u000D and u000A"
	"markdown":     hasControl,
	"uri":          emptyOrControl,
	"url":          emptyOrControl,
	"canonical":    emptyOrControl,
	"base64Binary": func(s string) bool { return strings.Contains(s, "=") },    // padding stands at the end
	"date":         func(s string) bool { return strings.ContainsAny(s, "-") }, // the day has to exist
	"dateTime":     func(s string) bool { return strings.ContainsAny(s, "-") }, // likewise
	"instant":      func(s string) bool { return strings.ContainsAny(s, "-") }, // likewise
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0xfffe || r == 0xffff })
}

func emptyOrControl(s string) bool { return s == "" || hasControl(s) }

// TestMatchersAreR4sExpressions holds every matcher against the regular expression of the table, on texts that are near to values.
func TestMatchersAreR4sExpressions(t *testing.T) {
	for name, form := range r4().forms {
		p := primitives()[name]
		require.NotNil(t, p, name)
		whole := regexp.MustCompile(`^(?:` + form + `)$`)
		near := rapid.StringMatching(form)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			s := near.Draw(t, "text")
			if at := rapid.IntRange(0, len(s)).Draw(t, "at"); rapid.Bool().Draw(t, "damaged") {
				s = s[:at] + rapid.StringOfN(rapid.RuneFrom([]rune("0159-+.:TZ aé=/\t\v\n")), 0, 2, -1).Draw(t, "piece") + s[min(len(s), at+rapid.IntRange(0, 2).Draw(t, "cut")):]
			}
			got, want := p.ok(s), whole.MatchString(s)
			if got && !want {
				t.Fatalf("%q is taken and R4's expression does not match", s)
			}
			if want && !got && (stricter[name] == nil || !stricter[name](s)) {
				t.Fatalf("%q is refused and R4's expression matches", s)
			}
		}))
	}
}

func TestPrimitiveForms(t *testing.T) {
	tests := map[string]struct{ good, bad []string }{
		"date":         {[]string{"2019", "2020-02-29", "2000-02-29", "1900-12"}, []string{"2019-02-29", "1900-02-29", "2019-00", "2019-13", "2019-04-31", "0000", "19", "2019-", "2019-1-1", "2019-01-01T"}},
		"dateTime":     {[]string{"2016-12-31T23:59:60Z", "2019-06-03T00:00:00.000+14:00", "2019-06-03T00:00:00-00:00"}, []string{"2019-06-03T24:00:00Z", "2019-06-03T00:00:00", "2019-06-03T00:00Z", "2019-06-03T00:00:00+14:01", "2019-06-03T00:00:00.Z", "2019-06-03T00:00:00Zx", "2019-06-03t00:00:00z"}},
		"instant":      {[]string{"2019-06-03T00:00:00Z"}, []string{"2019", "2019-06", "2019-06-03"}},
		"time":         {[]string{"00:00:00", "23:59:60.123"}, []string{"24:00:00", "1:00:00", "00:00", "00:00:00Z", "00:00:00."}},
		"decimal":      {[]string{"0", "-0", "1.50", "1e-7", "-1.0E+3"}, []string{"", "-", ".5", "1.", "01", "1e", "1e+", "+1", "1x"}},
		"integer":      {[]string{"0", "-0", "2147483647", "-2147483648"}, []string{"2147483648", "-2147483649", "00", "1.0", "1e2", "--1", "99999999999999999999"}},
		"unsignedInt":  {[]string{"0", "7"}, []string{"-0", "-1", ""}},
		"positiveInt":  {[]string{"1"}, []string{"0", "-1"}},
		"base64Binary": {[]string{"YWJj", "YQ==", " YWJj\nYWJj ", "YWI="}, []string{"", "YW\nJj", "YQ", "YQ=", "Y===", "YQ==YWJj", "YW!j", "===="}},
		"code":         {[]string{"a", "a b"}, []string{" a", "a ", "a  b", "", "a\x01"}},
		"id":           {[]string{"A-1.b", strings.Repeat("a", 64)}, []string{"", "a_b", strings.Repeat("a", 65), "é"}},
		"oid":          {[]string{"urn:oid:1.2.3", "urn:oid:2.0"}, []string{"1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.", "urn:oid:1.02"}},
		"uuid":         {[]string{"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"}, []string{"0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", "urn:uuid:0B2A3F52-9C6E-4F0E-8A57-1F3F1F0E6B01", "urn:uuid:0b2a3f529c6e-4f0e-8a57-1f3f1f0e6b01-"}},
		"uri":          {[]string{"a", "urn:x", "é"}, []string{"", "a b", "a\n"}},
		"string":       {[]string{"x", "\t\r\n", "\U0001f600"}, []string{"", "\x00", "\x1f", "\uffff"}},
		"xhtml": {[]string{`<div xmlns="http://www.w3.org/1999/xhtml">x<br/></div>`, `<div xmlns="http://www.w3.org/1999/xhtml" lang="en"><a href="http://x">&#233;</a></div>`},
			[]string{"", "x", `<div>x</div>`, `<p xmlns="http://www.w3.org/1999/xhtml"/>`, `<div xmlns="http://www.w3.org/1999/xhtml">`, `<div xmlns="http://www.w3.org/1999/xhtml"/><div/>`,
				`<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>`, `<div xmlns="http://www.w3.org/1999/xhtml"><form/></div>`, `<div xmlns="http://www.w3.org/1999/xhtml"><p ONCLICK="x"/></div>`,
				`<div xmlns="http://www.w3.org/1999/xhtml"><a href=" javascript:x">x</a></div>`, `<div xmlns="http://www.w3.org/1999/xhtml">&nbsp;</div>`, `<div xmlns="http://www.w3.org/1999/xhtml"><x:p xmlns:x="http://y"/></div>`}},
	}
	for name, tt := range tests {
		for _, s := range tt.good {
			assert.True(t, primitives()[name].ok(s), "%s %q", name, s)
		}
		for _, s := range tt.bad {
			assert.False(t, primitives()[name].ok(s), "%s %q", name, s)
		}
	}
}
