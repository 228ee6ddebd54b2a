package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine/app"
	"signalbox/engine/workbench"
	"signalbox/mappings/lineage"
)

// benchOf is the workbench on a desk's record.
func benchOf(d *app.Desk) *workbench.Bench {
	return &workbench.Bench{Store: d.Store, Routes: d.Replay.Routes, Formats: adapters.All()}
}

func mappingExplainCommand() *cobra.Command {
	var config string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain EVENT-ID [FIELD]",
		Short: "Say where an event, or one field of it, came from, and prove it",
		Long: `Print for each field of an event the message, the bytes, the row and column or the element that it came from, the rule that
made it (file and line) and the row of the code table. Positions only: no value is shown.

The event is derived again from the stored bytes with the version of the mapping that made it. When what comes out is not the same
to the byte, this says so and exits with 1.

EVENT-ID may be cut to its first 8 digits or more. FIELD is a name such as plan.start; plan. stands for all that begin so.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				x, err := benchOf(d).Explain(c.Context(), args[0])
				if err != nil {
					return err
				}
				if len(args) == 2 {
					if x.Fields, err = only(x.Fields, args[1]); err != nil {
						return err
					}
				}
				if asJSON {
					enc := json.NewEncoder(c.OutOrStdout())
					enc.SetIndent("", "  ")
					err = enc.Encode(x)
				} else {
					showExplanation(screen.New(c.OutOrStdout()), x)
				}
				if err == nil && !x.Identical {
					return errFailed
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// only keeps the named field, or those under a name that ends in a dot.
func only(fields []lineage.Field, name string) ([]lineage.Field, error) {
	var out []lineage.Field
	var known []string
	for _, f := range fields {
		known = append(known, f.Target)
		if f.Target == name || strings.HasSuffix(name, ".") && strings.HasPrefix(f.Target, name) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the event has no field %s: it has %s", name, strings.Join(known, ", "))
	}
	return out, nil
}

func showExplanation(s *screen.Screen, x workbench.Explanation) {
	const left = 8
	row := func(name, text string) {
		s.Row(screen.Cell{Text: name, Width: left, Colour: screen.Soft}, screen.Cell{Text: text})
	}
	row("event", string(x.Event)+"  "+string(x.Kind))
	row("message", fmt.Sprintf("%s  from %s, received %s", x.Message, x.Source, x.Received.Format(time.RFC3339)))
	if x.Mapping != "" {
		row("bytes", fmt.Sprintf("SHA-256 %s, %d bytes", x.Digest, x.Bytes))
		row("record", fmt.Sprintf("%d  %s", x.Position, x.Record))
		row("mapping", fmt.Sprintf("%s, version %s", x.Supplier, x.Mapping))
	}
	for _, f := range x.Fields {
		s.Line("")
		s.Row(screen.Cell{Text: f.Target, Colour: screen.Strong})
		for _, p := range f.From {
			row("  from", p.String())
		}
		row("  rule", fmt.Sprintf("%s:%d  %s", f.File, f.Line, f.Rule))
		if len(f.Declared) > 0 {
			row("  source", strings.Join(f.Declared, ", "))
		}
		if f.Row != "" {
			row("  table", f.Row)
			if f.RowBy != "" {
				row("  on", f.RowBy)
			}
			for _, p := range f.RowFrom {
				row("  from", p.String())
			}
		}
	}
	s.Line("")
	switch {
	case x.Mapping == "":
		s.Line("%s", x.Why)
	case x.Identical:
		s.Row(screen.Cell{Text: "identical", Colour: screen.Good}, screen.Cell{Text: "derived again from these bytes with this version of the mapping, the event comes out the same, byte for byte"})
	case x.Why != "":
		s.Row(screen.Cell{Text: "DIFFERENT", Colour: screen.Bad}, screen.Cell{Text: "derived again, no such event comes out: " + x.Why})
	default:
		s.Row(screen.Cell{Text: "DIFFERENT", Colour: screen.Bad}, screen.Cell{Text: "derived again, the event comes out with another " + strings.Join(x.Differs, ", ")})
	}
	if x.Withdrawn {
		s.Line("The event is withdrawn: it counts for nothing any more.")
	}
}

// ago reads "30d", "12h", a date or a time as an instant.
func ago(flag, text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && fmt.Sprint(n) == days && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := instant(flag, text)
	if err != nil {
		return t, errors.Join(err, fmt.Errorf("it may also be a time span such as 30d or 12h"))
	}
	return t, nil
}
