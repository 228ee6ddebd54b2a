package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/replay"
)

func replayCommand() *cobra.Command {
	var config, since, until, which, message, parkedBy string
	q := replay.Query{}
	c := &cobra.Command{
		Use:   "replay --since T [--until T] [--mailbox M] [--message ID] [--mapping pinned|current] [--parked-by table:NAME] [--dry-run]",
		Short: "Translate stored messages anew and bring the record up to date",
		Long: `Translate messages of the record anew and bring events and register to what they would be if the mapping had been there from
the start. Messages for which there was no mapping are translated for the first time and answered as usual.

Run it with --dry-run first: it prints what would change, by message, record and field, and changes nothing. Run twice it changes
nothing the second time. Nobody is told anything twice: an acknowledgement that went out is not sent again, and an access that was
told stays as it was told and is printed as kept.

  --mapping current   the mapping that is configured now (default)
  --mapping pinned    the mapping that made the message's events, from the record: to see that nothing changes, or to restore rows

--parked-by table:NAME releases exactly the records that wait because the code table NAME did not know their code, and changes nothing
else; it needs no --since. 'signalbox mapping unmapped' lists the codes.

Times are RFC 3339 or a date, which means midnight UTC. It works on the record of a stopped or a running engine.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var errs [3]error
			q.Since, errs[0] = instant("since", since)
			q.Until, errs[1] = instant("until", until)
			q.Mapping, q.Message = replay.Which(which), engine.MessageID(message)
			if parkedBy != "" {
				var ok bool
				if q.Table, ok = strings.CutPrefix(parkedBy, "table:"); !ok || q.Table == "" {
					errs[2] = errors.New("--parked-by is table: and the table's name, such as table:plan-type")
				}
			}
			if err := errors.Join(errs[0], errs[1], errs[2], q.Validate()); err != nil {
				return err
			}
			return atDesk(c.Context(), config, func(d *app.Desk) error { return runReplay(c, d, q) })
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&since, "since", "", "messages that arrived at this time or later")
	c.Flags().StringVar(&until, "until", "", "messages that arrived before this time")
	c.Flags().StringVar(&q.Mailbox, "mailbox", "", "messages of this mailbox (ours or the sender's) or of this trust")
	c.Flags().StringVar(&message, "message", "", "this message only, by its id")
	c.Flags().StringVar(&which, "mapping", string(replay.Current), "pinned or current")
	c.Flags().StringVar(&parkedBy, "parked-by", "", "only records that wait for a code of this table: table:NAME")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "print what would change and change nothing")
	return c
}

func instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s is neither a date such as 2026-10-01 nor a time such as 2026-10-01T09:30:00Z", flag)
}

func runReplay(c *cobra.Command, d *app.Desk, q replay.Query) error {
	out := c.OutOrStdout()
	statuses, whats := map[replay.Status]int{}, map[replay.What]int{}
	rows := 0
	err := replay.Run(c.Context(), d.Replay, q, func(r replay.Result) error {
		statuses[r.Status]++
		rows += r.Rows
		if r.Status == replay.Unchanged && len(r.Changes) == 0 && r.Rows == 0 {
			return nil
		}
		fmt.Fprintf(out, "%s  %s  %s  %s  events %d, register rows %d\n", r.Message, r.Received.Format(time.RFC3339), r.Source, r.Status, r.Events, r.Rows)
		for _, change := range r.Changes {
			whats[change.What]++
			fmt.Fprintf(out, "    record %d  %s  %s  %s\n", change.Position, change.Kind, change.What, strings.Join(change.Fields, " "))
		}
		return nil
	})
	if err != nil {
		return err
	}
	did := "changed"
	if q.DryRun {
		did = "would change"
	}
	fmt.Fprintf(out, "messages: %d unchanged, %d changed, %d translated for the first time, %d waiting, %d without a mapping, %d removed by retention\n",
		statuses[replay.Unchanged], statuses[replay.Changed], statuses[replay.Translated], statuses[replay.Waiting], statuses[replay.NoMapping],
		statuses[replay.Removed])
	fmt.Fprintf(out, "events: %d added, %d changed, %d withdrawn, %d kept, %d postponed\n", whats[replay.Added], whats[replay.Altered], whats[replay.Gone],
		whats[replay.Kept], whats[replay.Postponed])
	fmt.Fprintf(out, "register: %d rows %s\n", rows, did)
	return nil
}
