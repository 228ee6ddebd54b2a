package fhir

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

//go:embed profiles/*.txt
var profileFiles embed.FS

// Profile is what a StructureDefinition asks beyond R4, as data over the element table: how often an element stands, fixed values and patterns,
// slices by a discriminator, the codes of required bindings, and the types that references lead to. An extension's definition is a profile of
// the type Extension that says where it may stand as well. It does not change once it is loaded.
type Profile struct {
	URL     string // canonical, without version
	Version string // business version of the StructureDefinition that the constraints are taken from
	Type    string // the resource that it constrains, or Extension
	rules   []*rule

	contexts []string // of an extension: the elements that it may stand on
	modifier bool     // an extension that changes the meaning of what it stands on
}

// Name returns the last part of the canonical URL.
func (p *Profile) Name() string { return p.URL[strings.LastIndexByte(p.URL, '/')+1:] }

// rule constrains one element of an object, or one slice of it.
type rule struct {
	name  string // the element; without [x] for a choice
	slice string // the slice's name, or nothing for all of the element
	el    *element
	by    []string
	value string // what is found at by, for an item of this slice; by is [$type] for the type of a resource

	closed   bool // every item belongs to one of the slices
	min, max int  // max is unbounded where negative
	types    []string
	fixed    string
	pattern  any // JSON that has to be within the value
	codes    []string
	system   string // of codes, for Coding and CodeableConcept; any where empty
	targets  []string
	profile  string
	nested   *Profile

	rules []*rule
}

// discriminateType is the discriminator for the type of a resource.
const discriminateType = "$type"

// Profiles is a set of profiles by canonical URL. It does not change once it is loaded.
type Profiles struct {
	byURL      map[string]*Profile
	urls       []string
	extensions map[string]*Profile // by URL
}

// BuiltinProfiles returns England's Patient Flag profiles and those of UK Core that Signalbox receives.
func BuiltinProfiles() *Profiles { return builtinProfiles() }

var builtinProfiles = sync.OnceValue(func() *Profiles {
	p, err := loadEmbedded()
	if err != nil { // a test loads them
		panic(fmt.Sprintf("fhir: built-in profiles: %v", err))
	}
	return p
})

func loadEmbedded() (*Profiles, error) {
	p := &Profiles{}
	names, err := fs.Glob(profileFiles, "profiles/*.txt")
	for _, name := range names {
		var text []byte
		if text, err = profileFiles.ReadFile(name); err != nil {
			break
		}
		if p, err = p.load(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return p, errors.Join(err, p.link())
}

// URLs lists the profiles of resources in the order of the files.
func (p *Profiles) URLs() []string { return p.urls }

// Find returns the profile of a canonical URL, with or without its version; nil where there is none, or none of that version.
func (p *Profiles) Find(canonical string) *Profile {
	url, version, pinned := strings.Cut(canonical, "|")
	found := p.byURL[url]
	if found != nil && pinned && version != found.Version {
		return nil
	}
	return found
}

// Validate holds a document against a profile: the resource itself or, in a Bundle, every entry of the profile's type. It says nothing of what
// Check says. A document without a resource of that type has one fault.
func Validate(d *Document, p *Profile) Faults {
	for n := range resources(d) {
		if n.ResourceType() == p.Type {
			faults := validateEach(d, p)
			faults.sort()
			return faults
		}
	}
	v := &validator{doc: d, profile: p}
	v.fault(d.root, "no "+p.Type+" is here")
	return v.faults
}

// ValidateClaims holds every resource of a document against the profiles that it claims in meta.profile, as far as they are in the set.
func (p *Profiles) ValidateClaims(d *Document) Faults {
	var faults Faults
	for n := range resources(d) {
		for claim := range n.Child("meta").Child("profile").Children {
			profile := p.Find(claim.text)
			switch {
			case profile == nil: // of another publisher: not for us to say
			case profile.Type != n.ResourceType():
				v := &validator{doc: d, profile: profile}
				v.fault(claim, "the profile is one of "+profile.Type)
				faults = append(faults, v.faults...)
			default:
				v := &validator{doc: d, profile: profile}
				v.rules(n, profile.rules, 0)
				faults = append(faults, v.faults...)
			}
		}
	}
	faults.sort()
	return faults
}

// resources yields the document's resource and, in Bundles, those of its entries.
func resources(d *Document) func(func(*Node) bool) {
	return func(yield func(*Node) bool) {
		if !yield(d.root) || d.Type() != "Bundle" {
			return
		}
		for entry := range d.root.Child("entry").Children {
			if n := entry.Child("resource"); n != nil && !yield(n) {
				return
			}
		}
	}
}
