package twin_test

import (
	"strings"
	"testing"

	"signalbox/fhir/pds/twin"
)

func TestPatientsAreSyntheticOnly(t *testing.T) {
	for text, want := range map[string]string{
		`[{"nhsNumber":"9990000018","given":"A","family":"B","birthDate":"2019-01-01"}]`: "",
		`[{"nhsNumber":"9434765919"}]`:                            "999 range",
		`[{"nhsNumber":"9990000018"},{"nhsNumber":"9990000018"}]`: "repeated",
		`[{"nhsNumber":"9990000018","nhs":"x"}]`:                  "no JSON array",
		`{}`:                                                      "no JSON array",
	} {
		all, err := twin.ReadPatients(strings.NewReader(text))
		switch {
		case want == "" && (err != nil || len(all) != 1):
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}
