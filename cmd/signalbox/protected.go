package main

import (
	"errors"
	"fmt"
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

With --at the list is as it would have been at that time, by what the record knew then ('signalbox query --help' says how that is known). It reads
the record of a stopped or a running engine. Exit code 3: there are children in the list.

A child leaves the list when a query shows its flag. A record that names nobody can be followed by nothing: it stays until a person says what became
of it, with 'signalbox protected answer'.`,
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
	c.AddCommand(protectedAnswerCommand())
	return c
}

func protectedAnswerCommand() *cobra.Command {
	var config, la, message, note string
	record := 0
	c := &cobra.Command{
		Use:   "answer --la CODE --message ID --record N --note TEXT",
		Short: "Take a record that names nobody off the list, once somebody knows what became of it",
		Long: `A record of which neither NHS number nor the authority's own id could be read stays in the list of children whom no hospital sees, because no later
record can be told to be the same child's. Ask the authority; when the child has been sent again, or was none, say so here. Earlier copies of the
record leave with it; sent once more it is a new line. A record that names its child is refused: that child leaves when a query shows its flag.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(message) < 8 {
				return errors.New("--message is at least the first 8 characters of the message's id, as the list has it")
			}
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				n, err := d.Store.AnswerNameless(c.Context(), la, message, record, note)
				if err != nil {
					return err
				}
				if n == 0 {
					return errors.New("no record without a name is open there: see signalbox protected")
				}
				fmt.Fprintf(c.OutOrStdout(), "answered for: %d\n", n)
				return nil
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&la, "la", "", "ODS code of the authority")
	c.Flags().StringVar(&message, "message", "", "id of the message, or its beginning")
	c.Flags().IntVar(&record, "record", 0, "the record in it")
	c.Flags().StringVar(&note, "note", "", "who knows what, without personal data")
	for _, name := range []string{"la", "message", "record", "note"} {
		_ = c.MarkFlagRequired(name) // the flags are there
	}
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
	w := table(c.OutOrStdout(), "MESSAGE\tRECORD\tSINCE\tWHY\tREASON\tWHAT TO DO")
	for _, u := range all {
		fmt.Fprintf(w, "%.16s\t%d\t%s\t%s\t%s\t%s\n", u.Record.Message, u.Record.Position, u.Since.Format(time.RFC3339), u.Why, u.Reason(), u.ToDo())
	}
	return w.Flush()
}
