package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/engine/notify"
	"signalbox/engine/pattern"
	"signalbox/engine/store"
)

func patternsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "patterns",
		Short: "See which flagged children were seen across boundaries: ls, show",
		Long: `A pattern is a day on which a flagged child was seen and, with the days before it, had been seen by so many organisations or in so many areas as
the rule of the plan's type wants (patterns in the configuration). Each is raised once, as an event of its own, and told to the authority as CSV where
routes[].workflows.pattern names a workflow. These commands read the record of a stopped or a running engine, with every visit that is known now, also
of those that came later.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	config := c.PersistentFlags().String("config", "signalbox.yaml", "configuration file")
	c.AddCommand(patternsListCommand(config), patternsShowCommand(config))
	return c
}

func patternsListCommand(config *string) *cobra.Command {
	var la string
	var days int
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the patterns, oldest first, without naming a child",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				all, err := d.Store.Patterns(c.Context(), la, d.Store.Now().AddDate(0, 0, -days))
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout(), "ID\tLA\tPLAN\tDAY\tVISITS\tORGANISATIONS\tAREAS\tRULE\tRAISED")
				for _, r := range all {
					p, f := r.Event.Pattern, whole(d.Patterns, r)
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", notify.PatternID(r.Event.ID), p.Authority, p.Plan, p.Day.ISO(), len(f.Visits), f.Organisations,
						f.Areas, notify.RuleText(p.Rule), r.Event.Origin.Received.Format(time.RFC3339))
				}
				return w.Flush()
			})
		},
	}
	c.Flags().StringVar(&la, "la", "", "ODS code of one authority (default: all)")
	c.Flags().IntVar(&days, "days", 30, "raised within so many days")
	return c
}

// whole is a pattern with every visit that is known now.
func whole(w *pattern.Watch, r store.RaisedPattern) pattern.Found {
	return w.Look(r.Event.Pattern.Since, r.Event.Pattern.Day, r.Visits)
}

func patternsShowCommand(config *string) *cobra.Command {
	file := ""
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one pattern and its visits",
		Long: `Show one pattern and its visits, the earliest first. Times and organisations can point at a child: treat them so. The child itself is named only
in what --file writes: the authority's own list, with NHS number and its own id, for its eyes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				all, err := d.Store.Patterns(c.Context(), "", time.Time{})
				if err != nil {
					return err
				}
				for _, r := range all {
					if len(args[0]) >= 8 && strings.HasPrefix(string(r.Event.ID), args[0]) {
						return showPattern(c, d, r, file)
					}
				}
				return errors.New("there is no such pattern: see signalbox patterns ls, and give at least 8 digits of its id")
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "write the authority's own list, which holds personal data, into this new file")
	return c
}

func showPattern(c *cobra.Command, d *app.Desk, r store.RaisedPattern, file string) error {
	p, f := r.Event.Pattern, whole(d.Patterns, r)
	if file != "" {
		var body []byte
		err := d.Store.Write(c.Context(), func(tx *store.Tx) error {
			crossing, err := notify.CrossingOf(tx, r.Event, f.Visits, f.Organisations, f.Areas)
			if err == nil {
				body, err = notify.PatternCSV(crossing)
			}
			return err
		})
		if err != nil {
			return err
		}
		return writeNew(file, body)
	}
	fmt.Fprintf(c.OutOrStdout(), "id %s, authority %s, %s, %s to %s: %d organisations, %d areas; the rule is %s\n", notify.PatternID(r.Event.ID), p.Authority,
		p.Plan, p.Since.ISO(), p.Day.ISO(), f.Organisations, f.Areas, notify.RuleText(p.Rule))
	w := table(c.OutOrStdout(), "AT\tORGANISATION\tNAME\tAREA\tACCESS")
	for _, v := range f.Visits {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.At.UTC().Format(time.RFC3339), v.Organisation.ODSCode, v.Organisation.Name, dash(v.Area), v.Access)
	}
	return w.Flush()
}

// writeNew writes a file that holds personal data: a new one, for its owner alone.
func writeNew(file string, body []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
}
