package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/engine/store"
)

func notificationsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "notifications",
		Short: "See how the notifications of accesses fare: ls",
		Long: `An access to a flagged child is told to the child's authority. Each notification is followed until the authority has taken it out of
its mailbox. This command reads the record of a stopped or a running engine; it shows no datum.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	config := c.PersistentFlags().String("config", "signalbox.yaml", "configuration file")
	c.AddCommand(notificationsListCommand(config))
	return c
}

func notificationsListCommand(config *string) *cobra.Command {
	var la string
	var days int
	var open bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List notifications, oldest first, with how far each has come",
		Long: `List notifications, oldest first. STATE is one of
  planned       not sent yet
  unknown       sent, and the answer was lost: it is looked up
  waiting       in the authority's mailbox, not collected
  late          the same for four days or more: ring the authority
  collected     the authority has it
  undelivered   thrown away by MESH after five days; the next line of the same id with -again- tells the same
  failed        refused for good: see REASON
  sent          sent a way on which nobody can be asked`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				now := d.Store.Now()
				all, err := d.Store.Deliveries(c.Context(), la, now.AddDate(0, 0, -days), open)
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout(), "ID\tLA\tPLANNED\tACCESSES\tSTATE\tFIRST SENT\tCOLLECTED\tROUND\tREASON")
				for _, n := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t%s\n", n.ID, n.Authority, n.Created.Format(time.RFC3339), n.Accesses, fares(n, now),
						orDash(n.Since), orDash(n.Collected), n.Round+1, n.Reason)
				}
				return w.Flush()
			})
		},
	}
	c.Flags().StringVar(&la, "la", "", "ODS code of one authority (default: all)")
	c.Flags().IntVar(&days, "days", 30, "how many days back")
	c.Flags().BoolVar(&open, "open", false, "only those that the authority is not known to have")
	return c
}

// lateAfter is when a notification that waits counts as late.
const lateAfter = 4 * 24 * time.Hour

// fares says in one word how far a notification has come.
func fares(n store.Delivery, now time.Time) string {
	switch {
	case n.State == store.Attempted:
		return "unknown"
	case n.State != store.Sent:
		return string(n.State)
	case !n.Collected.IsZero():
		return "collected"
	case !n.Asked:
		return "sent"
	case now.Sub(n.Since) >= lateAfter:
		return "late"
	}
	return "waiting"
}

func orDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
