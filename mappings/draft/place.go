package draft

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/engine"
)

// position is a column's name where the file names none: col7, c11_20, and head_2 in the row before the records.
var position = regexp.MustCompile(`^(col|c)[0-9_]+$|^head_c?[0-9_]+$`)

// nameless are the columns of a file without headings that nothing has claimed yet, in their order.
type nameless struct {
	record, head []*column
	used         map[string]string
	out          map[string]match
}

// byPlace claims columns that have no names by what their values are to each other and by their neighbours. Each is for a person to check.
func byPlace(columns []*column, used map[string]string, out map[string]match) {
	n := &nameless{used: used, out: out}
	for _, c := range columns {
		switch {
		case !position.MatchString(c.Name):
		case strings.HasPrefix(c.Name, "head"):
			n.head = append(n.head, c)
		default:
			n.record = append(n.record, c)
		}
	}
	n.dates()
	n.codes()
	n.reference()
	n.names()
	n.authority()
}

func (n *nameless) claim(target string, c *column, why string) {
	if _, done := n.out[target]; done || n.used[c.Name] != "" {
		return
	}
	n.used[c.Name] = target
	n.out[target] = match{column: c, open: "there are no headings: " + why + "; ask for the record description"}
}

// free lists the columns of a kind that nothing has claimed.
func (n *nameless) free(from []*column, is func(*column) bool) []*column {
	var out []*column
	for _, c := range from {
		if n.used[c.Name] == "" && c.filled > 0 && is(c) {
			out = append(out, c)
		}
	}
	return out
}

// days reads a column's dates, a record each; nil when its layout is not clear.
func (c *column) days() []string {
	fits := c.fits()
	if len(fits) != 1 {
		return nil
	}
	layout := engine.MustLayout(fits[0])
	out := make([]string, len(c.values))
	for i, v := range c.values {
		if d, err := layout.Parse(v); err == nil {
			out[i] = d.ISO()
		}
	}
	return out
}

// before reports whether nearly all days of one column are before those of the other in the same record.
func before(a, b []string) bool {
	both, ordered := 0, 0
	for i := range min(len(a), len(b)) {
		if a[i] != "" && b[i] != "" {
			both++
			if a[i] < b[i] {
				ordered++
			}
		}
	}
	return both > 0 && ordered*10 >= both*8
}

// dates tells two or three columns of dates by their order in time: a birth, the start of a plan, and its end, which some records do not have.
func (n *nameless) dates() {
	found := n.free(n.record, (*column).isDate)
	if len(found) < 2 || len(found) > 3 {
		return
	}
	for _, c := range found {
		if c.days() == nil {
			return
		}
	}
	slices.SortStableFunc(found, func(a, b *column) int {
		if before(a.days(), b.days()) {
			return -1
		}
		return 1
	})
	if found[0].filled < found[0].records || found[1].filled < found[1].records || !before(found[0].days(), found[1].days()) {
		return
	}
	if len(found) == 3 && (!before(found[1].days(), found[2].days()) || found[2].filled == found[2].records) {
		return
	}
	n.claim("subject.birthDate", found[0], "its dates are the earliest of each record")
	n.claim("plan.start", found[1], "its dates are after the earliest of each record")
	if len(found) == 3 {
		n.claim("plan.end", found[2], "its dates are the last of each record, and not every record has one")
	}
}

// codes takes for the plan's type the one column of short codes that stands beside its start.
func (n *nameless) codes() {
	start := n.out["plan.start"].column
	for i, c := range n.record {
		beside := i > 0 && n.record[i-1] == start || i+1 < len(n.record) && n.record[i+1] == start
		if start == nil || !beside || n.used[c.Name] != "" || !c.isCode() || len(c.distinct) < 2 || c.filled < c.records {
			continue
		}
		if !slices.ContainsFunc(c.codes(), func(v string) bool { return len(v) > 5 }) {
			n.claim("plan.type", c, "it holds short codes and stands beside the start")
		}
	}
}

// reference takes for the sender's own reference the one column whose values are all different, each with a figure.
func (n *nameless) reference() {
	found := n.free(n.record, func(c *column) bool {
		if !c.isText() || c.filled < 2 || len(c.distinct) < min(c.filled, maxDistinct) {
			return false
		}
		for v := range c.distinct {
			if !strings.ContainsAny(v, "0123456789") || utf8.RuneCountInString(v) < 2 {
				return false
			}
		}
		return true
	})
	if len(found) == 1 {
		n.claim("localId", found[0], "its values are all different")
	}
}

// names takes two columns of words that stand side by side for a surname and a forename, in the order of most extracts.
func (n *nameless) names() {
	found := n.free(n.record, func(c *column) bool { return c.isText() && c.isWords() })
	if len(found) == 2 && slices.Index(n.record, found[1])-slices.Index(n.record, found[0]) == 1 {
		n.claim("subject.family", found[0], "of two columns of names the first is taken for the surname")
		n.claim("subject.given", found[1], "of two columns of names the second is taken for the forename")
	}
}

// isWords reports values that are words of more than two letters, without figures.
func (c *column) isWords() bool {
	long := 0
	for v := range c.distinct {
		if strings.ContainsFunc(v, unicode.IsDigit) {
			return false
		}
		if utf8.RuneCountInString(v) > 2 {
			long++
		}
	}
	return long*2 > len(c.distinct)
}

// authority takes what the row before the records says of its sender: a code, a name, one telephone number, and figures that begin with 0 for the file.
func (n *nameless) authority() {
	if found := n.free(n.head, (*column).isPhone); len(found) == 1 {
		n.claim("authority.emergencyDuty", found[0], "it is the only telephone number")
	}
	if found := n.free(n.head, func(c *column) bool { return c.isText() && c.isWords() && strings.Contains(c.values[0], " ") }); len(found) == 1 {
		n.claim("authority.name", found[0], "it is the only name in the first line")
	}
	if found := n.free(n.head, func(c *column) bool {
		return c.isText() && strings.Trim(c.values[0], "0123456789") == "" && c.values[0][0] == '0' && len(c.values[0]) > 3
	}); len(found) == 1 {
		n.claim("fileId", found[0], "it is the only number in the first line that begins with 0")
	}
	if found := n.free(n.head, func(c *column) bool { return c.isText() && c.most(c.ods) }); len(found) == 1 {
		n.claim("authority.odsCode", found[0], "it has the shape of an ODS code, and is the only one in the first line")
	}
}
