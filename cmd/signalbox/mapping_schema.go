package main

import (
	"github.com/spf13/cobra"

	"signalbox/adapters"
	"signalbox/mappings"
)

func mappingSchemaCommand() *cobra.Command {
	var source bool
	c := &cobra.Command{
		Use:   "schema [DIR]",
		Short: "Print the JSON Schema of mapping.yaml for editors",
		Long: `Print the JSON Schema of mapping.yaml, or with --source that of source.yaml. With DIR, or the name of a built-in supplier, it is that supplier's
own, with its field names, tables and target fields. Write it beside the mapping and name it in the mapping's first line:

# yaml-language-server: $schema=mapping.schema.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var m *mappings.Mapping
			if len(args) > 0 {
				f, err := oneFolder(args[0])
				if err != nil {
					return err
				}
				if m, err = f.load(c); err != nil {
					return err
				}
			}
			raw, err := mappings.MappingSchema(m)
			if source {
				raw, err = mappings.SourceSchema(adapters.All().Formats())
			}
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(raw)
			return err
		},
	}
	c.Flags().BoolVar(&source, "source", false, "of source.yaml instead")
	return c
}
