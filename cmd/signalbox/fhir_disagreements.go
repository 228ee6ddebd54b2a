package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
)

func fhirDisagreementsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "disagreements",
		Short: "See which documents of trusts one FHIR reader takes and the other refuses",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(fhirDisagreementsListCommand())
	return c
}

func fhirDisagreementsListCommand() *cobra.Command {
	var config string
	var most int
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List them, the last first",
		Long: `List the documents, by digest, of which Signalbox's FHIR reader and google/fhir's disagree, as far as secondOpinion compared them: the kind of
the difference (fhir/gotchas.md has what was decided; undecided is news), who refuses, and the rule and place of the first fault. No datum is shown.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				all, err := d.Store.Disagreements(c.Context(), most)
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout())
				if !asJSON {
					fmt.Fprintln(w, "DIGEST\tKIND\tREFUSED BY\tRULE\tAT\tFAULTS\tTIMES\tLAST")
				}
				for _, one := range all {
					if asJSON {
						err = json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"digest": one.Digest, "kind": one.Class, "refusedBy": one.Reader,
							"rule": one.Rule, "at": one.Place, "faults": one.Faults, "times": one.Times, "last": one.Seen.UTC().Format(time.RFC3339)})
						if err != nil {
							return err
						}
						continue
					}
					fmt.Fprintf(w, "%.16s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", one.Digest, one.Class, one.Reader, one.Rule, one.Place, one.Faults, one.Times, one.Seen.Format(time.RFC3339))
				}
				return w.Flush()
			})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration `FILE`")
	c.Flags().IntVar(&most, "most", 100, "how many at most")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}
