package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/mappings"
	"signalbox/mappings/backtest"
)

// backtestFlags are the command line of a backtest.
type backtestFlags struct {
	config, against, since, html, json string
	files                              []string
	all                                bool
}

// listed is how many records a cause is shown with.
const listed = 10

func mappingBacktestCommand() *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use:   "backtest NEW [--against OLD] [--since 30d | --file F...]",
		Short: "Run a new version of a mapping over stored messages and show what comes out different",
		Long: `Translate the messages that the record keeps with the folder NEW and with the version that made their events, and show every
record that comes out different: added, removed, changed, newly rejected, newly parked; each with the rule or the row of a code table
that is the cause. Nothing in the record is changed. No value of a message is shown.

--against OLD compares with a folder instead; --file takes files instead of the record's messages, and needs --against.

Exits with 3 when anything comes out different, so that a pull request can be held up by it. The same messages and versions make the same
report, byte for byte.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	c.Flags().StringVar(&f.config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&f.against, "against", "", "folder of the old version; without it, the version that made the events")
	c.Flags().StringVar(&f.since, "since", "30d", "messages that arrived at this time or later: 30d, 12h, a date or a time")
	c.Flags().StringArrayVar(&f.files, "file", nil, "run these files instead of the record's messages")
	c.Flags().StringVar(&f.html, "html", "", "also write the report to this file, as one page")
	c.Flags().StringVar(&f.json, "json", "", "also write the report to this file, as JSON; - prints it instead of text")
	c.Flags().BoolVar(&f.all, "all", false, "print every record, not the first of each cause")
	return c
}

// folderMapping loads the one folder that an argument names.
func folderMapping(c *cobra.Command, dir string) (*mappings.Mapping, error) {
	folders, err := foldersOf([]string{dir})
	if err != nil {
		return nil, err
	}
	return folders[0].load(c)
}

func (f backtestFlags) run(c *cobra.Command, dir string) error {
	if len(f.files) > 0 && f.against == "" {
		return errors.New("--file needs --against: files do not say which version translated them")
	}
	now, err := folderMapping(c, dir)
	if err != nil {
		return err
	}
	var old *mappings.Mapping
	if f.against != "" {
		if old, err = folderMapping(c, f.against); err != nil {
			return err
		}
	}
	var report *backtest.Report
	if len(f.files) > 0 {
		report, err = overFiles(f.files, old, now)
	} else {
		report, err = f.overRecord(c, old, now)
	}
	if err != nil {
		return err
	}
	if err := f.write(c.OutOrStdout(), report); err != nil {
		return err
	}
	if !report.Clean() {
		return &exitError{exitDifferent, errFailed}
	}
	return nil
}

// fileMessage makes a message of a file, as if it had come by itself.
func fileMessage(path string) (engine.Message, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return engine.Message{}, err
	}
	digest := engine.Digest(body)
	return engine.Message{ID: engine.NewMessageID("file", digest), Source: "file", Upstream: digest, Body: body, Received: time.Unix(0, 0).UTC()}, nil
}

func overFiles(files []string, old, now *mappings.Mapping) (*backtest.Report, error) {
	r := backtest.New(now, nil)
	for i, path := range files {
		m, err := fileMessage(path)
		if err != nil {
			return nil, err
		}
		m.Source = fmt.Sprintf("file %d", i+1)
		r.Message(m, old)
	}
	return r.Report(), nil
}

func (f backtestFlags) overRecord(c *cobra.Command, old, now *mappings.Mapping) (report *backtest.Report, err error) {
	since, err := ago("since", f.since, time.Now())
	if err != nil {
		return nil, err
	}
	err = atDesk(c.Context(), f.config, func(d *app.Desk) error {
		report, err = backtestRecord(c.Context(), d, screen.New(c.ErrOrStderr()), since, old, now)
		return err
	})
	return report, err
}

func backtestRecord(ctx context.Context, d *app.Desk, s *screen.Screen, since time.Time, old, now *mappings.Mapping) (*backtest.Report, error) {
	bench := benchOf(d)
	all, total, err := bench.Messages(ctx, now.Supplier(), since)
	if err != nil {
		return nil, err
	}
	progress := s.Progress("messages", total, time.Now)
	defer progress.End()
	r := backtest.New(now, bench.Translate)
	n := 0
	for m, err := range all {
		if err != nil {
			return nil, err
		}
		n++
		progress.At(n)
		with := m.Mapping
		if old != nil {
			with = old
		}
		if m.Gone || with == nil {
			r.Skip()
			continue
		}
		r.Message(m.Message, with)
	}
	return r.Report(), nil
}

func (f backtestFlags) write(out io.Writer, r *backtest.Report) error {
	limit := listed
	if f.all {
		limit = 0
	}
	var err error
	if f.json == "-" {
		err = r.JSON(out)
	} else {
		err = r.Text(out, limit)
	}
	for _, form := range []struct {
		path  string
		write func(io.Writer) error
	}{{f.html, r.HTML}, {f.json, r.JSON}} {
		if form.path == "" || form.path == "-" || err != nil {
			continue
		}
		err = toFile(form.path, form.write)
		if err == nil && f.json != "-" {
			fmt.Fprintf(out, "\nwritten to %s\n", form.path)
		}
	}
	return err
}

// toFile writes a new file, or over an old one.
func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
