package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine/app"
	"signalbox/engine/workbench"
	"signalbox/mappings"
)

// unmappedHeader is the first line of the file that is filled in: a person writes target and note.
func unmappedHeader() []string {
	return []string{"supplier", "table", "source", "target", "note", "parked", "other", "messages", "first message", "record", "line"}
}

func mappingUnmappedCommand() *cobra.Command {
	var config, fill string
	var asCSV, asJSON bool
	c := &cobra.Command{
		Use:   "unmapped [--csv | --json] | unmapped --fill FILE DIR...",
		Short: "List the codes that no table knows, and take back what they mean",
		Long: `List the failed look-ups of every stored message by supplier and table: the code, how many records wait for it, and where it stands
first. The code is shown because it is what has to be mapped; no other value is.

  signalbox mapping unmapped --csv > codes.csv        fill in the column target, and note if there is something to say
  signalbox mapping unmapped --fill codes.csv DIR     add the rows that are filled in to the tables of the folder DIR
  signalbox mapping lint DIR
  signalbox replay --parked-by table:plan-type --dry-run

--fill writes only what leaves the folder as sound as it was: if lint finds a fault in the new rows, nothing is changed.`,
		RunE: func(c *cobra.Command, dirs []string) error {
			switch {
			case fill != "" && len(dirs) == 0:
				return errors.New("--fill needs the folders that it shall write to")
			case fill != "":
				return fillTables(c, fill, dirs)
			case len(dirs) > 0:
				return errors.New("folders go with --fill")
			}
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				codes, gone, err := benchOf(d).Unmapped(c.Context())
				if err != nil {
					return err
				}
				switch {
				case asCSV:
					return writeUnmapped(c.OutOrStdout(), codes)
				case asJSON:
					enc := json.NewEncoder(c.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(codes)
				}
				showUnmapped(screen.New(c.OutOrStdout()), codes, gone)
				return nil
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().BoolVar(&asCSV, "csv", false, "print a CSV to fill in")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&fill, "fill", "", "a CSV that was filled in: add its rows to the folders' tables")
	return c
}

func showUnmapped(s *screen.Screen, codes []workbench.Code, gone int) {
	table := ""
	for _, c := range codes {
		if at := c.Supplier + "  table " + c.Table; at != table {
			if table != "" {
				s.Line("")
			}
			table = at
			s.Row(screen.Cell{Text: table, Colour: screen.Strong})
		}
		s.Row(screen.Cell{Text: "  " + c.Code, Width: 22}, screen.Cell{Text: fmt.Sprintf("%d parked, %d other", c.Parked, c.Other), Width: 20, Colour: screen.Wait},
			screen.Cell{Text: fmt.Sprintf("in %d messages, for %s, first in message %s, %s", c.Messages, strings.Join(c.Targets, " "), c.Message, c.Place)})
	}
	if len(codes) == 0 {
		s.Line("Every code that was looked up is in its table.")
	}
	if gone > 0 {
		s.Line("%d more cannot be told: retention has removed the bytes of their messages.", gone)
	}
}

func writeUnmapped(w io.Writer, codes []workbench.Code) error {
	out := csv.NewWriter(w)
	rows := [][]string{unmappedHeader()}
	for _, c := range codes {
		rows = append(rows, []string{c.Supplier, c.Table, c.Code, "", "", strconv.Itoa(c.Parked), strconv.Itoa(c.Other), strconv.Itoa(c.Messages),
			string(c.Message), strconv.Itoa(c.Place.Record), strconv.Itoa(c.Place.Line)})
	}
	return out.WriteAll(rows)
}

// fillTables adds filled rows to the tables of the folders.
func fillTables(c *cobra.Command, path string, dirs []string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(raw), "\ufeff"))).ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0][:5], unmappedHeader()[:5]) {
		return fmt.Errorf("%s is not what 'signalbox mapping unmapped --csv' printed: its first line must begin with %s", path, strings.Join(unmappedHeader()[:5], ","))
	}
	return eachFolder(dirs, func(f folder) error {
		m, err := f.load(c)
		if err != nil {
			return err
		}
		added := map[string][][]string{}
		n := 0
		for _, row := range rows[1:] {
			if row[0] != m.Supplier() || strings.TrimSpace(row[3]) == "" {
				continue
			}
			if _, there := m.Files()["tables/"+row[1]+".csv"]; !there {
				return fmt.Errorf("%s has no table %s", f.shown, row[1])
			}
			added[row[1]] = append(added[row[1]], []string{row[2], strings.TrimSpace(row[3]), row[4]})
			n++
		}
		if err := f.fill(c, m, added); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d rows added\n", f.shown, n)
		return err
	})
}

// fill writes the tables with their new rows, and puts the old ones back if the folder does not lint with them.
func (f folder) fill(c *cobra.Command, m *mappings.Mapping, added map[string][][]string) (err error) {
	old := map[string][]byte{}
	defer func() {
		if err != nil {
			for path, raw := range old {
				err = errors.Join(err, os.WriteFile(path, raw, 0o644))
			}
		}
	}()
	for table, rows := range added {
		path := filepath.Join(f.root, f.name, "tables", table+".csv")
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		old[path] = raw
		var b strings.Builder
		b.Write(raw)
		if len(raw) > 0 && raw[len(raw)-1] != '\n' {
			b.WriteByte('\n')
		}
		width := strings.Count(strings.SplitN(string(raw), "\n", 2)[0], ",") + 1
		w := csv.NewWriter(&b)
		for _, row := range rows {
			for len(row) < width {
				row = append(row, "")
			}
			if err := w.Write(row[:width]); err != nil {
				return err
			}
		}
		if w.Flush(); w.Error() != nil {
			return w.Error()
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	if _, lint := mappings.Load(f.fsys, f.name, adapters.All()); lint != nil {
		_, err := f.load(c) // prints what is wrong
		return err
	}
	return nil
}
