package mappings

import (
	"strings"
	"unicode/utf8"

	"signalbox/engine"
)

// trim takes white space off both ends. Every value is trimmed before anything looks at it.
func trim(s string) string {
	if s != "" && s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimSpace(s)
}

// pick returns the one value that was found, trimmed. Empty values count as absent; several values that are the same count as one. With
// first, the first of several is taken. The error is errAbsent or errMany; the place is then that of the first value, if there is one.
func pick(found []engine.Value, first bool) (text string, at engine.Place, err error) {
	for i := range found {
		s := trim(found[i].Text)
		switch {
		case s == "":
			if at == (engine.Place{}) {
				at = found[i].At
			}
		case text == "":
			text, at = s, found[i].At
			if first {
				return text, at, nil
			}
		case s != text:
			return "", at, errMany
		}
	}
	if text == "" {
		return "", at, errAbsent
	}
	return text, at, nil
}

// newFault makes a fault of one value. what is the target or the row's field; the sentence is the cause's and holds no datum.
func newFault(rule, what string, at engine.Place, cause error) *engine.Error {
	fault := &engine.Error{Op: "translate", Kind: engine.Invalid, Rule: rule, Place: at, Text: what, Err: cause}
	if rule == engine.RuleCode {
		fault.Kind = engine.Unmapped
	}
	return fault
}

// placed completes the place of a value that was not found: the record, and what was looked for.
func placed(at engine.Place, record engine.Record, path string) engine.Place {
	if at != (engine.Place{}) {
		return at
	}
	at = record.Place()
	at.Path = path
	return at
}
