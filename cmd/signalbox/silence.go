package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/engine/silence"
)

func silenceCommand() *cobra.Command {
	var config, at string
	all := false
	c := &cobra.Command{
		Use:   "silence",
		Short: "List who should have been heard by now and was not: authorities, trusts, and our own mailboxes",
		Long: `List every sender that is silent, and why that is thought. KIND is one of
  file      an authority sends its files
  mailbox   an authority collects what is sent to it
  asking    a trust's system asks about children, or tells of them
  poll      a mailbox of ours is listed: all of them silent means that no engine runs
STATE is heard, silent, learning (too little is known to expect anything) or never (nothing was ever heard).

What is expected is learnt from each sender's own past, up to the last that was heard of it. Nothing is expected on weekends and bank holidays of
who rests on them. A bank holiday of a year that the calendar (silence.holidays) does not cover is taken for a working day, and a line says so.

It reads the record of a stopped or a running engine, which counts the accesses of trusts, and says the same in its log, its metric
signalbox_silent_seconds and an alert. It shows no personal data. Exit code 3: somebody is silent.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				now := d.Store.Now()
				if at != "" {
					var err error
					if now, err = time.Parse(time.RFC3339, at); err != nil {
						return errors.New("--at is not a time such as 2026-10-01T09:00:00Z")
					}
				}
				w, err := d.Watcher()
				if err != nil {
					return err
				}
				reports, err := w.Look(c.Context(), now)
				if err != nil {
					return err
				}
				if !w.CalendarCovers(now) {
					fmt.Fprintf(c.OutOrStdout(), "THE BANK HOLIDAYS OF %d ARE NOT KNOWN: they are taken for working days. Set silence.holidays to a newer file.\n", now.Year())
				}
				return printSilence(c.OutOrStdout(), reports, all)
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&at, "at", "", "what will be made of it at this time, RFC 3339, unless somebody is heard before (default: now)")
	c.Flags().BoolVar(&all, "all", false, "also who is not silent")
	return c
}

func printSilence(out io.Writer, reports []silence.Report, all bool) error {
	w := table(out, "KIND\tSENDER\tSTATE\tLAST HEARD\tSILENT SINCE\tDUE BY\tWHY")
	silent := 0
	for _, r := range reports {
		if r.State == silence.Silent {
			silent++
		} else if !all {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, r.Name, r.State, orDash(r.Last.UTC()), orDash(r.Since.UTC()), orDash(r.Due.UTC()), r.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if silent > 0 {
		return &exitError{exitDifferent, errFailed}
	}
	return nil
}
