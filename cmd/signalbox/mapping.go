package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/mappings"
)

func mappingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mapping",
		Short: "Write, check, test and explain suppliers' mapping folders",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(mappingLintCommand(), mappingTestCommand(), mappingExplainCommand(), mappingBacktestCommand(),
		mappingDraftCommand(), mappingTwinCommand(), mappingTryCommand(), mappingCoverageCommand(), mappingUnmappedCommand(),
		mappingPlanCommand(), mappingDriftCommand())
	return c
}

func mappingLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [DIR]...",
		Short: "Check mapping folders against their declared sources",
		Long: `Check each folder's mapping.yaml, source.yaml and tables: every problem is printed with file, line, column, caret and, where one
is known, the fix. Without DIR the built-in suppliers are checked. Exits with 1 when there are problems.`,
		RunE: func(c *cobra.Command, dirs []string) error {
			return eachFolder(dirs, func(f folder) error {
				m, err := f.load(c)
				if err == nil {
					_, err = fmt.Fprintf(c.OutOrStdout(), "ok    %s  emits %s from %s, digest %.12s\n", f.shown, m.Emit(), m.Schema().Format, m.Digest())
				}
				return err
			})
		},
	}
}

func mappingTestCommand() *cobra.Command {
	var update bool
	var fromEvent, config string
	c := &cobra.Command{
		Use:   "test [DIR]...",
		Short: "Run the tests of mapping folders",
		Long: `Lint each folder, then run its tests/*.txtar: the input is translated and compared with what is wanted, record by record. Without
DIR the built-in suppliers are tested. Exits with 1 when a test fails.

--update writes what the mapping makes into the tests of the named folders. Read the difference before you keep it.

--from-event ID DIR makes a new test in DIR of the record that a real event was made of: its values are replaced by synthetic ones of the
same shape, its faults stay.`,
		RunE: func(c *cobra.Command, dirs []string) error {
			if update && len(dirs) == 0 {
				return errors.New("--update needs the folders that it shall write to")
			}
			if fromEvent != "" {
				if len(dirs) != 1 {
					return errors.New("--from-event needs the one folder that the test is for")
				}
				return testFromEvent(c, config, fromEvent, dirs[0])
			}
			return eachFolder(dirs, func(f folder) error { return f.test(c, update) })
		},
	}
	c.Flags().BoolVar(&update, "update", false, "rewrite the tests' wanted output")
	c.Flags().StringVar(&fromEvent, "from-event", "", "make a test of this event of the record")
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file, for --from-event")
	return c
}

// folder is one supplier's folder and the file system that it is in.
type folder struct {
	fsys        fs.FS
	name, shown string
	root        string // directory of fsys on disk; empty for the built-in ones
}

// eachFolder goes through the named folders, or the built-in ones, and goes on after a failure.
func eachFolder(dirs []string, do func(folder) error) error {
	folders, err := foldersOf(dirs)
	if err != nil {
		return err
	}
	failed := false
	for _, f := range folders {
		switch err := do(f); {
		case errors.Is(err, errFailed):
			failed = true
		case err != nil:
			return err
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

func foldersOf(dirs []string) ([]folder, error) {
	var out []folder
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		root := filepath.Dir(abs)
		out = append(out, folder{fsys: os.DirFS(root), name: filepath.Base(abs), shown: dir, root: root})
	}
	if len(dirs) > 0 {
		return out, nil
	}
	entries, err := fs.ReadDir(mappings.Embedded(), ".")
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, folder{fsys: mappings.Embedded(), name: e.Name(), shown: e.Name()})
		}
	}
	return out, err
}

// load prints what is wrong with the folder and returns errFailed, or returns its mapping.
func (f folder) load(c *cobra.Command) (*mappings.Mapping, error) {
	m, err := mappings.Load(f.fsys, f.name, adapters.All())
	if problems, ok := errors.AsType[mappings.Problems](err); ok {
		if err := problems.Render(c.OutOrStdout(), f.fsys); err != nil {
			return nil, err
		}
		fmt.Fprintf(c.OutOrStdout(), "FAIL  %s: %d problems\n", f.shown, len(problems))
		return nil, errFailed
	}
	return m, err
}

func (f folder) test(c *cobra.Command, update bool) error {
	m, err := f.load(c)
	if err != nil {
		return err
	}
	var options []mappings.TestOption
	if update {
		options = append(options, mappings.Update(func(path string, content []byte) error {
			return os.WriteFile(filepath.Join(f.root, filepath.FromSlash(path)), content, 0o644)
		}))
	}
	report, err := mappings.RunTests(f.fsys, f.name, m, options...)
	if err != nil {
		return err
	}
	if err := report.Render(c.OutOrStdout()); err != nil {
		return err
	}
	if report.Failed() > 0 {
		return errFailed
	}
	return nil
}
