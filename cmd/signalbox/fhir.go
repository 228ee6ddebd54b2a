package main

import "github.com/spf13/cobra"

func fhirCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "fhir",
		Short: "Look into FHIR R4 documents",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(fhirCheckCommand(), fhirPathCommand(), fhirDisagreementsCommand())
	return c
}
