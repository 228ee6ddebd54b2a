package fhir

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// primitive is how the values of a primitive type are written. The matchers are written out because regular expressions are too slow here;
// a test holds each against R4's own expression from the table and lists where it is stricter.
type primitive struct {
	kind Kind
	ok   func(string) bool
	says string // the rule, for the sender
}

// primitives lists R4's primitive types (FHIR R4, "Data Types", primitive types).
var primitives = sync.OnceValue(func() map[string]*primitive {
	text := func(ok func(string) bool, says string) *primitive { return &primitive{String, ok, says} }
	number := func(ok func(string) bool, says string) *primitive { return &primitive{Number, ok, says} }
	address := text(formURI, "a URI without white space stands here")
	words := text(formText, "text without control characters stands here")
	return map[string]*primitive{
		"boolean":      {Bool, func(s string) bool { return s == "true" || s == "false" }, "true or false stands here"},
		"integer":      number(func(s string) bool { return formInteger(s, math.MinInt32) }, "a whole number of 32 bits stands here"),
		"unsignedInt":  number(func(s string) bool { return formInteger(s, 0) }, "a whole number from 0 to 2147483647 stands here"),
		"positiveInt":  number(func(s string) bool { return formInteger(s, 1) }, "a whole number from 1 to 2147483647 stands here"),
		"decimal":      number(formDecimal, "a decimal number stands here"),
		"string":       words,
		"markdown":     words,
		typeXHTML:      text(formXHTML, "a well-formed XHTML div with R4's elements for narratives stands here"),
		"code":         text(formCode, "a code stands here: words with one space between them"),
		"id":           text(formID, "an id stands here: 1 to 64 letters, digits, hyphens and full stops"),
		"uri":          address,
		"url":          address,
		"canonical":    address,
		"oid":          text(formOID, "urn:oid: and an OID stand here"),
		"uuid":         text(formUUID, "urn:uuid: and a UUID in small letters stand here"),
		"base64Binary": text(formBase64, "base64 stands here"),
		"date":         text(func(s string) bool { return formDateTime(s, true, false) }, "a date that exists stands here: YYYY, YYYY-MM or YYYY-MM-DD"),
		"dateTime":     text(func(s string) bool { return formDateTime(s, true, true) }, "a date stands here: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz"),
		"instant":      text(func(s string) bool { return formDateTime(s, false, true) }, "an instant stands here: YYYY-MM-DDThh:mm:ss+zz:zz"),
		"time":         text(formTime, "a time stands here: hh:mm:ss"),
	}
})

func numeral(c byte) bool { return c >= '0' && c <= '9' }

func latin(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// leadingNumber returns the value of the first n bytes, or -1 where they are not n digits.
func leadingNumber(s string, n int) int {
	if len(s) < n {
		return -1
	}
	v := 0
	for i := range n {
		if !numeral(s[i]) {
			return -1
		}
		v = v*10 + int(s[i]-'0')
	}
	return v
}

// formInteger takes what JSON and R4 both allow: no plus, no leading zeros, and 32 bits.
func formInteger(s string, least int64) bool {
	body := strings.TrimPrefix(s, "-")
	if body == "" || len(body) > 1 && body[0] == '0' || !numeral(body[0]) {
		return false
	}
	v, err := strconv.ParseInt(s, 10, 32)
	return err == nil && v >= least && s != "-0" || s == "-0" && least < 0
}

// formDecimal is the grammar of a JSON number, which is R4's.
func formDecimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := numerals(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		n := numerals(fraction)
		if n == 0 {
			return false
		}
		s = fraction[n:]
	}
	if s == "" {
		return true
	}
	if s[0]|0x20 != 'e' {
		return false
	}
	if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && numerals(s) == len(s)
}

func numerals(s string) int {
	for i := range len(s) {
		if !numeral(s[i]) {
			return i
		}
	}
	return len(s)
}

// formText refuses the characters below 32 that FHIR does not allow in a string (FHIR R4, "string"), and those that XML cannot write.
func formText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xef && unwritable(s[i:]) {
			return false
		}
	}
	return s != ""
}

