package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine/app"
	"signalbox/mappings"
	"signalbox/mappings/change"
)

func mappingPlanCommand() *cobra.Command {
	var config string
	c := &cobra.Command{
		Use:   "plan DIR...",
		Short: "Say what loading a folder would change, for which mailboxes, before it does",
		Long: `Compare each folder with the one that the configuration uses for the same supplier: the edits rule by rule and row by row, the mailboxes
and trusts that they are for, whether the folder lints and passes its tests, and how many records wait for codes that it now knows.
Nothing is changed. Exits with 1 when a folder would be refused.

What the edits would have done to stored messages is told by 'signalbox mapping backtest'.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, dirs []string) error {
			cfg, err := app.ReadConfig(config)
			if err != nil {
				return err
			}
			return eachFolder(dirs, func(f folder) error { return plan(c, cfg, f) })
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	return c
}

func plan(c *cobra.Command, cfg app.Config, f folder) error {
	s := screen.New(c.OutOrStdout())
	now, err := f.load(c)
	if err != nil {
		return err
	}
	s.Row(screen.Cell{Text: now.Supplier(), Colour: screen.Strong}, screen.Cell{Text: fmt.Sprintf("version %.12s, from %s", now.Digest(), f.shown)})
	users := usersOf(cfg, now.Supplier())
	for _, u := range users {
		s.Line("  for %s", u)
	}
	if len(users) == 0 {
		s.Line("  for nobody: no route and no trust of the configuration names this supplier")
	}
	report, err := mappings.RunTests(f.fsys, f.name, now)
	if err != nil {
		return err
	}
	s.Line("  tests: %d, %d fail", len(report.Results), report.Failed())
	if err := planEdits(s, cfg, now); err != nil {
		return err
	}
	if err := planReleases(c, cfg, s, now); err != nil {
		return err
	}
	if report.Failed() > 0 {
		s.Row(screen.Cell{Text: "  refused", Colour: screen.Bad}, screen.Cell{Text: "a folder whose tests fail is not loaded"})
		return errFailed
	}
	return nil
}

// usersOf lists the mailboxes and trusts that a supplier's mapping is for.
func usersOf(cfg app.Config, supplier string) []string {
	var out []string
	for _, r := range cfg.Routes {
		if r.Supplier == supplier {
			out = append(out, fmt.Sprintf("route %s: what %s sends to %s with workflow %s", r.Name, r.Sender, r.Mailbox, r.Workflows.Upload))
		}
	}
	for _, t := range cfg.Trusts {
		if t.Supplier == supplier {
			out = append(out, "trust "+t.Name+": its FHIR messages")
		}
	}
	return out
}

func planEdits(s *screen.Screen, cfg app.Config, now *mappings.Mapping) error {
	fsys, err := app.Suppliers(cfg.Suppliers).Find(now.Supplier())
	if err != nil {
		s.Line("  new: the configuration has no folder of this name yet")
		return nil
	}
	old, err := mappings.Load(fsys, now.Supplier(), adapters.All())
	if err != nil {
		s.Line("  the folder that is configured now does not lint, so nothing can be compared")
		return nil
	}
	if old.Digest() == now.Digest() {
		s.Line("  no change: this version is the one that is configured")
		return nil
	}
	edits := change.Between(old, now)
	s.Line("  %d edits against version %.12s", len(edits), old.Digest())
	for _, e := range edits {
		sign, colour := "~", screen.Wait
		switch {
		case e.Was == "":
			sign, colour = "+", screen.Good
		case e.Is == "":
			sign, colour = "-", screen.Bad
		}
		s.Row(screen.Cell{Text: "  " + sign, Colour: colour}, screen.Cell{Text: e.String() + "  -> " + strings.Join(e.Touches, " ")})
	}
	if len(edits) == 0 {
		s.Line("  only what a person reads: comments, notes, reasons")
	}
	return nil
}

// planReleases counts the records that wait for codes which the folder knows. It needs the record to be there.
func planReleases(c *cobra.Command, cfg app.Config, s *screen.Screen, now *mappings.Mapping) (err error) {
	if cfg.Store.Path != "" && !exists(cfg.Store.Path) {
		return nil
	}
	d, err := app.OpenDesk(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	codes, _, err := benchOf(d).Unmapped(c.Context())
	if err != nil {
		return err
	}
	for _, code := range codes {
		if code.Supplier != now.Supplier() {
			continue
		}
		for _, row := range now.Tables()[code.Table] {
			if row.Source == code.Code {
				s.Line("  %d records wait for the code %s of table %s, which it knows: signalbox replay --parked-by table:%s", code.Parked, code.Code, code.Table, code.Table)
			}
		}
	}
	return nil
}
