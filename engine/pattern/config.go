// Package pattern says when the visits of a flagged child make a pattern across boundaries: many organisations, or many areas, within a few
// days.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/engine"
)

// Config holds the rule of each plan type and the areas of organisations. No figure is published: the defaults are ours.
type Config struct {
	ChildProtection engine.PatternRule `yaml:"childProtection"`
	LookedAfter     engine.PatternRule `yaml:"lookedAfter"`
	Unborn          engine.PatternRule `yaml:"unborn"`
	// Areas names the area of an organisation by its ODS code as accesses give it. One that is not named is an area of its own.
	Areas map[string]string `yaml:"areas,omitempty"`
}

// Default returns our own figures: three organisations within two weeks. Areas make no pattern until they are configured.
func Default() Config {
	rule := engine.PatternRule{Organisations: 3, Days: 14}
	return Config{ChildProtection: rule, LookedAfter: rule, Unborn: rule}
}

// mostDays bounds a rule: what is older is no matter of days.
const mostDays = 366

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	for name, r := range map[string]engine.PatternRule{"childProtection": c.ChildProtection, "lookedAfter": c.LookedAfter, "unborn": c.Unborn} {
		at := "patterns." + name
		if r.Organisations < 0 || r.Organisations == 1 {
			errs = append(errs, fmt.Errorf("%s.organisations: must be 0, which turns it off, or 2 or more", at))
		}
		if r.Areas < 0 || r.Areas == 1 {
			errs = append(errs, fmt.Errorf("%s.areas: must be 0, which turns it off, or 2 or more", at))
		}
		if r.Areas > 0 && len(c.Areas) == 0 {
			errs = append(errs, fmt.Errorf("%s.areas: needs patterns.areas: without it each organisation is an area of its own", at))
		}
		if on(r) && (r.Days < 1 || r.Days > mostDays) {
			errs = append(errs, fmt.Errorf("%s.days: must be 1 to %d", at, mostDays))
		}
	}
	for code, area := range c.Areas {
		if strings.TrimSpace(code) == "" || strings.TrimSpace(area) == "" {
			errs = append(errs, errors.New("patterns.areas: a code or an area is empty"))
		}
	}
	return errors.Join(errs...)
}

// on reports whether a rule can make a pattern.
func on(r engine.PatternRule) bool { return r.Organisations > 0 || r.Areas > 0 }

func (c Config) rule(p engine.PlanType) engine.PatternRule {
	switch p {
	case engine.ChildProtection:
		return c.ChildProtection
	case engine.LookedAfter:
		return c.LookedAfter
	default:
		return c.Unborn
	}
}

// Watch finds patterns. It keeps nothing: visits and patterns are in the store.
type Watch struct {
	cfg   Config
	areas map[string]string
	zone  *time.Location
}

// New returns a watch whose days begin and end in an IANA time zone.
func New(cfg Config, zone string) (*Watch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	z, err := time.LoadLocation(zone)
	if err != nil {
		return nil, errors.New("patterns: is given a time zone that is not known")
	}
	w := &Watch{cfg: cfg, areas: map[string]string{}, zone: z}
	for code, area := range cfg.Areas {
		w.areas[plain(code)] = strings.TrimSpace(area)
	}
	return w, nil
}

// plain is a code as it is compared.
func plain(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }
