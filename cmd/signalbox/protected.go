package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/engine/notify"
)

func protectedCommand() *cobra.Command {
	var config, la, at, file string
	c := &cobra.Command{
		Use:   "protected --la CODE",
		Short: "List the children of an authority whom no hospital sees, since when, why, and what to do",
		Long: `List every child that an authority sent and that no flag of the authority shows to a hospital that asks, the longest first. The
list names message and record, never a child: --file writes the authority's own list, with NHS numbers and its own ids, for its eyes only. The
engine puts the same list into the authority's mailbox where routes[].notProtected says how often.

With --at the list is as it would have been at that time, by what the record knew then ('signalbox query --help' says how that is known). It reads the record of a stopped or a running engine. Exit code 3: there are children in the list.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			when := time.Time{}
			if at != "" {
				var err error
				if when, err = time.Parse(time.RFC3339, at); err != nil {
					return errors.New("--at is not a time such as 2026-10-01T09:00:00Z")
				}
			}
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				source, ok := d.Replay.Routes.Source(la)
				if !ok {
					return errors.New("--la: no route is this authority's")
				}
				all, err := notify.NotProtected(c.Context(), d.Store, d.Replay.Register, la, source, when)
				if err != nil {
					return err
				}
				if err := printUnprotected(c, all, file); err != nil {
					return err
				}
				if len(all) > 0 {
					return &exitError{exitDifferent, errFailed}
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&la, "la", "", "ODS code of the authority (needed)")
	c.Flags().StringVar(&at, "at", "", "as it would have been at this time, RFC 3339 (default: now)")
	c.Flags().StringVar(&file, "file", "", "write the authority's own list, which holds personal data, into this new file")
	_ = c.MarkFlagRequired("la") // the flag is there
	return c
}

func printUnprotected(c *cobra.Command, all []notify.Unprotected, file string) error {
	if file != "" {
		body, err := notify.NotProtectedCSV(all)
		if err != nil {
			return err
		}
		return writeNew(file, body)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MESSAGE\tRECORD\tSINCE\tWHY\tREASON\tWHAT TO DO")
	for _, u := range all {
		fmt.Fprintf(w, "%.16s\t%d\t%s\t%s\t%s\t%s\n", u.Record.Message, u.Record.Position, u.Since.Format(time.RFC3339), u.Why, u.Reason(), u.ToDo())
	}
	return w.Flush()
}
