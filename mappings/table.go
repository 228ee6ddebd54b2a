package mappings

import (
	"encoding/csv"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/engine"
)

// table is one code table: what the supplier writes, and what it means.
type table struct {
	name   string
	file   string // as problems print it
	within string // as explanations print it: from the mapping's folder on, or from that which it extends
	codes  map[string][]*tableRow
	rows   []*tableRow
}

// tableRow is one line of a table with the place of its target: what a code stands for, and on which days. An absent day is no bound; both bounds
// belong to the period.
type tableRow struct {
	source, target, note string
	from, until          engine.Date
	line, column         int
}

// tableHeader is the first line of a table; the two last columns may be left out together.
func tableHeader() []string { return []string{"source", "target", "note", "valid-from", "valid-to"} }

// always reports whether the row counts on every day.
func (r *tableRow) always() bool { return r.from.IsZero() && r.until.IsZero() }

// dated reports whether some row of the table counts on some days alone.
func (t *table) dated() bool {
	return slices.ContainsFunc(t.rows, func(r *tableRow) bool { return !r.always() })
}

// only returns the one row of a code that counts on every day, nil for a code that the table does not have, and dated for one whose rows a
// day has to pick from.
func (t *table) only(code string) (row *tableRow, dated bool) {
	switch rows := t.codes[code]; {
	case len(rows) == 0:
		return nil, false
	case rows[0].always():
		return rows[0], false
	}
	return nil, true
}

// on returns the row that says what a code stood for on a day; nil when none did.
func (t *table) on(code string, day engine.Date) *tableRow {
	day = day.AddDays(0) // without its time of day
	for _, r := range t.codes[code] {
		if (r.from.IsZero() || r.from.Compare(day) <= 0) && (r.until.IsZero() || day.Compare(r.until) <= 0) {
			return r
		}
	}
	return nil
}

// loadTables reads every tables/<name>.csv of a folder, and of the one that it extends where it has none of that name itself.
func loadTables(f folder, problems *Problems) map[string]*table {
	tables := map[string]*table{}
	of, _ := extended(f.files[mappingFile])
	for _, under := range []string{path.Join(baseFolder, tableFolder) + "/", tableFolder + "/"} {
		for file, text := range f.files {
			if dir, base := path.Split(file); dir == under {
				name := strings.TrimSuffix(base, ".csv")
				tables[name] = loadTable(name, f.at(file), text, problems)
				tables[name].within = file
				if rest, taken := strings.CutPrefix(file, baseFolder+"/"); taken {
					tables[name].within = path.Join(of, rest)
				}
			}
		}
	}
	return tables
}

func loadTable(name, file, text string, problems *Problems) *table {
	t := &table{name: name, file: file, codes: map[string][]*tableRow{}}
	fail := func(line, column, length int, what string) {
		*problems = append(*problems, Problem{File: file, Line: line, Column: column, Length: length, Code: CodeTableRow, Text: what})
	}
	reader := csv.NewReader(strings.NewReader(text))
	header, err := reader.Read()
	if err != nil || !slices.Equal(header, tableHeader()) && !slices.Equal(header, tableHeader()[:3]) {
		fail(1, 1, 1, "a table begins with the line source,target,note, perhaps with ,valid-from,valid-to after it")
		return t
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return t
		}
		if fault, bad := errors.AsType[*csv.ParseError](err); bad {
			fail(fault.Line, fault.Column, 1, "the row cannot be read: "+fault.Err.Error())
			continue
		}
		t.add(reader, row, fail)
	}
}

func (t *table) add(reader *csv.Reader, row []string, fail func(line, column, length int, what string)) {
	width := func(i int) int { return max(utf8.RuneCountInString(row[i]), 1) }
	for i, what := range []string{"source", "target"} {
		line, column := reader.FieldPos(i)
		if row[i] == "" || strings.TrimSpace(row[i]) != row[i] {
			fail(line, column, width(i), "a "+what+" is not empty and has no space around it")
			return
		}
	}
	r := &tableRow{source: row[0], target: row[1], note: row[2]}
	for i, into := range []*engine.Date{&r.from, &r.until} {
		if i+3 >= len(row) || row[i+3] == "" {
			continue
		}
		day, err := engine.MustLayout("yyyy-MM-dd").Parse(row[i+3])
		if err != nil {
			line, column := reader.FieldPos(i + 3)
			fail(line, column, width(i+3), "a day of validity is yyyy-MM-dd, or empty")
			return
		}
		*into = day
	}
	line, column := reader.FieldPos(0)
	if !r.from.IsZero() && !r.until.IsZero() && r.until.Compare(r.from) < 0 {
		fail(line, column, width(0), "the validity ends before it begins")
		return
	}
	for _, other := range t.codes[r.source] {
		if overlap(other, r) {
			fail(line, column, width(0), "the table has this source twice for the same day")
			return
		}
	}
	t.codes[r.source] = append(t.codes[r.source], r)
	r.line, r.column = reader.FieldPos(1)
	t.rows = append(t.rows, r)
}

func overlap(a, b *tableRow) bool {
	before := func(x, y *tableRow) bool { return !x.until.IsZero() && !y.from.IsZero() && x.until.Compare(y.from) < 0 }
	return !before(a, b) && !before(b, a)
}
