package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/store"
)

func quarantineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "See and settle what was set aside: ls, show, release, drop",
		Long: `What the engine could not process is set aside with its reason and waits for a person; everything else goes on. These commands
work on the record of a stopped or a running engine. They show places and rules, never a datum.

An ID may be cut to its first 8 digits or more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	config := c.PersistentFlags().String("config", "signalbox.yaml", "configuration file")
	c.AddCommand(quarantineListCommand(config), quarantineShowCommand(config), quarantineReleaseCommand(config), quarantineDropCommand(config))
	return c
}

// atDesk opens the desk of a configuration, does the work and closes it.
func atDesk(ctx context.Context, config string, do func(*app.Desk) error) error {
	cfg, err := app.ReadConfig(config)
	if err != nil {
		return err
	}
	desk, err := app.OpenDesk(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(desk), desk.Close())
}

func quarantineListCommand(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List what waits for a person, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				all, err := d.Store.Quarantine(c.Context())
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout(), "ID\tKIND\tSOURCE\tRECORD\tSINCE\tATTEMPTS\tREASON")
				for _, a := range all {
					kind := string(a.Kind)
					if a.Whole {
						kind = "message (replay)"
					}
					fmt.Fprintf(w, "%.16s\t%s\t%s\t%d\t%s\t%d\t%s\n", a.ID, kind, a.Source, a.Position, a.Since.Format(time.RFC3339), a.Attempts, a.Reason)
				}
				return w.Flush()
			})
		},
	}
}

func quarantineShowCommand(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one of them with its whole history",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				found, err := aside(c.Context(), d.Store, args)
				if err != nil {
					return err
				}
				a := found[0]
				w := table(c.OutOrStdout())
				fmt.Fprintf(w, "id\t%s\nkind\t%s\nmessage\t%s\nsource\t%s\nrecord\t%d\nsince\t%s\nreason\t%s\n", a.ID, a.Kind, a.Message, a.Source,
					a.Position, a.Since.Format(time.RFC3339), a.Reason)
				if a.Whole {
					fmt.Fprintf(w, "next\tadd a route, then: signalbox replay --message %s --mapping current\n", a.Message)
					return w.Flush()
				}
				history, err := d.Store.Attempts(c.Context(), engine.EventID(a.ID))
				if err != nil {
					return err
				}
				fmt.Fprintln(w, "\nAT\tWHAT\tREASON")
				for _, h := range history {
					fmt.Fprintf(w, "%s\t%s\t%s\n", h.At.Format(time.RFC3339), h.Step, h.Reason)
				}
				return w.Flush()
			})
		},
	}
}

func quarantineReleaseCommand(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "release ID...",
		Short: "Have them tried again, with all attempts before them",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return settle(c, *config, args, "released", func(s *store.Store, id engine.EventID) (bool, error) {
				return s.ReleaseEvent(c.Context(), id)
			})
		},
	}
}

func quarantineDropCommand(config *string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "drop ID... --reason TEXT",
		Short: "Give them up for good: their records count as rejected",
		Long: `Give events up. Their records count as rejected, and the acknowledgement of their file can go out. An access that is dropped is
told to nobody. The reason is kept in the history; it must not say who the record is about.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return errors.New("--reason is missing: who comes later has to understand it")
			}
			if regexp.MustCompile(`(\d[ -]?){9,}`).MatchString(reason) {
				return errors.New("--reason looks as if it held an NHS number: it must not say who the record is about")
			}
			return settle(c, *config, args, "dropped", func(s *store.Store, id engine.EventID) (bool, error) {
				return s.DropEvent(c.Context(), id, reason)
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why; without personal data")
	return c
}

func settle(c *cobra.Command, config string, args []string, done string, do func(*store.Store, engine.EventID) (bool, error)) error {
	return atDesk(c.Context(), config, func(d *app.Desk) error {
		found, err := aside(c.Context(), d.Store, args)
		if err != nil {
			return err
		}
		for _, a := range found {
			if a.Whole {
				return fmt.Errorf("%.16s is a message without a mapping: add a route, then: signalbox replay --message %s --mapping current", a.ID, a.Message)
			}
		}
		for _, a := range found {
			ok, err := do(d.Store, engine.EventID(a.ID))
			if err != nil {
				return err
			}
			if !ok { // somebody else was quicker
				done = "is no longer in quarantine"
			}
			fmt.Fprintf(c.OutOrStdout(), "%.16s  %s\n", a.ID, done)
		}
		return nil
	})
}

// aside finds what the arguments name. All are found or none is touched.
func aside(ctx context.Context, s *store.Store, ids []string) ([]store.Aside, error) {
	all, err := s.Quarantine(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Aside
	for _, id := range ids {
		var matches []store.Aside
		for _, a := range all {
			if a.ID == id || len(id) >= 8 && strings.HasPrefix(a.ID, id) {
				matches = append(matches, a)
			}
		}
		switch len(matches) {
		case 0:
			return nil, fmt.Errorf("%s: nothing in quarantine has this id", id)
		case 1:
			out = append(out, matches[0])
		default:
			return nil, fmt.Errorf("%s: is the beginning of several ids: give more digits", id)
		}
	}
	return out, nil
}
