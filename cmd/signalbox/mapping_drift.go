package main

import (
	"errors"

	"github.com/spf13/cobra"

	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/drift"
)

func mappingDriftCommand() *cobra.Command {
	var config, since, dir string
	c := &cobra.Command{
		Use:   "drift [FILE...] --mapping DIR [--since 90d]",
		Short: "Tell what a supplier sends otherwise than before",
		Long: `Hold each message of a supplier against those before it: the messages that the record keeps, in the order of their arrival, or FILEs in the
order in which they are named. A new or missing column, a new code, another date format, and a step in the number of records or in how
often a column is empty are told on the first message that has them; ordinary days are passed over. No value is shown.

Exits with 3 when the last message is not like the others.`,
		RunE: func(c *cobra.Command, files []string) error {
			m, err := folderMapping(c, dir)
			if err != nil {
				return err
			}
			w := &driftWatch{screen: screen.New(c.OutOrStdout()), mapping: m, base: drift.New(knownCodes(m)), names: files}
			if len(files) > 0 {
				err = eachFile(c, files, w.see)
			} else {
				err = eachStored(c, config, since, m, w.see)
			}
			if err = errors.Join(err, w.err); err != nil {
				return err
			}
			w.screen.Line("%d messages, %d of them with something new", w.n, w.alarmed)
			if w.last {
				return &exitError{exitDifferent, errFailed}
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "mapping", ".", "folder of the supplier's mapping")
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&since, "since", "90d", "messages that arrived at this time or later: 90d, 12h, a date or a time")
	return c
}

// knownCodes are the codes that a mapping's tables and enumerations know.
func knownCodes(m *mappings.Mapping) []string {
	var out []string
	for _, rows := range m.Tables() {
		for _, r := range rows {
			out = append(out, r.Source)
		}
	}
	for _, f := range m.Schema().Fields {
		out = append(out, f.Enum...)
	}
	return out
}

// driftWatch prints the alarms of one message after the other.
type driftWatch struct {
	screen     *screen.Screen
	mapping    *mappings.Mapping
	base       *drift.Baseline
	names      []string // of files; nil for stored messages
	n, alarmed int
	last       bool
	err        error
}

func (w *driftWatch) see(m engine.Message) {
	p, err := drift.Of(w.mapping.Adapter(), m, w.mapping.Schema())
	if err != nil {
		w.err = err
		return
	}
	alarms := w.base.Check(p)
	w.base.Add(p)
	name := m.Received.Format("2006-01-02T15:04:05Z07:00") + "  message " + string(m.ID)
	if w.n < len(w.names) {
		name = w.names[w.n]
	}
	w.n++
	if w.last = len(alarms) > 0; !w.last {
		return
	}
	w.alarmed++
	w.screen.Row(screen.Cell{Text: name, Colour: screen.Strong})
	for _, a := range alarms {
		w.screen.Row(screen.Cell{Text: "  " + string(a.Kind), Width: 16, Colour: screen.Wait}, screen.Cell{Text: a.Path, Width: 22}, screen.Cell{Text: a.Text})
	}
}
