package draft

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/engine"
)

// hint is what speaks for a column being a target: the kind of its values, and words of its name.
type hint struct {
	target string
	fits   func(*column) bool
	words  map[string]int // weight; a negative one speaks against
	need   int            // weight that the name must have; 0: the values alone are enough
}

func either(weight int, names ...string) map[string]int {
	out := map[string]int{}
	for _, n := range names {
		out[n] = weight
	}
	return out
}

func with(a map[string]int, weight int, names ...string) map[string]int {
	for _, n := range names {
		a[n] = weight
	}
	return a
}

// hints lists what is known of the columns that suppliers send. It decides nothing that the values contradict.
func hints(emit engine.Kind) []hint {
	subject := []hint{
		{"subject.nhsNumber", (*column).isNHSNumber, with(either(2, "nhs"), 1, "number", "no", "num", "mother"), 0},
		{"subject.birthDate", (*column).isDate, either(2, "dob", "birth", "born", "birthdate", "dateofbirth"), 2},
		{"subject.given", (*column).isText, with(with(either(2, "forename", "given", "firstname", "forenames", "fname"), 1, "first", "name", "child"), -4, "worker", "user", "staff", "practitioner"), 2},
		{"subject.family", (*column).isText, with(with(either(2, "surname", "family", "lastname", "sname"), 1, "last", "name", "child"), -4, "worker", "user", "staff", "practitioner"), 2},
	}
	switch emit {
	case engine.KindAccess:
		return append(subject, accessHints()...)
	case engine.KindNumberInactive:
		return []hint{
			{"old", (*column).isNHSNumber, either(2, "old", "inactive", "previous", "former"), 2},
			{"replacements", (*column).isNHSNumber, either(2, "new", "replacement", "current", "active", "merged"), 2},
		}
	}
	return append(subject, flagHints()...)
}

func flagHints() []hint {
	authority := []string{"authority", "la", "council", "organisation", "org", "ods"}
	return []hint{
		{"plan.type", (*column).isPlanType, map[string]int{}, 0},
		{"plan.type", (*column).isCode, with(with(either(2, "plan", "category", "template", "legal"), 1, "type", "cat", "code", "kind"), -3, "status", "state"), 2},
		{"plan.start", (*column).isDate, with(with(either(2, "start", "from", "begin", "began", "effective", "commenced", "opened", "registered"), 1, "plan", "date", "dt"), -3, "birth", "dob"), 2},
		{"plan.end", (*column).isDate, with(with(either(2, "end", "to", "until", "ceased", "cease", "finish", "closed", "close", "expiry", "ended", "deregistered"), 1, "plan", "date", "dt"), -3, "birth", "dob"), 2},
		{"plan.withdrawn", (*column).isDate, with(either(2, "withdrawn", "withdraw", "deleted", "delete", "error", "void", "cancelled", "removed"), 1, "plan", "date", "dt"), 2},
		{"authority.odsCode", func(c *column) bool { return c.most(c.ods) && c.isText() }, with(either(2, authority...), 1, "code", "id"), 3},
		{"authority.name", (*column).isText, with(with(either(2, authority...), 1, "name"), -3, "code", "id"), 3},
		{"authority.officeHours", (*column).isPhone, either(2, "office", "day", "hours", "work", "main"), 2},
		{"authority.emergencyDuty", (*column).isPhone, either(2, "duty", "emergency", "edt", "ooh", "night", "out"), 2},
		{"localId", (*column).isText, with(with(either(2, "case", "ref", "client", "local", "pid", "person", "reference"), 1, "id", "number", "no"), -4, "nhs", "file", "authority", "worker", "name", "la"), 2},
		{"fileId", (*column).isText, with(with(either(2, "file", "batch", "extract", "upload", "sequence", "seq"), 1, "id", "no", "number"), -2, "type", "name", "date", "version", "status"), 2},
	}
}

