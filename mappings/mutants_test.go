package mappings_test

import (
	"io/fs"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

// TestEveryRuleIsNoticed changes every rule, condition and table row of every supplier, one at a time: lint or a test of the folder must
// notice. What becomes of a record that a rule fails on is counted and not insisted on: some failures cannot be brought about from outside.
func TestEveryRuleIsNoticed(t *testing.T) {
	dirs, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(dir.Name(), func(t *testing.T) {
			unnoticed, mutants, err := mappings.FindUnnoticed(mappings.Embedded(), dir.Name(), adapters.All())
			if err != nil {
				t.Fatal(err)
			}
			if mutants < 10 {
				t.Errorf("only %d changes were tried", mutants)
			}
			outcomes := 0
			for _, u := range unnoticed {
				if u.Outcome {
					outcomes++
					continue
				}
				t.Errorf("%s:%d: no test notices that %s", u.File, u.Line, u.What)
			}
			t.Logf("%d of %d changes noticed; the others are outcomes of failures", mutants-outcomes, mutants)
			if outcomes*2 > mutants {
				t.Errorf("%d of %d changes go unnoticed", outcomes, mutants)
			}
		})
	}
}

// TestUnnoticedRulesAreFound takes a test away that alone looks at something.
func TestUnnoticedRulesAreFound(t *testing.T) {
	folder := copyOf(t, model)
	for name := range folder {
		if ok, _ := fs.Stat(folder, name); ok != nil && ok.Name() != "01-three-plans.txtar" && len(name) > len(".txtar") && name[len(name)-6:] == ".txtar" {
			delete(folder, name)
		}
	}
	unnoticed, _, err := mappings.FindUnnoticed(folder, model, adapters.All())
	if err != nil || len(unnoticed) < 10 {
		t.Errorf("%d changes go unnoticed by one test that holds good rows alone, %v", len(unnoticed), err)
	}
	for _, u := range unnoticed {
		if u.Line == 0 || u.What == "" || u.File == "" {
			t.Errorf("%+v", u)
		}
	}
}
