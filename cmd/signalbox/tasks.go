package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/engine/store"
)

func tasksCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tasks",
		Short: "See and close what a person has to decide about a child: ls, show, done",
		Long: `PDS says that a child's NHS number was replaced, is not in use any more, or belongs to a restricted record. While a task of the first two kinds is
open the child's uploads are suspended; what stands keeps standing, and no number is ever swapped. These commands work on the record of a stopped or
a running engine. They name the authority, the message and the record in it, never a datum: the authority finds the child by its own file.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	config := c.PersistentFlags().String("config", "signalbox.yaml", "configuration file")
	c.AddCommand(tasksListCommand(config), tasksShowCommand(config), tasksDoneCommand(config))
	return c
}

func tasksListCommand(config *string) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the open tasks, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				tasks, err := d.Store.Tasks(c.Context(), all)
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout(), "ID\tKIND\tLA\tOPENED\tCLOSED\tMESSAGE\tRECORD")
				for _, t := range tasks {
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\n", t.ID, t.Kind, t.Authority, t.Opened.Format(time.RFC3339), closedAt(t), t.Message, t.Position)
				}
				return w.Flush()
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "closed ones too")
	return c
}

func closedAt(t store.Task) string {
	if t.Closed.IsZero() {
		return "-"
	}
	return t.Closed.Format(time.RFC3339)
}

func tasksShowCommand(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one task and what to do about it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				tasks, err := d.Store.Tasks(c.Context(), true)
				if err != nil {
					return err
				}
				for _, t := range tasks {
					if strconv.FormatInt(t.ID, 10) != args[0] {
						continue
					}
					w := table(c.OutOrStdout())
					fmt.Fprintf(w, "id\t%d\nkind\t%s\nla\t%s\nmessage\t%s\nrecord\t%d\nopened\t%s\nclosed\t%s\nnote\t%s\nnext\t%s\n", t.ID, t.Kind, t.Authority,
						t.Message, t.Position, t.Opened.Format(time.RFC3339), closedAt(t), t.Note, nextOf(t.Kind))
					return w.Flush()
				}
				return errNoTask
			})
		},
	}
}

var errNoTask = fmt.Errorf("there is no such task: see signalbox tasks ls --all")

// nextOf says what a person does about a task.
func nextOf(k store.TaskKind) string {
	switch k {
	case store.TaskSuperseded:
		return "ask the authority to confirm the child's number with PDS and to upload under that; then: signalbox tasks done"
	case store.TaskInactive:
		return "ask the authority to trace the child again (after an adoption the child has a new number); then: signalbox tasks done"
	case store.TaskFound:
		return "the record has no NHS number, and PDS has one person of its name and birth date: ask the authority to trace the child and to upload under the number that it confirms; then: signalbox tasks done"
	}
	return "speak to the authority's safeguarding lead by telephone; the number is not to be changed or tried out; then: signalbox tasks done"
}

func tasksDoneCommand(config *string) *cobra.Command {
	note := ""
	c := &cobra.Command{
		Use:   "done ID --note TEXT",
		Short: "Close a task: the child's next upload is asked about afresh",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return errNoTask
			}
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				closed, err := d.Store.CloseTask(c.Context(), id, note)
				if err == nil && !closed {
					err = errNoTask
				}
				if err == nil {
					fmt.Fprintf(c.OutOrStdout(), "closed %d\n", id)
				}
				return err
			})
		},
	}
	c.Flags().StringVar(&note, "note", "", "who decided what, without personal data")
	_ = c.MarkFlagRequired("note") // the flag is there: the line above made it
	return c
}
