package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
)

func absentCommand() *cobra.Command {
	var config, la string
	c := &cobra.Command{
		Use:   "absent --la ODS",
		Short: "List the flags that stand and were not in an authority's newest full refresh",
		Long: `Where routes[].fullRefresh is set, each file of the authority names every child that shall stand. This lists the flags that
stood when the newest such file came and were not in it, by the authority's own id for the child and the event that made the
flag. Nothing is ended or deleted: only the authority can say which of them shall no longer stand.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				u, found, err := d.Store.Absences(c.Context(), la)
				switch {
				case err != nil:
					return err
				case !found:
					return fmt.Errorf("no full refresh of %s has come: set routes[].fullRefresh for it, and wait for its next file", la)
				}
				w := table(c.OutOrStdout())
				fmt.Fprintf(w, "file %s of %s: %d flags were not in it\n", u.FileID, u.Received.Format(time.RFC3339), len(u.Absent))
				for _, e := range u.Absent {
					fmt.Fprintf(w, "%s\t%s\tevent %.16s\tfile %s\n", e.Flag.LocalID.Reveal(), e.Flag.Plan.Type, e.ID, e.Flag.FileID)
				}
				return w.Flush()
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&la, "la", "", "ODS code of the authority")
	_ = c.MarkFlagRequired("la")
	return c
}
