package app

import (
	"errors"
	"fmt"
	"os"

	"signalbox/fhir"
	"signalbox/fhir/invariants"
)

// profilesClaimed stands in fhir.profiles for the profiles that each resource claims in meta.profile.
const profilesClaimed = "claimed"

// standard makes what incoming resources are held against. It reads the files of profiles.
func (f FHIR) standard() (fhir.Standard, error) {
	out := fhir.Standard{Profiles: fhir.BuiltinProfiles()}
	if f.Invariants {
		out.Invariants = invariants.New().Check
	}
	var errs []error
	for i, file := range f.ProfileFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("fhir.profileFiles[%d]: cannot be read", i))
			continue
		}
		larger, err := out.Profiles.Load(string(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("fhir.profileFiles[%d]: %w", i, err))
			continue
		}
		out.Profiles = larger
	}
	for i, url := range f.Profiles {
		if url == profilesClaimed {
			out.Claimed = true
			continue
		}
		p := out.Profiles.Find(url)
		if p == nil {
			errs = append(errs, fmt.Errorf("fhir.profiles[%d]: no profile of that URL and version is known: fhir.profileFiles brings others, and 'signalbox fhir check' lists what is held", i))
			continue
		}
		out.Hold = append(out.Hold, p)
	}
	return out, errors.Join(errs...)
}
