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
	"signalbox/mappings/draft"
)

func mappingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mapping",
		Short: "Write, check, test and explain suppliers' mapping folders",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(mappingLintCommand(), mappingTestCommand(), mappingShowCommand(), mappingTableCommand(), mappingErrorCommand(), mappingSchemaCommand(),
		mappingExplainCommand(), mappingBacktestCommand(), mappingDraftCommand(), mappingTwinCommand(), mappingTryCommand(), mappingCoverageCommand(),
		mappingUnmappedCommand(), mappingPlanCommand(), mappingDriftCommand())
	return c
}

func mappingLintCommand() *cobra.Command {
	form := reportForm(mappings.FormatHuman)
	c := &cobra.Command{
		Use:   "lint [DIR]...",
		Short: "Check mapping folders against their declared sources",
		Long: `Check each folder's mapping.yaml, source.yaml and tables: every problem is printed with file, line, column, caret and, where one
is known, the fix. "signalbox mapping error CODE" explains its number. Without DIR the built-in suppliers are checked. Exits with 1 when there
are problems.`,
		RunE: func(c *cobra.Command, dirs []string) error {
			return form.collect(c, dirs, func(f folder, found *mappings.Problems) error {
				m, err := f.loadFor(c, form, found)
				if err == nil && form == human {
					fmt.Fprintf(c.OutOrStdout(), "ok    %s  emits %s from %s, digest %.12s\n", f.shown, m.Emit(), m.Schema().Format, m.Digest())
					for _, open := range f.undecided() {
						fmt.Fprintf(c.OutOrStdout(), "open  %s\n", open)
					}
				}
				return err
			})
		},
	}
	form.register(c)
	return c
}

func mappingTestCommand() *cobra.Command {
	var update, mutate bool
	var fromEvent, config string
	form := reportForm(mappings.FormatHuman)
	c := &cobra.Command{
		Use:   "test [DIR]...",
		Short: "Run the tests of mapping folders",
		Long: `Lint each folder, then run its tests/*.txtar: the input is translated and compared with what is wanted, record by record. Without
DIR the built-in suppliers are tested. Exits with 1 when a test fails.

--update writes what the mapping makes into the tests of the named folders. Read the difference before you keep it.

--from-event ID DIR makes a new test in DIR of the record that a real event was made of: its values are replaced by synthetic ones of the
same shape, its faults stay.

--mutate asks how much the tests notice: every rule, condition and table row is changed in turn, and what no test notices is listed. The exit
code is then 1 when a rule or a row itself goes unnoticed; of outcomes of failures it only tells.`,
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
			return form.collect(c, dirs, func(f folder, found *mappings.Problems) error {
				if err := f.test(c, update, form, found); err != nil || !mutate {
					return err
				}
				return f.mutate(c)
			})
		},
	}
	c.Flags().BoolVar(&update, "update", false, "rewrite the tests' wanted output")
	c.Flags().BoolVar(&mutate, "mutate", false, "list the changes to rules and tables that no test notices")
	c.Flags().StringVar(&fromEvent, "from-event", "", "make a test of this event of the record")
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file, for --from-event")
	form.register(c)
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
	var none mappings.Problems
	return f.loadFor(c, human, &none)
}

func (f folder) loadFor(c *cobra.Command, form reportForm, found *mappings.Problems) (*mappings.Mapping, error) {
	m, err := mappings.Load(f.fsys, f.name, adapters.All())
	problems, ok := errors.AsType[mappings.Problems](err)
	if !ok {
		return m, err
	}
	*found = append(*found, f.onDisk(problems)...)
	if form == human {
		if err := problems.Render(c.OutOrStdout(), f.fsys); err != nil {
			return nil, err
		}
		fmt.Fprintf(c.OutOrStdout(), "FAIL  %s: %d problems\n", f.shown, len(problems))
		told := map[mappings.Code]bool{}
		for _, p := range problems {
			if title, _, ok := mappings.ErrorPage(p.Code); ok && !told[p.Code] {
				told[p.Code] = true
				fmt.Fprintf(c.OutOrStdout(), "more  signalbox mapping error %s  %s\n", p.Code, title)
			}
		}
	}
	return nil, errFailed
}

// undecided lists the lines of a folder that lints and in which a draft's mark still waits for a person.
func (f folder) undecided() []string {
	files := map[string]string{}
	for _, name := range []string{"mapping.yaml", "source.yaml"} {
		if raw, err := fs.ReadFile(f.fsys, f.name+"/"+name); err == nil {
			files[f.shown+"/"+name] = string(raw)
		}
	}
	return draft.Open(files)
}

func (f folder) test(c *cobra.Command, update bool, form reportForm, found *mappings.Problems) error {
	m, err := f.loadFor(c, form, found)
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
	*found = append(*found, f.onDisk(report.Problems())...)
	if form == human {
		if err := report.Render(c.OutOrStdout()); err != nil {
			return err
		}
	}
	if report.Failed() > 0 {
		return errFailed
	}
	return nil
}

// mutate lists what the folder's tests do not notice.
func (f folder) mutate(c *cobra.Command) error {
	unnoticed, mutants, err := mappings.FindUnnoticed(f.fsys, f.name, adapters.All())
	if err != nil {
		return f.problems(c, err)
	}
	failed := false
	for _, u := range unnoticed {
		word := "WEAK"
		if !u.Outcome {
			word, failed = "FAIL", true
		}
		fmt.Fprintf(c.OutOrStdout(), "%s  %s:%d: no test notices that %s\n", word, u.File, u.Line, u.What)
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: %d of %d changes noticed\n", f.shown, mutants-len(unnoticed), mutants)
	if failed {
		return errFailed
	}
	return nil
}
