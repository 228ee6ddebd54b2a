package main

import "github.com/spf13/cobra"

func meshCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mesh",
		Short: "MESH: serve mailboxes",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(meshServeCommand())
	return c
}
