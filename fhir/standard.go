package fhir

import (
	"slices"
	"strings"
)

// Standard is what incoming documents are held against beyond R4 itself. The zero Standard asks one thing: that every modifier extension is
// understood. It does not change once it is in use.
type Standard struct {
	Profiles   *Profiles                // with the definitions of extensions; nil: BuiltinProfiles
	Hold       []*Profile               // every resource of such a profile's type keeps to it, whether it claims to or not
	Claimed    bool                     // every resource keeps to the profiles that it claims in meta.profile, as far as they are known
	Invariants func(d *Document) Faults // R4's own (fhir/invariants); nil: not asked
}

// Check returns what a document that Examine found sound does not keep to, each thing once, in document order. Where profiles are asked for, the
// extensions whose definitions are known keep to them too.
func (s Standard) Check(d *Document) Faults {
	return s.check(d, func(*Fault) bool { return true })
}

// CheckBatch is Check for a Bundle of type batch: the modifier extensions in its entries are left to who takes it entry by entry.
func (s Standard) CheckBatch(d *Document) Faults {
	return s.check(d, func(f *Fault) bool { return !strings.HasPrefix(f.Path, "Bundle.entry[") })
}

// check is Check with the modifier extensions that are asked about.
func (s Standard) check(d *Document, asked func(*Fault) bool) Faults {
	set := s.Profiles
	if set == nil {
		set = BuiltinProfiles()
	}
	var faults Faults
	for f := range set.EachModifier(d) {
		if asked(f) && len(faults) < maxFaults {
			faults = append(faults, f)
		}
	}
	if s.Invariants != nil {
		faults = append(faults, s.Invariants(d)...)
	}
	for _, p := range s.Hold {
		faults = append(faults, validateEach(d, p)...)
	}
	if s.Claimed {
		faults = append(faults, set.ValidateClaims(d)...)
	}
	if s.Claimed || len(s.Hold) > 0 {
		faults = append(faults, set.Extensions(d)...)
	}
	return faults.once()
}

// validateEach holds the resources of a profile's type against it; there need not be one.
func validateEach(d *Document, p *Profile) Faults {
	v := &validator{doc: d, profile: p}
	for n := range resources(d) {
		if n.ResourceType() == p.Type {
			v.rules(n, p.rules, 0)
		}
	}
	return v.faults
}

// once sorts faults and drops what is said twice, as by a profile that is asked for and claimed.
func (f Faults) once() Faults {
	f.sort()
	type said struct{ path, rule, text string }
	seen := map[said]bool{}
	f = slices.DeleteFunc(f, func(one *Fault) bool {
		key := said{one.Path, one.Rule, one.Text}
		repeated := seen[key]
		seen[key] = true
		return repeated
	})
	return f[:min(len(f), maxFaults)]
}
