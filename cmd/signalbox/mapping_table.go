package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/mappings"
)

func mappingTableCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "table",
		Short: "Carry code tables to and from FHIR ConceptMaps",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(mappingTableExportCommand(), mappingTableImportCommand())
	return c
}

func mappingTableExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR TABLE",
		Short: "Print a code table as a FHIR R4 ConceptMap",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := oneFolder(args[0])
			if err != nil {
				return err
			}
			raw, err := mappings.ExportTable(f.fsys, f.name, args[1])
			if err != nil {
				return f.problems(c, err)
			}
			_, err = c.OutOrStdout().Write(raw)
			return err
		},
	}
}

func mappingTableImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Print a FHIR R4 ConceptMap as a code table",
		Long: `Read a FHIR R4 ConceptMap in JSON from FILE (- for standard input) and print the CSV of a code table. What a table cannot say is refused. Put
the output into tables/NAME.csv of the supplier's folder and lint it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			raw, err := readInput(c, args[0])
			if err != nil {
				return err
			}
			table, err := mappings.ImportTable(raw)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(table)
			return err
		},
	}
}

func readInput(c *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(name)
}

// oneFolder finds a folder on disk, or the built-in one of that name.
func oneFolder(name string) (folder, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		folders, err := foldersOf([]string{name})
		if err != nil {
			return folder{}, err
		}
		return folders[0], nil
	}
	if _, err := fs.Stat(mappings.Embedded(), name); err != nil || name != filepath.Base(name) {
		return folder{}, fmt.Errorf("no folder %q, and no built-in supplier of that name", name)
	}
	return folder{fsys: mappings.Embedded(), name: name, shown: name}, nil
}

// problems prints what is wrong with a folder and returns errFailed; other errors it returns as they are.
func (f folder) problems(c *cobra.Command, err error) error {
	problems, ok := errors.AsType[mappings.Problems](err)
	if !ok {
		return err
	}
	if err := problems.Render(c.OutOrStdout(), f.fsys); err != nil {
		return err
	}
	return errFailed
}

func mappingShowCommand() *cobra.Command {
	var effective bool
	c := &cobra.Command{
		Use:   "show DIR",
		Short: "Print a mapping, with what it takes over from the one that it extends",
		Long: `Print mapping.yaml and source.yaml of a folder, or of the built-in supplier of that name. --effective writes out what an extending mapping
takes over, as one mapping that stands alone; lineage still names the file and line that a rule comes from.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := oneFolder(args[0])
			if err != nil {
				return err
			}
			m, err := f.load(c)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if !effective {
				_, err = out.Write(m.Archive())
				return err
			}
			mapping, source, err := m.Effective()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "-- mapping.yaml --\n%s-- source.yaml --\n%s", mapping, source)
			return err
		},
	}
	c.Flags().BoolVar(&effective, "effective", false, "write out what the mapping takes over from the one that it extends")
	return c
}

func mappingErrorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "error CODE",
		Short: "Explain the number of a problem: why it is told, an example, the fix",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, page, ok := mappings.ErrorPage(mappings.Code(strings.ToUpper(args[0])))
			if !ok {
				return fmt.Errorf("no problem has the number %q", args[0])
			}
			_, err := fmt.Fprint(c.OutOrStdout(), page)
			return err
		},
	}
}
