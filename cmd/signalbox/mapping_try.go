package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine"
	"signalbox/mappings"
)

// watchEvery is how often watched files are looked at.
const watchEvery = 300 * time.Millisecond

func mappingTryCommand() *cobra.Command {
	var dir string
	var row int
	var watch bool
	c := &cobra.Command{
		Use:   "try SAMPLE [--mapping DIR] [--row N] [--watch]",
		Short: "Show every rule with the value that it read and made",
		Long: `Translate one record of a file and print each rule with what it read, from where, and what it made of it; a rule that failed with its
reason. --watch does it again whenever the sample or a file of the folder is saved, so that it can stand beside the editor.

This is the one command that shows a person's data: it shows them on your own screen, and writes them nowhere.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if row < 1 {
				return errors.New("--row counts from 1")
			}
			if !watch {
				return try(c, dir, args[0], row)
			}
			return watching(c.Context(), []string{dir, args[0]}, watchEvery, func() error {
				screen.New(c.OutOrStdout()).Clear()
				err := try(c, dir, args[0], row)
				if err != nil && !errors.Is(err, errFailed) {
					fmt.Fprintf(c.OutOrStdout(), "%v\n", err)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&dir, "mapping", ".", "folder of the supplier's mapping")
	c.Flags().IntVar(&row, "row", 1, "record of the file, counted from 1")
	c.Flags().BoolVar(&watch, "watch", false, "do it again whenever a file is saved")
	return c
}

// watching calls do now and whenever something under the paths has changed, until the context ends.
func watching(ctx context.Context, paths []string, every time.Duration, do func() error) error {
	last := ""
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		if now := stamp(paths); now != last {
			last = now
			if err := do(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// stamp says when and how large every file under the paths is.
func stamp(paths []string) string {
	var b strings.Builder
	for _, root := range paths {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil {
				fmt.Fprintf(&b, "%s %d %d\n", path, info.ModTime().UnixNano(), info.Size())
			}
			return nil
		})
	}
	return b.String()
}

func try(c *cobra.Command, dir, sample string, row int) error {
	m, err := folderMapping(c, dir)
	if err != nil {
		return err
	}
	msg, err := fileMessage(sample)
	if err != nil {
		return err
	}
	msg.LocalID = strings.TrimSuffix(filepath.Base(sample), filepath.Ext(sample))
	s := screen.New(c.OutOrStdout())
	records, shown := 0, false
	for t := range m.Trace(msg) { // all of them, so that the whole file's faults are told
		if t.Place.Record > 0 {
			records++
		}
		switch t.Place.Record {
		case row:
			showTry(s, m, t)
			shown = true
		case 0:
			for _, f := range t.Faults {
				s.Row(screen.Cell{Text: "file", Width: 8, Colour: screen.Bad}, screen.Cell{Text: f.Rule + ", " + f.Place.String() + ": " + f.Sentence()})
			}
		}
	}
	if !shown {
		return fmt.Errorf("%s has %d records, and no record %d", filepath.Base(sample), records, row)
	}
	return nil
}

// outcomeColour is how an outcome looks.
func outcomeColour(o engine.Outcome) screen.Colour {
	switch o {
	case engine.Accepted:
		return screen.Good
	case engine.Parked:
		return screen.Wait
	case engine.Rejected:
		return screen.Bad
	}
	return screen.Soft
}

// clip bounds a value on the screen: what a person reads at a glance.
func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return text
}

func showTry(s *screen.Screen, m *mappings.Mapping, t mappings.Traced) {
	s.Row(screen.Cell{Text: fmt.Sprintf("record %d", t.Place.Record), Colour: screen.Strong}, screen.Cell{Text: string(t.Outcome), Colour: outcomeColour(t.Outcome), Width: 8},
		screen.Cell{Text: fmt.Sprintf("line %d, bytes %d-%d", t.Place.Line, t.Place.Start, t.Place.End), Colour: screen.Soft})
	s.Line("")
	if t.When != nil {
		text, _, _ := m.When()
		tryRow(s, "when", text, *t.When)
	}
	rules := m.Rules()
	for _, step := range t.Steps {
		r := rules[step.Rule]
		source := r.From
		switch {
		case r.Const:
			source = "constant"
		case r.From == "":
			source, _, _ = strings.Cut(strings.TrimPrefix(r.Text, "expr: "), ", else: ")
		}
		tryRow(s, r.Target, source, step)
	}
	if len(t.Steps) == 0 {
		for _, f := range t.Faults {
			s.Row(screen.Cell{Text: "  !", Colour: screen.Bad}, screen.Cell{Text: f.Rule + ", " + f.Place.String() + ": " + f.Sentence()})
		}
		return
	}
	own := map[*engine.Error]bool{}
	for _, step := range t.Steps {
		for _, f := range step.Faults {
			own[f] = true
		}
	}
	for _, f := range t.Faults { // of the event as a whole
		if !own[f] && (t.When == nil || len(t.When.Faults) == 0) {
			s.Row(screen.Cell{Text: "  !", Colour: screen.Bad}, screen.Cell{Text: f.Rule + ", " + f.Place.String() + ": " + f.Sentence()})
		}
	}
}

func tryRow(s *screen.Screen, target, source string, step mappings.Step) {
	var read []string
	for _, v := range step.Read {
		text := fmt.Sprintf("%q", clip(v.Text))
		if v.At.Line > 0 {
			text += fmt.Sprintf(" at %d:%d", v.At.Line, v.At.Column)
		}
		read = append(read, text)
	}
	if step.Row != nil {
		read = append(read, strings.TrimSpace(step.Row.At()+" "+step.Row.Days()))
	}
	made, colour := clip(strings.Join(step.Made, ", ")), screen.Good
	if len(step.Made) == 0 {
		made, colour = "-", screen.Soft
	}
	s.Row(screen.Cell{Text: target, Width: 24}, screen.Cell{Text: made, Width: 36, Colour: colour},
		screen.Cell{Text: clip(source) + "  " + strings.Join(read, ", "), Colour: screen.Soft})
	for _, f := range step.Faults {
		s.Row(screen.Cell{Text: "  !", Width: 24, Colour: screen.Bad}, screen.Cell{Text: f.Rule + ": " + f.Sentence(), Colour: screen.Bad})
	}
}

// exists reports whether a path is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
