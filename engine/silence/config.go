package silence

import (
	"errors"
	"time"
)

// Config says how a cadence is learnt and when silence is told.
type Config struct {
	Days     int           // so many days before the last that was heard are learnt from
	Share    float64       // of like days (working days, Mondays) on which a sender came, from which it is expected on the next
	MinDays  int           // working days, or signals, that have to be known before anything is expected
	Grace    time.Duration // after the time by which a sender usually came
	Unlearnt time.Duration // a sender of which too little is known is silent after so long; 0: never
	Poll     time.Duration // between two listings of a mailbox of ours, as configured
	Holidays Calendar
	Zone     *time.Location // in which a day begins and ends
}

// Default returns eight weeks, four days of five, ten days, an hour's grace and a week for who is new, with England's bank holidays in English time.
func Default() (Config, error) {
	holidays, err := England()
	if err != nil {
		return Config{}, err
	}
	zone, err := time.LoadLocation("Europe/London")
	return Config{Days: 56, Share: 0.8, MinDays: 10, Grace: time.Hour, Unlearnt: 7 * 24 * time.Hour, Poll: 5 * time.Minute, Holidays: holidays, Zone: zone}, err
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New("silence."+text))
		}
	}
	need(c.Days >= 28 && c.Days <= 366, "days: is between 28 and 366")
	need(c.Share > 0.5 && c.Share <= 1, "share: is more than 0.5 and at most 1")
	need(c.MinDays >= 5, "minDays: is 5 or more")
	need(c.Grace >= 0, "grace: must not be negative")
	need(c.Unlearnt >= 0, "unlearnt: must not be negative")
	need(c.Poll > 0, "poll: must be positive")
	need(c.Zone != nil, "zone: is missing")
	return errors.Join(errs...)
}
