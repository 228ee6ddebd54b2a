package mappings

import (
	"encoding/csv"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is one code table: what the supplier writes, and what it means.
type table struct {
	name  string
	file  string
	codes map[string]string
	rows  []tableRow
}

// tableRow is one line of a table with the place of its target.
type tableRow struct {
	target       string
	line, column int
}

// loadTables reads every tables/<name>.csv of a folder. The header is source,target,note; a note may be empty.
func loadTables(f folder, problems *Problems) map[string]*table {
	tables := map[string]*table{}
	for file, text := range f.files {
		if dir, base := path.Split(file); dir == tableFolder+"/" {
			name := strings.TrimSuffix(base, ".csv")
			tables[name] = loadTable(name, f.at(file), text, problems)
		}
	}
	return tables
}

func loadTable(name, file, text string, problems *Problems) *table {
	t := &table{name: name, file: file, codes: map[string]string{}}
	fail := func(line, column, length int, what string) {
		*problems = append(*problems, Problem{File: file, Line: line, Column: column, Length: length, Code: CodeTableRow, Text: what})
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord = 3
	header, err := reader.Read()
	if err != nil || !slices.Equal(header, []string{"source", "target", "note"}) {
		fail(1, 1, 1, "a table begins with the line source,target,note")
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
	for i, what := range []string{"source", "target"} {
		line, column := reader.FieldPos(i)
		if row[i] == "" || strings.TrimSpace(row[i]) != row[i] {
			fail(line, column, max(utf8.RuneCountInString(row[i]), 1), "a "+what+" is not empty and has no space around it")
			return
		}
	}
	line, column := reader.FieldPos(0)
	if _, twice := t.codes[row[0]]; twice {
		fail(line, column, utf8.RuneCountInString(row[0]), "the table has this source twice")
		return
	}
	t.codes[row[0]] = row[1]
	line, column = reader.FieldPos(1)
	t.rows = append(t.rows, tableRow{target: row[1], line: line, column: column})
}
