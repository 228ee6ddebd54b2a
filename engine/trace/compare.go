package trace

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"signalbox/engine"
	"signalbox/fhir/pds"
)

// The steps of a comparison, as verdicts name them.
const (
	StepBirthDate = "birth date"
	StepFamily    = "family name"
	StepGiven     = "given name"
	StepStatus    = "verification status" // PDS itself has not verified the number
)

// The steps of given names, in the order in which they are tried. That there are four is published; what they are is assumed.
const (
	GivenWhole   = "whole"         // all given names, in order
	GivenFirst   = "first"         // the first of each side
	GivenAny     = "any"           // the first that was sent is one of PDS's: a person who goes by a middle name
	GivenLetters = "three-letters" // the first three letters of the first of each side, as PDS advises for its search
)

// Config says which steps there are.
type Config struct {
	// Given lists the steps that a given name may match by. GivenLetters is not among the default: twins share family name and birth date, and
	// often the first letters of their names, and a wrong match puts the flag on the wrong child.
	Given []string
	// FormerNames lets an earlier family name match: one that PDS calls old or maiden, or whose time has ended.
	FormerNames bool
	// NamesOptional lets a record without names match by number and birth date. Otherwise it does not match.
	NamesOptional bool
}

// Default returns the first three steps of given names, current names only.
func Default() Config { return Config{Given: []string{GivenWhole, GivenFirst, GivenAny}} }

// Validate reports a step that does not exist, and the want of any.
func (c Config) Validate() error {
	if len(c.Given) == 0 {
		return errors.New("trace: config: Given names no step: no given name would match")
	}
	for _, s := range c.Given {
		if !slices.Contains([]string{GivenWhole, GivenFirst, GivenAny, GivenLetters}, s) {
			return errors.New("trace: config: Given names a step that is none of whole, first, any, three-letters")
		}
	}
	return nil
}

// Compare reports whether the person who was sent is PDS's, and the step that decided: the first that failed, or the step of the given name that
// matched.
func (c Config) Compare(who engine.Subject, p pds.Patient) (step string, ok bool) {
	if who.BirthDate.IsZero() || who.BirthDate.ISO()[:len(time.DateOnly)] != p.BirthDate { // a time of birth is no part of it
		return StepBirthDate, false
	}
	family, given := Normalise(who.Family.Reveal()), strings.Fields(Normalise(who.Given.Reveal()))
	if c.NamesOptional && family == "" && len(given) == 0 {
		return StepBirthDate, true
	}
	best := StepFamily
	for _, name := range p.Names {
		if former(name) && !c.FormerNames || !sameFamily(family, Normalise(name.Family)) {
			continue
		}
		best = StepGiven
		theirs := strings.Fields(Normalise(strings.Join(name.Given, " ")))
		for _, step := range c.Given {
			if sameGiven(step, given, theirs) {
				return "given name: " + step, true
			}
		}
	}
	return best, false
}

// sameFamily compares without the gaps: van der Test, Vander Test and VanderTest are written for one name.
func sameFamily(a, b string) bool {
	return a != "" && strings.ReplaceAll(a, " ", "") == strings.ReplaceAll(b, " ", "")
}

func sameGiven(step string, sent, held []string) bool {
	if len(sent) == 0 || len(held) == 0 {
		return false
	}
	switch step {
	case GivenWhole:
		return strings.Join(sent, "") == strings.Join(held, "")
	case GivenFirst:
		return sent[0] == held[0]
	case GivenAny:
		return slices.Contains(held, sent[0])
	case GivenLetters:
		a, b := []rune(sent[0]), []rune(held[0])
		return len(a) >= 3 && len(b) >= 3 && string(a[:3]) == string(b[:3])
	}
	return false
}

// Normalise writes a name as names are compared: lower case, without accents, apostrophes and full stops, a blank for every hyphen and gap, and
// letters that have no accent to lose (ł, ø, æ, ß and their like) as British records transliterate them.
func Normalise(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(norm.NFKD.String(name))) {
		switch {
		case unicode.Is(unicode.Mn, r), isApostrophe(r), r == '.':
			continue
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == 0x2212, r == '_':
			gap = true
			continue
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		b.WriteString(plain(r))
	}
	return b.String()
}

func isApostrophe(r rune) bool {
	return strings.ContainsRune("'`\u00b4\u2018\u2019\u201b\u02bc\u02b9\u2032\uff07", r)
}

// plain writes a letter that Unicode does not take apart.
func plain(r rune) string {
	switch r {
	case 'ł':
		return "l"
	case 'ø':
		return "o"
	case 'đ', 'ð':
		return "d"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'ŧ':
		return "t"
	case 'ŋ':
		return "n"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'þ':
		return "th"
	case 'ß':
		return "ss"
	}
	return string(r)
}

// former reports whether a name is not the person's any more. A birth name is kept as maiden.
func former(n pds.Name) bool { return n.Ended || n.Use == "old" || n.Use == "maiden" }
