package mappings

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"signalbox/engine"
)

// Function describes a function that expressions can call, or a conversion that rules can name after "as", for people and editors.
type Function struct {
	Name     string
	Usage    string // with its parameters and their types
	Meaning  string
	Examples []Example
}

// Example is an expression, or a text to convert, and what it makes. An empty Makes means that it fails.
type Example struct{ Of, Makes string }

// function is one Go function that expressions can call. This list is the way out of the language: what CEL cannot say is written here,
// with its types and its examples, which are its test. A function is pure: no clock, no I/O, no state.
type function struct {
	Function
	parameters []*cel.Type
	result     *cel.Type
	call       func(arguments []ref.Val) (ref.Val, error)
}

func functions() []function {
	return append(append(checkFunctions(), textFunctions()...), dateFunctions()...)
}

// Functions lists the functions that expressions can call besides CEL's own and its string functions.
func Functions() []Function {
	var out []Function
	for _, f := range functions() {
		out = append(out, f.Function)
	}
	return out
}

// library declares the functions to CEL. What a failing function says is ours and holds no datum.
func library() []cel.EnvOption {
	var out []cel.EnvOption
	for _, f := range functions() {
		id := strings.ReplaceAll(f.Name, ".", "_")
		out = append(out, cel.Function(f.Name, cel.Overload(id, f.parameters, f.result, cel.FunctionBinding(func(arguments ...ref.Val) ref.Val {
			v, err := f.call(arguments)
			if err != nil {
				return types.NewErr("%s: %s", f.Name, err)
			}
			return v
		}))))
	}
	return out
}

// ofText makes a function of one text.
func ofText(name, meaning string, result *cel.Type, call func(string) (ref.Val, error), examples ...Example) function {
	return function{
		Function:   Function{Name: name, Usage: name + "(text string) " + result.String(), Meaning: meaning, Examples: examples},
		parameters: []*cel.Type{cel.StringType}, result: result,
		call: func(a []ref.Val) (ref.Val, error) { return call(string(a[0].(types.String))) },
	}
}

func checkFunctions() []function {
	return []function{
		ofText("nhsNumber.valid", "Ten digits, also as 3-3-4, with the right check digit.", cel.BoolType, func(s string) (ref.Val, error) {
			_, err := engine.ParseNHSNumber(trim(s))
			return types.Bool(err == nil), nil
		}, Example{`nhsNumber.valid("999 000 0018")`, "true"}, Example{`nhsNumber.valid("9990000019")`, "false"}),
		ofText("odsCode.valid", "3 to 10 capital letters and digits: the shape alone, whether there is such an organisation is for the directory to say.", cel.BoolType,
			func(s string) (ref.Val, error) { return types.Bool(readODSCode(trim(s), &value{}) == nil), nil },
			Example{`odsCode.valid("TST01")`, "true"}, Example{`odsCode.valid("tst01")`, "false"}),
		ofText("telephone.valid", "3 to 20 digits with an optional + before them; tel:, spaces, hyphens and brackets do not count.", cel.BoolType,
			func(s string) (ref.Val, error) { return types.Bool(readTelephone(trim(s), &value{}) == nil), nil },
			Example{`telephone.valid("01632 960001")`, "true"}, Example{`telephone.valid("ask at the desk")`, "false"}),
		ofText("telephone.uri", "The number in the form of CP-IS: tel: and digits. Fails on what is no telephone number.", cel.StringType, func(s string) (ref.Val, error) {
			var v value
			if err := readTelephone(trim(s), &v); err != nil {
				return nil, err
			}
			return types.String("tel:" + v.text), nil
		}, Example{`telephone.uri("(01632) 960-001")`, "tel:01632960001"}, Example{`telephone.uri("none")`, ""}),
	}
}

func textFunctions() []function {
	return []function{
		ofText("text.trim", "Without white space at both ends.", cel.StringType, func(s string) (ref.Val, error) { return types.String(trim(s)), nil },
			Example{`text.trim("  Ada ")`, "Ada"}),
		ofText("text.collapse", "Every run of white space made one space, none at the ends.", cel.StringType,
			func(s string) (ref.Val, error) { return types.String(strings.Join(strings.Fields(s), " ")), nil },
			Example{`text.collapse(" ADA   JANE ")`, "ADA JANE"}),
		ofText("text.title", "The first letter of every word large and the others small; a word begins after a space, a hyphen or an apostrophe.", cel.StringType,
			func(s string) (ref.Val, error) { return types.String(title(s)), nil },
			Example{`text.title("ANNE-MARIE O'TEST")`, "Anne-Marie O'Test"}),
		ofText("text.plain", "Letters without their accents. For comparisons: a name is kept as it was sent.", cel.StringType, func(s string) (ref.Val, error) {
			plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
			return types.String(plain), err
		}, Example{`text.plain("Zoë Ångström")`, "Zoe Angstrom"}),
		ofText("text.digits", "The digits alone.", cel.StringType, func(s string) (ref.Val, error) {
			return types.String(strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, s)), nil
		}, Example{`text.digits("999-000-0018")`, "9990000018"}),
	}
}

func title(s string) string {
	begins := true
	return strings.Map(func(r rune) rune {
		out := unicode.ToLower(r)
		if begins {
			out = unicode.ToTitle(r)
		}
		begins = !unicode.IsLetter(r) && !unicode.IsDigit(r)
		return out
	}, s)
}

var errAgeOrder = errors.New("the day lies before the birth")

func dateFunctions() []function {
	text := func(v ref.Val) string { return trim(string(v.(types.String))) }
	return []function{
		{
			Function: Function{Name: "date.parse", Usage: "date.parse(text string, layout string) timestamp",
				Meaning:  "The day, at 00:00 UTC. Fails on what does not have the layout or is no day of the calendar.",
				Examples: []Example{{`string(date.parse("01/09/2026", "dd/MM/yyyy"))`, "2026-09-01T00:00:00Z"}, {`date.parse("31/02/2026", "dd/MM/yyyy")`, ""}}},
			parameters: []*cel.Type{cel.StringType, cel.StringType}, result: cel.TimestampType,
			call: func(a []ref.Val) (ref.Val, error) {
				layout, err := engine.NewLayout(text(a[1]))
				if err != nil {
					return nil, err
				}
				d, err := layout.Parse(text(a[0]))
				return types.Timestamp{Time: d.Time(time.UTC)}, err
			},
		},
		{
			Function: Function{Name: "date.instant", Usage: "date.instant(text string, layout string, zone string) timestamp",
				Meaning: "The point of time that the clocks of the zone showed. Fails in the hour that they skip, and in the one that they repeat.",
				Examples: []Example{{`string(date.instant("202610010200", "yyyyMMddHHmm", "Europe/London"))`, "2026-10-01T01:00:00Z"},
					{`date.instant("25/10/2026 01:30", "dd/MM/yyyy HH:mm", "Europe/London")`, ""}}},
			parameters: []*cel.Type{cel.StringType, cel.StringType, cel.StringType}, result: cel.TimestampType,
			call: func(a []ref.Val) (ref.Val, error) {
				layout, err := engine.NewLayout(text(a[1]))
				if err != nil {
					return nil, err
				}
				zone, err := time.LoadLocation(text(a[2]))
				if err != nil || text(a[2]) == "" || text(a[2]) == "Local" {
					return nil, errors.New("no such time zone")
				}
				t, err := layout.Instant(text(a[0]), zone)
				return types.Timestamp{Time: t.UTC()}, err
			},
		},
		{
			Function: Function{Name: "date.iso", Usage: "date.iso(day timestamp) string", Meaning: "The day as yyyy-MM-dd, in UTC.",
				Examples: []Example{{`date.iso(timestamp("2026-09-01T00:00:00Z"))`, "2026-09-01"}}},
			parameters: []*cel.Type{cel.TimestampType}, result: cel.StringType,
			call: func(a []ref.Val) (ref.Val, error) {
				return types.String(a[0].(types.Timestamp).UTC().Format(time.DateOnly)), nil
			},
		},
		{
			Function: Function{Name: "date.age", Usage: "date.age(born timestamp, on timestamp) int",
				Meaning: "Whole years on a day that the record names: there is no clock. Somebody born on 29 February is a year older on 1 March.",
				Examples: []Example{{`date.age(timestamp("2008-02-29T00:00:00Z"), timestamp("2026-02-28T00:00:00Z"))`, "17"},
					{`date.age(timestamp("2026-02-28T00:00:00Z"), timestamp("2008-02-29T00:00:00Z"))`, ""}}},
			parameters: []*cel.Type{cel.TimestampType, cel.TimestampType}, result: cel.IntType,
			call: func(a []ref.Val) (ref.Val, error) {
				born, on := a[0].(types.Timestamp).UTC(), a[1].(types.Timestamp).UTC()
				if on.Before(born) {
					return nil, errAgeOrder
				}
				years := on.Year() - born.Year()
				if on.Month() < born.Month() || on.Month() == born.Month() && on.Day() < born.Day() {
					years--
				}
				return types.Int(years), nil
			},
		},
	}
}

// Conversions lists what can stand after "as".
func Conversions() []Function {
	c := func(usage, meaning string, examples ...Example) Function {
		name, _, _, _ := splitConversion(usage)
		return Function{Name: name, Usage: usage, Meaning: meaning, Examples: examples}
	}
	return []Function{
		c("text", "Text, trimmed of white space as every value is.", Example{" Ada ", "Ada"}),
		c("nhsNumber", "Ten digits, also as 3-3-4, with the right check digit.", Example{"999 000 0018", "9990000018"}, Example{"9990000019", ""}),
		c("date(dd/MM/yyyy)", "A day in a layout of yyyy MM (or MMM: Mar) dd HH mm ss, or hl7, hl7ts, iso. A two-digit year does not compile.",
			Example{"01/09/2026", "2026-09-01"}, Example{"31/02/2026", ""}),
		c("instant", "RFC 3339 with its offset.", Example{"2026-10-01T02:00:00+01:00", "2026-10-01T02:00:00+01:00"}, Example{"2026-10-01T02:00:00", ""}),
		c("instant(yyyyMMddHHmm in Europe/London)", "A time of day in a zone. The hour that its clocks skip, and the one that they repeat, are faults. An offset "+
			"that was sent (hl7ts, iso) counts instead.", Example{"202610010200", "2026-10-01T02:00:00+01:00"}, Example{"202610250130", ""}),
		c("boolean", "true or false; anything else is for a table.", Example{"true", "true"}, Example{"Y", ""}),
		c("telephone", "3 to 20 digits with an optional + before them; tel:, spaces, hyphens and brackets are dropped.",
			Example{"tel:01632 960001", "01632960001"}, Example{"ask", ""}),
		c("odsCode", "3 to 10 capital letters and digits; only the shape is checked.", Example{"TST01", "TST01"}, Example{"t1", ""}),
		c("planType", "child-protection, looked-after or unborn-child-protection.", Example{"looked-after", "looked-after"}, Example{"LAC", ""}),
	}
}