// unwritable reports U+FFFE and U+FFFF, which XML 1.0 does not have.
func unwritable(s string) bool { return len(s) > 2 && s[1] == 0xbf && s[2] >= 0xbe }

func formCode(s string) bool {
	if !formText(s) || blank(s[0]) || blank(s[len(s)-1]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if blank(s[i]) && blank(s[i-1]) {
			return false
		}
	}
	return true
}

// blank is white space as the expressions of R4 mean it: \s.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' }

func formURI(s string) bool {
	for i := range len(s) {
		if blank(s[i]) {
			return false
		}
	}
	return formText(s)
}

func formID(s string) bool {
	for i := range len(s) {
		if c := s[i]; !numeral(c) && !latin(c) && c != '-' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func formOID(s string) bool {
	arcs, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(arcs) < 3 || arcs[0] < '0' || arcs[0] > '2' || arcs[1] != '.' {
		return false
	}
	for arc := range strings.SplitSeq(arcs[2:], ".") {
		if arc == "" || numerals(arc) != len(arc) || len(arc) > 1 && arc[0] == '0' {
			return false
		}
	}
	return true
}

func formUUID(s string) bool {
	id, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(id) != 36 {
		return false
	}
	for i := range len(id) {
		switch hyphen := i == 8 || i == 13 || i == 18 || i == 23; {
		case hyphen && id[i] != '-':
			return false
		case !hyphen && !numeral(id[i]) && (id[i] < 'a' || id[i] > 'f'):
			return false
		}
	}
	return true
}

// formBase64 takes white space between groups of four, as R4's expression does, and asks for whole groups with their padding at the end.
func formBase64(s string) bool {
	count, padding := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case blank(c) && count%4 == 0:
			continue
		case c == '=':
			padding++
		case padding > 0, !numeral(c) && !latin(c) && c != '+' && c != '/':
			return false
		}
		count++
	}
	return count > 0 && count%4 == 0 && padding <= 2
}

// formDateTime reads YYYY, YYYY-MM, YYYY-MM-DD and YYYY-MM-DDThh:mm:ss with a zone: the first three where partial, the last where timed.
func formDateTime(s string, partial, timed bool) bool {
	year := leadingNumber(s, 4)
	if year <= 0 {
		return false
	}
	if len(s) == 4 {
		return partial
	}
	if len(s) < 7 || s[4] != '-' {
		return false
	}
	month := leadingNumber(s[5:], 2)
	if month < 1 || month > 12 {
		return false
	}
	if len(s) == 7 {
		return partial
	}
	if len(s) < 10 || s[7] != '-' {
		return false
	}
	if day := leadingNumber(s[8:], 2); day < 1 || day > daysOf(year, month) {
		return false
	}
	if len(s) == 10 {
		return partial
	}
	return timed && s[10] == 'T' && formZoned(s[11:])
}

func daysOf(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// formZoned is a time with its zone: Z, or an offset up to 14:00.
func formZoned(s string) bool {
	if clock, ok := strings.CutSuffix(s, "Z"); ok {
		return formTime(clock)
	}
	if len(s) < 6 {
		return false
	}
	zone := s[len(s)-6:]
	hours, minutes := leadingNumber(zone[1:], 2), leadingNumber(zone[4:], 2)
	good := (zone[0] == '+' || zone[0] == '-') && zone[3] == ':' && minutes >= 0 && minutes <= 59 && hours >= 0
	return good && (hours <= 13 || hours == 14 && minutes == 0) && formTime(s[:len(s)-6])
}

// formTime is hh:mm:ss with an optional fraction. R4 allows a leap second.
func formTime(s string) bool {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return false
	}
	hours, minutes, seconds := leadingNumber(s, 2), leadingNumber(s[3:], 2), leadingNumber(s[6:], 2)
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 60 {
		return false
	}
	rest := s[8:]
	return rest == "" || rest[0] == '.' && len(rest) > 1 && numerals(rest[1:]) == len(rest)-1
}
