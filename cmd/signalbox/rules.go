package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signalbox/mesh/cpis/rules"
)

func rulesCommand() *cobra.Command {
	var one string
	var markdown bool
	c := &cobra.Command{
		Use:   "rules",
		Short: "Print what is asked of a local authority's upload, rule by rule",
		Long: `Prints the table of upload rules: what the schema refuses, what the national service refuses after it, and the gaps
that both leave. Each rule has its level (file, record or both), its severity (refuse, doubt, warn) and the acknowledgement
code that it leads to. The rule ids are those that acknowledgements and logs name.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			switch {
			case one != "":
				r, ok := rules.Find(one)
				if !ok {
					return fmt.Errorf("no rule has the id %q: 'signalbox rules' lists them", one)
				}
				return writeRule(out, r)
			case markdown:
				return rules.WriteMarkdown(out)
			}
			return writeRules(out)
		},
	}
	c.Flags().StringVar(&one, "rule", "", "only this rule, with its source and what to do")
	c.Flags().BoolVar(&markdown, "markdown", false, "as a Markdown table, whole")
	return c
}

func writeRule(out io.Writer, r rules.Rule) error {
	_, err := fmt.Fprintf(out, "%s\n  level     %s\n  severity  %s\n  code      %s\n  source    %s\n  to do     %s\n", r.ID, r.Level, r.Severity, r.Code(), r.Source, r.Advice)
	return err
}

func writeRules(out io.Writer) error {
	w := table(out, "RULE\tLEVEL\tSEVERITY\tCODE\tWHAT TO DO")
	for _, r := range append(rules.All(), rules.Outcomes()...) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Level, r.Severity, r.Code(), r.Advice)
	}
	return w.Flush()
}
