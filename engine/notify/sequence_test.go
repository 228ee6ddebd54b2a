package notify

import (
	"testing"

	"pgregory.net/rapid"

	"signalbox/mesh/cpis/rules"
)

func TestSequenceJudges(t *testing.T) {
	for name, c := range map[string]struct {
		policy     Sequence
		before, id string
		rule       string
		refused    bool
	}{
		"the first file":             {Sequence{}, "", "7", "", false},
		"the next":                   {Sequence{}, "1042", "1043", "", false},
		"with zeros and white space": {Sequence{}, "0009", " 10 ", "", false},
		"repeated":                   {Sequence{}, "1042", "1042", rules.SequenceRepeated, false},
		"repeated, written anew":     {Sequence{}, "1042", "01042", rules.SequenceRepeated, false},
		"repeated words":             {Sequence{}, "A-1", "A-1", rules.SequenceRepeated, false},
		"words":                      {Sequence{}, "A-1", "A-9", "", false},
		"skipped":                    {Sequence{}, "1042", "1044", rules.SequenceSkipped, false},
		"older":                      {Sequence{}, "1042", "1", rules.SequenceOlder, false},
		"older, ignored":             {Sequence{Older: ChooseIgnore}, "1042", "1", "", false},
		"older, refused":             {Sequence{Older: ChooseRefuse}, "1042", "1", rules.SequenceRefused, true},
		"skipped, others refused":    {Sequence{Older: ChooseRefuse, Repeated: ChooseRefuse}, "1", "9", rules.SequenceSkipped, false},
	} {
		fault, refused := c.policy.Judge(c.before, c.id)
		rule := ""
		if fault != nil {
			rule = fault.Rule
		}
		if rule != c.rule || refused != c.refused {
			t.Errorf("%s: %q, refused %t", name, rule, refused)
		}
	}
	if (Sequence{Skipped: "perhaps"}).Validate() == nil || (Sequence{}).Validate() != nil || !(Sequence{Skipped: ChooseRefuse}).Refuses() {
		t.Error("a policy is not what it says")
	}
}

// Whatever ids are sent, by default nothing is refused, and no sentence holds an id.
func TestSequenceRefusesNothingByDefault(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9]{1,25}`))
		fault, refused := Sequence{}.Judge(id.Draw(rt, "before"), id.Draw(rt, "id"))
		if _, known := rules.Find(rules.SequenceRepeated); refused || !known {
			rt.Fatal("refused")
		}
		if fault != nil {
			if rule, ok := rules.Find(fault.Rule); !ok || rule.Severity != rules.Warn {
				rt.Fatalf("%s is no warning", fault.Rule)
			}
		}
	})
}
