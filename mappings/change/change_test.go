package change_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"signalbox/adapters"
	"signalbox/mappings"
	"signalbox/mappings/change"
)

const (
	mapping = `supplier: s
emit: number-inactive
source: source.yaml
when: row.kind == "N"
set:
  old: { from: old_no, as: nhsNumber, else: reject }
  replacements: { from: new_no, as: nhsNumber, optional: true, else: park }
`
	source = `format: csv
fields:
  - { name: kind, enum: [N, D] }
  - { name: old_no }
  - { name: new_no, nullable: true }
`
)

func load(t *testing.T, mapping, source string) *mappings.Mapping {
	t.Helper()
	m, err := mappings.Load(fstest.MapFS{"s/mapping.yaml": {Data: []byte(mapping)}, "s/source.yaml": {Data: []byte(source)}}, "s", adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEditsNameTheirLineAndWhatTheyTouch(t *testing.T) {
	for name, tt := range map[string]struct {
		mapping, source [2]string // text, replacement
		want            []string
	}{
		"nothing":                      {},
		"a comment and another layout": {mapping: [2]string{"set:", "# a remark\nset:"}, source: [2]string{"{ name: old_no }", "{name: old_no}"}},
		"a rule": {mapping: [2]string{"else: park", "else: null"}, want: []string{
			"mapping.yaml:7  rule replacements: was from: new_no, as: nhsNumber, optional: true, else: park; is from: new_no, as: nhsNumber, optional: true, else: null -> replacements"}},
		"a condition": {mapping: [2]string{`== "N"`, `== "D"`}, want: []string{`mapping.yaml:4  when: was row.kind == "N"; is row.kind == "D" -> when`}},
		"a field that only the condition reads": {source: [2]string{"[N, D]", "[N, D, X]"}, want: []string{
			"source.yaml:3  field kind: was type: string, enum: N D; is type: string, enum: N D X -> when"}},
		"a field that a rule reads": {source: [2]string{"name: old_no", "name: old_no, nullable: true"}, want: []string{
			"source.yaml:4  field old_no: was type: string; is type: string, nullable: true -> old"}},
		"an encoding": {source: [2]string{"format: csv\n", "format: csv\nencoding: windows-1252\n"}, want: []string{
			"source.yaml:2  encoding: was default; is windows-1252 -> *"}},
		"options": {source: [2]string{"format: csv\n", "format: csv\noptions: { delimiter: \";\" }\n"}, want: []string{
			"source.yaml:2  options: was default; is delimiter: ; -> *"}},
		"a rule that is gone": {mapping: [2]string{"  replacements: { from: new_no, as: nhsNumber, optional: true, else: park }\n", "ignore: [ { column: new_no, why: test } ]\n"}, want: []string{
			"mapping.yaml:7 of the old version  rule replacements removed: from: new_no, as: nhsNumber, optional: true, else: park -> replacements"}},
	} {
		t.Run(name, func(t *testing.T) {
			old, now := load(t, mapping, source), load(t, strings.Replace(mapping, tt.mapping[0], tt.mapping[1], 1), strings.Replace(source, tt.source[0], tt.source[1], 1))
			var got []string
			for _, e := range change.Between(old, now) {
				got = append(got, e.String()+" -> "+strings.Join(e.Touches, " "))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			back := change.Between(now, old)
			if len(back) != len(got) {
				t.Errorf("the way back has %d edits, the way there %d", len(back), len(got))
			}
		})
	}
}
