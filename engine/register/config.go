package register

import (
	"errors"
	"fmt"
	"time"

	"signalbox/engine"
)

// Config says how long a flag can be seen after its plan has ended, in whole days after the end date. The sources differ (SCRa user guide:
// 365 days for child protection and looked after, 28 days after the due date for unborn plans; another supplier's text says 364), so it is
// configuration with the SCRa figures as the default. That a record ends by itself when the child turns 18 is told of the national service by a
// supplier's guide; the window after it is the same as after any end.
type Config struct {
	ChildProtectionDays int    `yaml:"childProtectionDays"`
	LookedAfterDays     int    `yaml:"lookedAfterDays"`
	UnbornDays          int    `yaml:"unbornDays"`
	EndsAtAge           int    `yaml:"endsAtAge"` // a child's plan ends on this birthday if it has not ended before; 0: it does not
	Zone                string `yaml:"zone"`      // IANA zone in which a day begins and ends
}

// Default returns the published windows in English time.
func Default() Config {
	return Config{ChildProtectionDays: 365, LookedAfterDays: 365, UnbornDays: 28, EndsAtAge: 18, Zone: "Europe/London"}
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	for name, days := range map[string]int{
		"childProtectionDays": c.ChildProtectionDays, "lookedAfterDays": c.LookedAfterDays, "unbornDays": c.UnbornDays, "endsAtAge": c.EndsAtAge,
	} {
		if days < 0 {
			errs = append(errs, fmt.Errorf("visibility.%s: must not be negative", name))
		}
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		errs = append(errs, errors.New("visibility.zone: is not a known IANA time zone"))
	}
	return errors.Join(errs...)
}

func (c Config) days(p engine.PlanType) int {
	switch p {
	case engine.ChildProtection:
		return c.ChildProtectionDays
	case engine.LookedAfter:
		return c.LookedAfterDays
	default:
		return c.UnbornDays
	}
}