func accessHints() []hint {
	return []hint{
		{"id", (*column).isText, with(either(2, "encounter", "attendance", "visit", "access", "spell"), 1, "id", "number", "identifier"), 3},
		{"at", func(c *column) bool { return c.most(c.instants) || c.isTimed() }, with(with(either(2, "started", "start", "attended", "arrival", "arrived", "admitted"), 1, "date", "time", "at"), 3, "seen"), 2},
		{"scheduled", (*column).isCode, with(either(2, "class", "scheduled", "planned"), 3, "urgency"), 2},
		{"setting", (*column).isCode, with(either(2, "class", "department", "care"), 5, "setting"), 2},
		{"by.person.userId", (*column).isUserID, map[string]int{}, 0},
		{"by.person.roleCode", (*column).isRoleCode, map[string]int{}, 0},
		{"by.person.userId", (*column).isText, with(either(2, "user", "practitioner", "sds"), 1, "id", "uid"), 3},
		{"by.person.roleCode", (*column).isText, with(either(2, "role"), 1, "code"), 3},
		{"by.person.roleName", (*column).isText, with(either(2, "role"), 1, "name", "display"), 3},
		{"by.person.name", (*column).isText, with(either(2, "person", "practitioner", "user"), 1, "name"), 3},
		{"by.deviceId", (*column).isText, with(either(2, "system", "device", "asid"), 1, "id", "endpoint"), 3},
		{"by.organisation.odsCode", func(c *column) bool { return c.most(c.ods) && c.isText() }, with(either(2, "organisation", "org", "ods", "provider", "site"), 1, "code", "id"), 3},
		{"by.organisation.name", (*column).isText, with(either(2, "organisation", "org", "provider", "site", "trust"), 1, "name"), 3},
	}
}

// isTimed reports times of a day in a layout that has them.
func (c *column) isTimed() bool {
	fits := c.fits()
	if len(fits) == 0 || fits[0] != engine.LayoutHL7TS && !strings.Contains(fits[0], "HH") {
		return false
	}
	for v := range c.distinct {
		if len(v) < 12 {
			return false
		}
	}
	return true
}

// isUserID tells the twelve figures of a user of the national directory, isRoleCode its job roles, R and four figures.
func (c *column) isUserID() bool { return c.all(12, "") }

func (c *column) isRoleCode() bool { return c.all(4, "R") }

func (c *column) all(figures int, prefix string) bool {
	for v := range c.distinct {
		rest, ok := strings.CutPrefix(v, prefix)
		if !ok || len(rest) != figures || strings.Trim(rest, "0123456789") != "" {
			return false
		}
	}
	return len(c.distinct) > 0 && !c.isDate()
}

// match is what a target is drafted from.
type match struct {
	column *column
	rivals []string // columns that speak for it as much: then nobody wins
	open   string   // what a person has to check, when values and places alone speak for it
}

// assign gives each target the column that speaks for it most. A tie is nobody's: it is for a person to decide. A column may feed two targets
// only where both are codes of it.
func assign(emit engine.Kind, columns []*column) map[string]match {
	type claim struct {
		hint   hint
		column *column
		score  int
	}
	var claims []claim
	for _, h := range hints(emit) {
		for _, c := range columns {
			score := 0
			for _, w := range c.words {
				score += h.words[w]
			}
			if c.filled == 0 && score >= max(h.need, 2) || h.fits(c) && score >= h.need {
				claims = append(claims, claim{h, c, score})
			}
		}
	}
	slices.SortStableFunc(claims, func(a, b claim) int { return cmp.Compare(b.score, a.score) })
	out := map[string]match{}
	used := map[string]string{}
	for i, c := range claims {
		if _, done := out[c.hint.target]; done || used[c.column.Name] != "" && !c.column.shared(used[c.column.Name], c.hint.target) {
			continue
		}
		m := match{column: c.column}
		for _, other := range claims[i+1:] {
			if other.hint.target == c.hint.target && other.score == c.score && used[other.column.Name] == "" {
				m.rivals = append(m.rivals, other.column.Name)
			}
		}
		if len(m.rivals) > 0 {
			m.rivals = append([]string{c.column.Name}, m.rivals...)
			m.column = nil
		} else {
			used[c.column.Name] = c.hint.target
		}
		out[c.hint.target] = m
	}
	if emit == engine.KindFlag {
		byPlace(columns, used, out)
	}
	return out
}

// shared allows the class of an encounter to say both whether it was planned and where it took place.
func (c *column) shared(first, second string) bool {
	pair := []string{first, second}
	return slices.Contains(pair, "scheduled") && slices.Contains(pair, "setting")
}
