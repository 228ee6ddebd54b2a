package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/engine/app"
)

// TestProfilesOfTheConfiguration holds that profiles and files of them are found when the configuration is read, or refused with their place.
func TestProfilesOfTheConfiguration(t *testing.T) {
	const own = "profile https://x.example/P|1 Encounter\nperiod 1..\n"
	for name, tc := range map[string]struct{ fhir, file, want string }{
		"a profile that is held":     {"profiles: [ claimed, https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient ], invariants: true", "", ""},
		"a profile of one's own":     {"profiles: [ https://x.example/P ], profileFiles: [ own.txt ]", own, ""},
		"a profile of nobody":        {"profiles: [ claimed, https://x.example/P ]", "", "fhir.profiles[1]: no profile of that URL"},
		"a profile of another time":  {`profiles: [ "https://x.example/P|2" ], profileFiles: [ own.txt ]`, own, "fhir.profiles[0]"},
		"a file that is not there":   {"profileFiles: [ own.txt ]", "", "fhir.profileFiles[0]: cannot be read"},
		"a file with a wrong line":   {"profileFiles: [ own.txt ]", own + "perod 1..\n", "fhir.profileFiles[0]: fhir: load profiles: line 3: perod"},
		"a key that the fhir has no": {"profile: x", "", "profile"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, strings.Replace(good, "fhir: { development: true }", "fhir: { development: true, "+tc.fhir+" }", 1))
			if tc.file != "" {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "own.txt"), []byte(tc.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := app.ReadConfig(path)
			if err == nil {
				err = app.Check(cfg)
			}
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}
