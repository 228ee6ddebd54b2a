package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/cmd/signalbox/internal/screen"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/draft"
)

func mappingDraftCommand() *cobra.Command {
	var out, emit string
	var set []string
	c := &cobra.Command{
		Use:   "draft SAMPLE... --out DIR",
		Short: "Write a supplier's folder from sample files, with what is left to decide",
		Long: `Profile sample files of an unknown supplier, offline: encoding, delimiter, header, what each column holds. Write the folder DIR, whose
name is the supplier's: source.yaml, mapping.yaml with the reason above each rule, code tables with the codes that were seen, and first
tests of synthetic twins of the first records. DIR must not exist.

What the samples leave open is not guessed: it is marked DECIDE(supplier) and listed at the end. --set says what no file says:

  --set authority.odsCode=997 --set 'authority.name=EASTSHIRE COUNCIL' --set 'authority.emergencyDuty=01632 960302'

The same samples make the same folder.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runDraft(c, args, out, emit, set) },
	}
	c.Flags().StringVar(&out, "out", "", "folder to write; its name is the supplier's")
	c.Flags().StringVar(&emit, "emit", "", "flag, access or number-inactive; without it, accesses of FHIR and HL7 v2, flags of all else")
	c.Flags().StringArrayVar(&set, "set", nil, "TARGET=VALUE: a constant for what no file says")
	return c
}

// supplierName is what a folder may be called.
var supplierName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func runDraft(c *cobra.Command, samples []string, out, emit string, set []string) error {
	o := draft.Options{Supplier: filepath.Base(out), Emit: engine.Kind(emit), Set: map[string]string{}}
	if out == "" || !supplierName.MatchString(o.Supplier) {
		return errors.New("--out is the folder to write; its name is the supplier's, in small letters, figures and hyphens")
	}
	if emit != "" && !slices.Contains(mappings.Emits(), o.Emit) {
		return fmt.Errorf("--emit is one of %v", mappings.Emits())
	}
	for _, pair := range set {
		target, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("--set %s: write TARGET=VALUE", pair)
		}
		o.Set[target] = value
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: a draft overwrites nothing", out)
	}
	var bodies [][]byte
	for _, path := range samples {
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		bodies = append(bodies, body)
	}
	d, err := draft.New(bodies, everyFormat(), o)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(d.Files[name]), 0o644)); err != nil {
			return err
		}
	}
	return showDraft(c, out, d)
}

func everyFormat() []engine.Adapter {
	var out []engine.Adapter
	registry := adapters.All()
	for _, format := range registry.Formats() {
		a, _ := registry.Adapter(format)
		out = append(out, a)
	}
	return out
}

// showDraft says what was written and what is left to do. Where nothing is, the tests get what the mapping makes.
func showDraft(c *cobra.Command, out string, d *draft.Draft) error {
	s := screen.New(c.OutOrStdout())
	s.Line("%d records of %s read; written to %s:", d.Records, d.Schema.Format, out)
	if d.Unread > 0 {
		s.Line("%d could not be read, and say nothing here: signalbox mapping try SAMPLE --mapping %s --row N tells why", d.Unread, out)
	}
	s.Line("")
	for _, r := range d.Rules {
		from, colour := r.From, screen.Good
		switch {
		case r.Set:
			from = "as said"
		case r.Expr != "":
			from = "expression"
		case from == "":
			from, colour = "?", screen.Wait
		}
		s.Row(screen.Cell{Text: r.Target, Width: 24}, screen.Cell{Text: from, Width: 20, Colour: colour}, screen.Cell{Text: r.Reason, Colour: screen.Soft})
	}
	s.Line("")
	if len(d.Open) > 0 {
		s.Line("%d things to decide:", len(d.Open))
		for _, line := range d.Open {
			at, what, _ := strings.Cut(line, "  ")
			s.Row(screen.Cell{Text: "  " + at, Width: 28, Colour: screen.Wait}, screen.Cell{Text: what})
		}
		s.Line("")
	}
	folders, err := foldersOf([]string{out})
	if err != nil {
		return err
	}
	if m, err := mappings.Load(folders[0].fsys, folders[0].name, adapters.All()); err == nil {
		write := mappings.Update(func(path string, content []byte) error {
			return os.WriteFile(filepath.Join(folders[0].root, filepath.FromSlash(path)), content, 0o644)
		})
		if _, err := mappings.RunTests(folders[0].fsys, folders[0].name, m, write); err != nil {
			return err
		}
		s.Line("It lints. Its tests hold what the mapping makes now: read them line by line.")
		s.Line("next  signalbox mapping try SAMPLE --mapping %s --row 1", out)
		return nil
	}
	s.Line("next  signalbox mapping lint %s", out)
	return nil
}
