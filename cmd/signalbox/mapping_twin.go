package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"signalbox/mappings/draft"
	"signalbox/mappings/twin"
)

func mappingTwinCommand() *cobra.Command {
	var out, dir string
	c := &cobra.Command{
		Use:   "twin SAMPLE [--mapping DIR] [--out FILE]",
		Short: "Make a sample that can be shown: the same shape and faults, no real value",
		Long: `Write a synthetic twin of a file: each letter and figure is replaced, NHS numbers stay sound or unsound and become numbers of the
fictitious 999 range, dates keep their layout and their distance, telephone numbers become ones that are kept for fiction. Headings
stay. With --mapping, the codes that its tables and enumerations know stay too; without it no value does.

Read the twin before you pass it on: a heading that holds a name is a name.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			made, err := twinOf(c, args[0], dir)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = c.OutOrStdout().Write(made)
				return err
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is there already", out)
			}
			return toFile(out, func(w io.Writer) error { _, err := w.Write(made); return err })
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write; without it the twin is printed")
	c.Flags().StringVar(&dir, "mapping", "", "folder of the supplier's mapping")
	return c
}

func twinOf(c *cobra.Command, path, dir string) ([]byte, error) {
	msg, err := fileMessage(path)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		m, err := folderMapping(c, dir)
		if err != nil {
			return nil, err
		}
		return twin.Make(m.Adapter(), msg, m.Schema(), twin.Codes(m, msg))
	}
	a, profile, err := draft.Recognise(msg.Body, everyFormat())
	if err != nil {
		return nil, errors.Join(err, errors.New("name the supplier's folder with --mapping"))
	}
	return twin.Make(a, msg, profile.Schema, nil)
}
