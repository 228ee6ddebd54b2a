package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signalbox/mappings"
)

func functionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "functions",
		Short: "List what mappings can call and convert to, with examples",
		Long: `List the conversions that can stand after "as" in a mapping, and the functions that its expressions can call besides CEL's own. Every
example is a test of the function.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			fmt.Fprintln(out, "Conversions (as: ...)")
			listFunctions(out, mappings.Conversions())
			fmt.Fprintln(out, "\nFunctions of expressions (when, expr)")
			listFunctions(out, mappings.Functions())
			return nil
		},
	}
}

func listFunctions(out io.Writer, list []mappings.Function) {
	for _, f := range list {
		fmt.Fprintf(out, "\n  %s\n      %s\n", f.Usage, f.Meaning)
		for _, e := range f.Examples {
			makes := e.Makes
			if makes == "" {
				makes = "(fails)"
			}
			fmt.Fprintf(out, "      %s  =>  %s\n", e.Of, makes)
		}
	}
}
