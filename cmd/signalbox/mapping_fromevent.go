package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
	"signalbox/mappings"
	"signalbox/mappings/draft"
)

// testFromEvent writes a test of a real event into a folder: its record with every value replaced by a synthetic one, and what the mapping makes of that.
func testFromEvent(c *cobra.Command, config, id, dir string) error {
	folders, err := foldersOf([]string{dir})
	if err != nil {
		return err
	}
	f := folders[0]
	m, err := f.load(c)
	if err != nil {
		return err
	}
	return atDesk(c.Context(), config, func(d *app.Desk) error {
		found, err := d.Store.FindEvent(c.Context(), id)
		if err != nil {
			return err
		}
		e := found.Envelope
		arrival, err := d.Store.Arrival(c.Context(), e.Origin.Message)
		if err != nil {
			return err
		}
		short := string(e.ID[:12])
		content, err := draft.FromRecord(m, arrival.Message, e.Origin.Position, "A real record, every value replaced by a synthetic one: event "+short+".")
		if err != nil {
			return err
		}
		name := path.Join(f.name, "tests", "event-"+short+".txtar")
		return f.addTest(c, m, name, content)
	})
}

// addTest writes a new test and gives it what the mapping makes. The folder's other tests are left as they are.
func (f folder) addTest(c *cobra.Command, m *mappings.Mapping, name string, content []byte) error {
	full := filepath.Join(f.root, filepath.FromSlash(name))
	if _, err := os.Stat(full); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already", full)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, content, 0o644)); err != nil {
		return err
	}
	_, err := mappings.RunTests(f.fsys, f.name, m, mappings.Update(func(path string, content []byte) error {
		if path != name {
			return nil
		}
		return os.WriteFile(full, content, 0o644)
	}))
	if err == nil {
		_, err = fmt.Fprintf(c.OutOrStdout(), "written to %s: read it before you keep it\n", full)
	}
	return err
}
