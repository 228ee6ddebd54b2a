package mappings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/engine"
)

// Faults of a value, for errors.Is. They never hold the value.
var (
	errAbsent       = errors.New("the value is missing or empty")
	errMany         = errors.New("more than one value was found where one is accepted")
	errUnmapped     = errors.New("the code is not in the table")
	errUnmappedThen = errors.New("the code is in the table, but not on the day that counts")
	errNotInEnum    = errors.New("the value is not one of those declared")
	errNotInteger   = errors.New("the value is not a whole number")
	errNotNumber    = errors.New("the value is not a number")
	errNotBoolean   = errors.New("the value is not true or false")
	errNotTelephone = errors.New("a telephone number is 3 to 20 digits with an optional + before them")
	errNotODSCode   = errors.New("an ODS code is 3 to 10 capital letters and digits")
	errNotPlanType  = errors.New("the value is no plan type")
	errNotInstant   = errors.New("an instant is an RFC 3339 date and time with its zone")
)

// kind is the type of a value between source and target.
type kind string

const (
	kindText      kind = "text"
	kindNHSNumber kind = "nhsNumber"
	kindDate      kind = "date"
	kindInstant   kind = "instant"
	kindBoolean   kind = "boolean"
	kindTelephone kind = "telephone"
	kindODSCode   kind = "odsCode"
	kindPlanType  kind = "planType"
)

// value is what a rule hands to its target. The member that counts is the one of the rule's kind; every kind made of text uses text.
type value struct {
	text string
	nhs  engine.NHSNumber
	date engine.Date
	at   time.Time
	yes  bool
}

// conversion reads trimmed, non-empty text into a value.
type conversion struct {
	to   kind
	rule string // that a failure breaks
	read func(text string, into *value) error
}

func conversionNames() []string {
	return []string{string(kindText), string(kindNHSNumber), string(kindDate), string(kindInstant), string(kindBoolean),
		string(kindTelephone), string(kindODSCode), string(kindPlanType)}
}

// newConversion returns the conversion of that name; a date needs its layout.
func newConversion(k kind, layout engine.Layout) conversion {
	switch k {
	case kindNHSNumber:
		return conversion{k, engine.RuleNHSNumber, func(s string, v *value) (err error) { v.nhs, err = engine.ParseNHSNumber(s); return err }}
	case kindDate:
		return conversion{k, engine.RuleDate, func(s string, v *value) (err error) { v.date, err = layout.Parse(s); return err }}
	case kindInstant:
		return conversion{k, engine.RuleDate, readInstant}
	case kindBoolean:
		return conversion{k, engine.RuleType, readBoolean}
	case kindTelephone:
		return conversion{k, engine.RuleType, readTelephone}
	case kindODSCode:
		return conversion{k, engine.RuleType, readODSCode}
	case kindPlanType:
		return conversion{k, engine.RuleCode, readPlanType}
	}
	return conversion{to: kindText, read: func(s string, v *value) error { v.text = s; return nil }}
}

// readInstant takes FHIR's instant and dateTime with a time: RFC 3339, zone mandatory.
func readInstant(s string, v *value) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errNotInstant
	}
	v.at = t
	return nil
}

func readBoolean(s string, v *value) error {
	if s != "true" && s != "false" {
		return errNotBoolean
	}
	v.yes = s == "true"
	return nil
}

// readTelephone keeps digits and a leading plus; "tel:" before and spaces, hyphens, brackets between are left out.
func readTelephone(s string, v *value) error {
	s = strings.TrimPrefix(s, "tel:")
	var room [32]byte // enough for all that is accepted
	digits := room[:0]
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '+' && len(digits) == 0:
			digits = append(digits, c)
		case c == ' ', c == '-', c == '(', c == ')':
		default:
			return errNotTelephone
		}
	}
	n := len(digits)
	if n > 0 && digits[0] == '+' {
		n--
	}
	if n < 3 || n > 20 {
		return errNotTelephone
	}
	v.text = string(digits)
	return nil
}

// readODSCode checks the shape alone: whether the organisation exists is for the directory to say.
func readODSCode(s string, v *value) error {
	good := len(s) >= 3 && len(s) <= 10
	for i := 0; good && i < len(s); i++ {
		good = s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z'
	}
	if !good {
		return errNotODSCode
	}
	v.text = s
	return nil
}

func readPlanType(s string, v *value) error {
	if !engine.PlanType(s).Valid() {
		return errNotPlanType
	}
	v.text = s
	return nil
}

func isInteger(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil && s[0] != '+'
}

func isNumber(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != 'e' && c != 'E' && c != '+' {
			return false
		}
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// splitConversion reads "date(dd/MM/yyyy)" as its name and argument; offset is where the argument begins.
func splitConversion(s string) (name, argument string, offset int, err error) {
	open := strings.IndexByte(s, '(')
	if open < 0 {
		return s, "", 0, nil
	}
	if !strings.HasSuffix(s, ")") {
		return s, "", 0, fmt.Errorf("the bracket is not closed")
	}
	return s[:open], s[open+1 : len(s)-1], open + 1, nil
}
