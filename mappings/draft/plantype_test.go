package draft_test

import (
	"strings"
	"testing"

	"signalbox/mappings/draft"
)

// Codes that are the scheme's own words say that a column is the plan's type, whatever its heading; a few letters that are nobody's words do not.
func TestPlanTypeIsKnownByItsCodes(t *testing.T) {
	for codes, want := range map[string]string{
		"CPP,LAC,CPP": "What_s_this",
		"CPP,LAC,UNB": "What_s_this", // one is for a person
		"A,B,A":       "",
		"CPP,B,C":     "", // one word may be chance
		"CPP,CPP,CPP": "",
	} {
		c := strings.Split(codes, ",")
		body := "nhs_no,dob,What's this,start_dt\n9990000018,25/04/2015," + c[0] + ",01/09/2026\n9990000026,05/06/2010," + c[1] + ",22/05/2026\n9990000034,02/01/1999," + c[2] + ",05/08/2026\n"
		d, err := draft.New([][]byte{[]byte(body)}, all(t), draft.Options{Supplier: "w"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.Rules {
			if r.Target == "plan.type" && r.From != want {
				t.Errorf("%s: plan.type is from %q, want %q", codes, r.From, want)
			}
		}
		if open := strings.Join(d.Open, "\n"); codes == "CPP,LAC,UNB" && strings.Count(open, "what does it mean?") != 1 {
			t.Errorf("%s", open)
		}
	}
}
