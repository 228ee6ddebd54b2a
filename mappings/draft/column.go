package draft

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"signalbox/engine"
	"signalbox/mappings/twin"
)

// maxValues bounds the records whose values are held against those of other columns.
const maxValues = 2000

// maxDistinct bounds the values of a column that are told apart. A column with more holds no codes.
const maxDistinct = 200

// column is what the samples show of one field.
type column struct {
	engine.Field
	words    []string // of its name
	single   bool     // never more than one value in a record
	many     bool     // some record has several different values
	records  int
	filled   int // records in which it has a value
	distinct map[string]int
	layouts  map[string]int
	sound    int // values that are NHS numbers by their check digit
	unsound  int // ten digits that are not
	phones   int
	ods      int
	instants int
	values   []string // the first value of each record, while there are not too many records
}

// measure reads every record of the samples.
func measure(adapter engine.Adapter, src engine.Schema, samples [][]byte) (columns []*column, records, unread int) {
	layouts := map[string]engine.Layout{}
	for _, name := range twin.Layouts() {
		layouts[name] = engine.MustLayout(name)
	}
	var selectors []engine.Selector
	for _, f := range src.Fields {
		s, err := adapter.Compile(cmp.Or(f.Select, f.Name), src)
		if err != nil {
			continue // a column that cannot be named is not declared
		}
		one, says := s.(interface{ Single() bool })
		if f.Layout != "" {
			layouts[f.Layout] = engine.MustLayout(f.Layout)
		}
		columns = append(columns, &column{Field: f, words: words(f.Name), single: says && one.Single(), distinct: map[string]int{}, layouts: map[string]int{}})
		selectors = append(selectors, s)
	}
	var found []engine.Value
	for _, body := range samples {
		for r, err := range adapter.Decode(engine.Message{Body: body}, src) {
			if err != nil && r == nil {
				unread++
				continue
			}
			records++
			for i, c := range columns {
				found = selectors[i].Select(r, found[:0])
				c.see(found, layouts)
			}
		}
	}
	return columns, records, unread
}

// see takes in what a field holds in one record.
func (c *column) see(found []engine.Value, layouts map[string]engine.Layout) {
	c.records++
	first := ""
	for _, v := range found {
		text := strings.TrimSpace(v.Text)
		switch {
		case text == "":
		case first == "":
			first = text
		case text != first:
			c.many = true
		}
	}
	if len(c.values) < maxValues {
		c.values = append(c.values, first)
	}
	if first == "" {
		return
	}
	c.filled++
	if len(c.distinct) < maxDistinct || c.distinct[first] > 0 {
		c.distinct[first]++
	}
	c.classify(first, layouts)
}

func (c *column) classify(text string, layouts map[string]engine.Layout) {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	if _, err := engine.ParseNHSNumber(text); err == nil {
		c.sound++
	} else if len(digits) == 10 && len(text) <= 12 {
		c.unsound++
	}
	if len(digits) >= 6 && len(digits) <= 18 { // six with the month in letters
		for name, layout := range layouts {
			if (c.Layout == "" || c.Layout != name) && !slices.Contains(twin.Layouts(), name) {
				continue // a layout that the format gives to another column
			}
			if d, err := layout.Parse(text); err == nil && (d.ISO() > "1900" && d.ISO() < "2100" || name != "ddMMyyyy") { // figures alone fit many a layout
				c.layouts[name]++
			}
		}
	}
	phone := strings.TrimPrefix(text, "tel:")
	if len(digits) >= 9 && len(digits) <= 14 && strings.Trim(phone, "0123456789 +-()") == "" && (strings.HasPrefix(phone, "0") || strings.HasPrefix(phone, "+") || strings.HasPrefix(phone, "(0")) {
		c.phones++
	}
	if len(text) >= 3 && len(text) <= 6 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
		c.ods++
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		c.instants++
	}
}

// most reports whether nearly all values are of a kind. A fault here and there is what real files have.
func (c *column) most(n int) bool { return c.filled > 0 && n*10 >= c.filled*8 }

func (c *column) isNHSNumber() bool {
	return c.most(c.sound+c.unsound) && c.sound*2 > c.filled && !c.isDate()
}

func (c *column) isDate() bool { return len(c.fits()) > 0 }

func (c *column) isPhone() bool { return c.most(c.phones) && !c.isDate() && !c.isNHSNumber() }

func (c *column) isText() bool { return !c.isDate() && !c.isNHSNumber() && !c.isPhone() }

// isCode reports few values that come back, none of them long.
func (c *column) isCode() bool {
	if !c.isText() || c.filled == 0 || len(c.distinct) > 12 {
		return false
	}
	for v := range c.distinct {
		if len(v) > 40 {
			return false
		}
	}
	return true
}

// fits lists the layouts that the column's dates may be written in, the surest first: those that fit most values, and no other fits more.
func (c *column) fits() []string {
	best := 0
	for _, n := range c.layouts {
		best = max(best, n)
	}
	if c.Layout != "" && c.most(c.layouts[c.Layout]) {
		return []string{c.Layout} // the format's own
	}
	if best == 0 || !c.most(best) {
		return nil
	}
	var out []string
	for _, name := range twin.Layouts() {
		if c.layouts[name] == best {
			out = append(out, name)
		}
	}
	return out
}

// codes lists the values of a column of codes, the most frequent first.
func (c *column) codes() []string {
	all := slices.Collect(maps.Keys(c.distinct))
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(c.distinct[b], c.distinct[a]), strings.Compare(a, b)) })
	return all
}

// words splits a name at _ and other marks, at capitals and at figures, in small letters: startDt is start, dt.
func words(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	var last rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		last = r
	}
	flush()
	return joined(out)
}

// joined makes one word of letters that stand alone one after the other: D.O.B. is dob.
func joined(parts []string) []string {
	var out []string
	alone := false
	for _, p := range parts {
		if alone && len(p) == 1 {
			out[len(out)-1] += p
			continue
		}
		out, alone = append(out, p), len(p) == 1
	}
	return out
}
