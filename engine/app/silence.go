package app

import (
	"errors"
	"fmt"
	"os"
	"time"

	"signalbox/engine/pipeline"
	"signalbox/engine/silence"
)

// Silence says how it is noticed that a sender has stopped.
type Silence struct {
	Watch    bool     `yaml:"watch"`              // whether anybody is listened for
	Days     int      `yaml:"days"`               // before the last that was heard of a sender, from which its cadence is learnt
	Share    float64  `yaml:"share"`              // of like days on which it came, from which it is expected on the next
	MinDays  int      `yaml:"minDays"`            // working days that have to be known before anything is expected
	Grace    Duration `yaml:"grace"`              // after the time by which it usually came
	Unlearnt Duration `yaml:"unlearnt"`           // a sender of which too little is known is silent after so long; 0: never
	Holidays string   `yaml:"holidays,omitempty"` // CSV file of bank holidays in the place of those that are built in
}

func defaultSilence() Silence {
	return Silence{Watch: true, Days: 56, Share: 0.8, MinDays: 10, Grace: Duration(time.Hour), Unlearnt: Duration(7 * 24 * time.Hour)}
}

// silence makes the watcher's settings. A day begins and ends in the zone of the visibility windows.
func (c Config) silence() (silence.Config, error) {
	out, err := silence.Default()
	if err != nil {
		return out, err
	}
	s := c.Silence
	out.Days, out.Share, out.MinDays, out.Grace, out.Unlearnt = s.Days, s.Share, s.MinDays, time.Duration(s.Grace), time.Duration(s.Unlearnt)
	out.Poll = time.Duration(c.Mesh.Poll)
	if out.Zone, err = time.LoadLocation(c.Visibility.Zone); err != nil {
		return out, errors.New("visibility.zone: is not a known IANA time zone")
	}
	if s.Holidays != "" {
		f, err := os.Open(s.Holidays)
		if err != nil {
			return out, fmt.Errorf("silence.holidays: %w", err)
		}
		out.Holidays, err = silence.ReadCalendar(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return out, fmt.Errorf("silence.holidays: %w", err)
		}
	}
	return out, out.Validate()
}

// watcher listens for every authority's files and whether it collects, for every trust, and for the polling of our mailboxes.
func (c Config) watcher(record silence.Record) (*silence.Watcher, error) {
	cfg, err := c.silence()
	if err != nil {
		return nil, err
	}
	var all []silence.Sender
	for _, r := range c.Routes {
		all = append(all, silence.Sender{Kind: silence.File, Name: r.Authority.ODSCode, Source: pipeline.MeshSource(r.Mailbox, r.Sender), Workflow: r.Workflows.Upload},
			silence.Sender{Kind: silence.Mailbox, Name: r.Authority.ODSCode})
	}
	for _, t := range c.Trusts {
		all = append(all, silence.Sender{Kind: silence.Asking, Name: t.Name, Source: pipeline.TrustSource(t.Name)})
	}
	for _, m := range c.Mailboxes {
		all = append(all, silence.Sender{Kind: silence.Poll, Name: m.ID})
	}
	return silence.NewWatcher(cfg, record, all)
}

// Watcher listens for the configuration's senders, for a person's command.
func (d *Desk) Watcher() (*silence.Watcher, error) { return d.config.watcher(d.Store) }
