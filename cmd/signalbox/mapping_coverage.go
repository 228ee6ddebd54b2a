package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/mappings"
	"signalbox/mappings/coverage"
)

func mappingCoverageCommand() *cobra.Command {
	var config, since, dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "coverage [SAMPLE...] --mapping DIR [--since 30d]",
		Short: "Show what of all that is sent a mapping uses, ignores on purpose, or does not know",
		Long: `Count over sample files, or with none over the messages that the record keeps: each column, element and code, whether it is used,
ignored on purpose or unmapped, and how often it is there; each field of the event, by which rule it is made and how often it is filled.
Of values it shows the codes of code tables alone. Exits with 1 when something is unmapped.`,
		RunE: func(c *cobra.Command, samples []string) error {
			m, err := folderMapping(c, dir)
			if err != nil {
				return err
			}
			run := coverage.New(m)
			if len(samples) > 0 {
				err = eachFile(c, samples, func(msg engine.Message) { run.Message(msg) })
			} else {
				err = eachStored(c, config, since, m, func(msg engine.Message) { run.Message(msg) })
			}
			if err != nil {
				return err
			}
			r := run.Report()
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(r)
			} else {
				showCoverage(screen.New(c.OutOrStdout()), r)
			}
			if err == nil && !r.Complete() {
				return errFailed
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "mapping", ".", "folder of the supplier's mapping")
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&since, "since", "30d", "messages that arrived at this time or later: 30d, 12h, a date or a time")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// eachFile calls do with each file as a message.
func eachFile(c *cobra.Command, paths []string, do func(engine.Message)) error {
	progress := screen.New(c.ErrOrStderr()).Progress("files", len(paths), time.Now)
	defer progress.End()
	for i, path := range paths {
		msg, err := fileMessage(path)
		if err != nil {
			return err
		}
		do(msg)
		progress.At(i + 1)
	}
	return nil
}

// eachStored calls do with each message of the supplier that the record keeps, in the order of arrival.
func eachStored(c *cobra.Command, config, since string, m *mappings.Mapping, do func(engine.Message)) error {
	from, err := ago("since", since, time.Now())
	if err != nil {
		return err
	}
	return atDesk(c.Context(), config, func(d *app.Desk) error {
		all, total, err := benchOf(d).Messages(c.Context(), m.Supplier(), from)
		if err != nil {
			return err
		}
		progress := screen.New(c.ErrOrStderr()).Progress("messages", total, time.Now)
		defer progress.End()
		n := 0
		for stored, err := range all {
			if err != nil {
				return err
			}
			if n++; !stored.Gone {
				do(stored.Message)
			}
			progress.At(n)
		}
		return nil
	})
}

func showCoverage(s *screen.Screen, r *coverage.Report) {
	s.Line("%s: %d messages, %d records: %d accepted, %d rejected, %d parked, %d skipped", r.Supplier, r.Messages, r.Records, r.Outcomes[engine.Accepted],
		r.Outcomes[engine.Rejected], r.Outcomes[engine.Parked], r.Outcomes[engine.Skipped])
	if r.Unsurveyed {
		s.Line("The format cannot show yet what no field declares.")
	}
	colours := map[coverage.Use]screen.Colour{coverage.Used: screen.Good, coverage.Ignored: screen.Soft, coverage.Unmapped: screen.Bad}
	s.Line("")
	for _, e := range r.Elements {
		text := fmt.Sprintf("%d of %d filled", e.Filled, e.Seen)
		if e.Use == coverage.Used && e.Passed > 0 {
			text += fmt.Sprintf(", %d of them read by nothing", e.Passed)
		}
		for _, by := range e.By {
			text += "  " + by
		}
		if e.Why != "" {
			text += "  " + e.Why
		}
		s.Row(screen.Cell{Text: string(e.Use), Width: 8, Colour: colours[e.Use]}, screen.Cell{Text: e.Path, Width: 28}, screen.Cell{Text: text})
	}
	if len(r.Codes) > 0 {
		s.Line("")
	}
	for _, c := range r.Codes {
		s.Row(screen.Cell{Text: string(c.Use), Width: 8, Colour: colours[c.Use]}, screen.Cell{Text: c.Table + " " + c.Code, Width: 28},
			screen.Cell{Text: strings.TrimSpace(fmt.Sprintf("seen %d times  %s  %s", c.Seen, c.At, c.Days))})
	}
	s.Line("")
	events := r.Outcomes[engine.Accepted]
	for _, t := range r.Targets {
		text := "no rule"
		if t.Rule != "" {
			text = fmt.Sprintf("%s  filled in %d of %d events", t.Rule, t.Filled, events)
		}
		if t.Faults > 0 {
			text += fmt.Sprintf(", at fault in %d records", t.Faults)
		}
		s.Row(screen.Cell{Text: t.Path, Width: 26}, screen.Cell{Text: text})
	}
}
