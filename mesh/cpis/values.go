package cpis

import (
	"encoding/base64"
	"strings"
	"time"
)

// valueKind is a simple type of the schema.
type valueKind uint8

const (
	valueString   valueKind = iota // st: one character at least
	valueExact                     // one of the allowed, white space and all
	valueToken                     // cs: white space around it does not count
	valueTokens                    // a list of cs, which may be empty
	valueTime                      // ts
	valueInteger                   // int
	valuePlanDate                  // TS.NHS.DateType1: yyyymmddhhmm
	valueTelecom                   // tel: and digits
	valueBase64
	valueUUID // in upper case
	valueASID // accredited system id: 12 digits
	valueOID  // numbers with points between them
	valueUID  // an OID, a UUID, or a name that HL7 reserves
)

// accepts says whether the schema takes the value.
func (r *attrRule) accepts(v string) bool {
	switch r.kind {
	case valueString:
		return v != ""
	case valueExact:
		return listed(r.allowed, v)
	case valueToken:
		v = trim(v)
		return !strings.ContainsAny(v, " \t\r\n") && (r.allowed == "" || listed(r.allowed, v))
	case valueTokens:
		for t := range strings.FieldsSeq(v) {
			if !listed(r.allowed, t) {
				return false
			}
		}
		return true
	case valueTime:
		return isTime(v)
	case valueInteger:
		v = trim(v)
		return allDigits(strings.TrimPrefix(strings.TrimPrefix(v, "+"), "-")) && !strings.HasPrefix(v, "+-")
	case valuePlanDate:
		return isPlanDate(v)
	case valueTelecom:
		return isTelecom(trim(v))
	case valueUUID:
		return isUUID(trim(v))
	case valueASID:
		return len(v) == 12 && allDigits(v)
	case valueOID:
		return isOID(trim(v))
	case valueUID:
		return isOID(trim(v)) || isUUID(trim(v)) || isReservedID(trim(v))
	}
	_, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
	return err == nil
}

// says describes the type for the supplier.
func (k valueKind) says() string {
	switch k {
	case valueTime:
		return "the value is not an HL7 time (yyyymmdd…, with an offset only after the hour)"
	case valueInteger:
		return "the value is not a whole number"
	case valuePlanDate:
		return "the value is not a date of 12 digits, yyyymmddhhmm"
	case valueTelecom:
		return "the value is not tel: followed by digits only"
	case valueString:
		return "the value is empty"
	case valueUUID:
		return "the value is not a UUID in upper case"
	case valueASID:
		return "the value is not a system id of 12 digits"
	case valueOID, valueUID:
		return "the value is not an object identifier: numbers with points between them"
	}
	return "the value is not one that is allowed here"
}

func isOID(v string) bool {
	for part := range strings.SplitSeq(v, ".") {
		if !allDigits(part) {
			return false
		}
	}
	return true
}

// isReservedID is the type ruid: a letter, then letters, digits and hyphens.
func isReservedID(v string) bool {
	return v != "" && (v[0]|0x20 >= 'a' && v[0]|0x20 <= 'z') && strings.Trim(v, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func listed(allowed, v string) bool {
	return v != "" && !strings.Contains(v, "|") && strings.Contains(allowed, "|"+v+"|")
}

func trim(v string) string { return strings.Trim(v, " \t\r\n") }

func allDigits(v string) bool {
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return v != ""
}

// isTelecom is the pattern tel:[+]{0,1}[0-9]*, but for a bare "tel:", which is
// no URI and so no value of the type either.
func isTelecom(v string) bool {
	rest, ok := strings.CutPrefix(v, "tel:")
	return ok && (rest == "+" || allDigits(strings.TrimPrefix(rest, "+")))
}

// isTime is the type ts: 1 to 8 digits, or 9 to 14 digits with an optional
// offset of 1 to 4 digits, or 14 digits with a fraction.
func isTime(v string) bool {
	n := 0
	for n < len(v) && v[n] >= '0' && v[n] <= '9' {
		n++
	}
	rest := v[n:]
	switch {
	case n == 0 || n > 14:
		return false
	case n <= 8:
		return rest == ""
	}
	if n == 14 && strings.HasPrefix(rest, ".") {
		m := 1
		for m < len(rest) && rest[m] >= '0' && rest[m] <= '9' {
			m++
		}
		if m == 1 {
			return false
		}
		rest = rest[m:]
	}
	if rest == "" {
		return true
	}
	return (rest[0] == '+' || rest[0] == '-') && len(rest) <= 5 && allDigits(rest[1:])
}

// isPlanDate is the pattern of TS.NHS.DateType1. It takes 31 February:
// isCalendar refuses that.
func isPlanDate(v string) bool {
	if len(v) != 12 || !allDigits(v) || v[:2] != "19" && v[:2] != "20" {
		return false
	}
	return within(v[4:6], "01", "12") && within(v[6:8], "01", "31") && within(v[8:10], "00", "23") && v[10:12] <= "59"
}

func within(v, low, high string) bool { return v >= low && v <= high }

// isCalendar says whether the digits of an HL7 time, whole or cut short after
// any of its parts, make a moment that exists.
func isCalendar(v string) bool {
	const layout = "20060102150405"
	n := 0
	for n < len(v) && v[n] >= '0' && v[n] <= '9' {
		n++
	}
	if n > len(layout) || n < 4 || n%2 != 0 {
		return false
	}
	_, err := time.Parse(layout[:n], v[:n])
	return err == nil
}
