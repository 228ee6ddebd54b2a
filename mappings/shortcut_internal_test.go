package mappings

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"signalbox/adapters"
	"signalbox/engine"
)

// Every expression with a shortcut, on every kind of value: the shortcut and CEL's interpreter answer and fail alike.
func TestShortcutsAnswerLikeCEL(t *testing.T) {
	csv, _ := adapters.All().Adapter("csv")
	source := `{ format: csv, fields: [ {name: free}, {name: maybe, nullable: true}, {name: listed, enum: [L, C]}, {name: n, type: integer} ] }`
	for expression, short := range map[string]bool{
		`row.free == "L"`: true, `row.free != "L"`: true, `"L" == row.maybe`: true, `row.maybe != "L"`: true, `row.listed == "L"`: true,
		`row.listed != "C"`: true, `row.n == 1`: false, `row.maybe == null`: false, `row.free == row.maybe`: false, `!(row.free == "L")`: false, `message.id == "L"`: false,
	} {
		ignore := ""
		for _, name := range []string{"maybe", "listed", "n"} {
			if !strings.Contains(expression, "row."+name) {
				ignore += "  - { column: " + name + ", why: test }\n"
			}
		}
		folder := fstest.MapFS{"s/source.yaml": {Data: []byte(source)}, "s/mapping.yaml": {Data: []byte("supplier: s\nemit: number-inactive\nsource: source.yaml\nwhen: '" + expression +
			"'\nset: { old: { const: \"9990000018\" }, replacements: { from: free, as: nhsNumber, optional: true, else: park } }\nignore:\n" + ignore)}}
		m, err := Load(folder, "s", adapters.New(csv))
		if err != nil {
			t.Fatal(expression, err)
		}
		if (m.when.quick != nil) != short {
			t.Errorf("%s: has a shortcut: %v", expression, m.when.quick != nil)
			continue
		}
		if !short {
			continue
		}
		for _, cells := range []string{"L,L,L,1", "C,C,C,1", ",,,1", " L , L , L ,1", "X,X,X,1"} {
			msg := engine.Message{ID: "m", Body: []byte("free,maybe,listed,n\n" + cells + "\n")}
			tr := &translation{mapping: m, msg: &msg}
			for record := range m.source.adapter.Decode(msg, m.source.schema) {
				tr.view = view{msg: &msg, record: record}
				got, err := tr.evaluate(m.when)
				quick := fmt.Sprint(got, err != nil, tr.view.fault)
				tr.view.fault = nil
				out, _, err := m.when.program.Eval(&tr.view)
				if err != nil {
					out = nil
				}
				if slow := fmt.Sprint(out, err != nil, tr.view.fault); quick != slow {
					t.Errorf("%s of %s: %s, CEL says %s", expression, cells, quick, slow)
				}
			}
		}
	}
}
