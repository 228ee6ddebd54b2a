package main

import (
	"io"

	"github.com/spf13/cobra"

	"signalbox/engine"
)

func schemaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the published description of the events on the stream",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for name, doc := range map[string]struct{ short, text string }{
		"event":    {"JSON Schema (2020-12) of the events", engine.EventSchema},
		"asyncapi": {"AsyncAPI 3.0 document of the topics", engine.AsyncAPI},
	} {
		c.AddCommand(&cobra.Command{
			Use: name, Short: doc.short, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				_, err := io.WriteString(c.OutOrStdout(), doc.text)
				return err
			},
		})
	}
	return c
}
