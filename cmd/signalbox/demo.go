package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"signalbox/cmd/signalbox/internal/demo"
)

func demoCommand() *cobra.Command {
	o := demo.Options{Version: version()}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole job on this machine, in a minute, without any server",
		Long: `Start the engine, a MESH server, two local authorities and a trust in this process, on loopback addresses, and walk the
whole job over real HTTP: upload, acknowledgement, query, notification, FHIR message, and a child whom no hospital saw. All persons are fictitious. The files that it
makes stay in a folder that it names; what each authority received is under DIR/la/<mailbox>/.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Dir == "" {
				dir, err := os.MkdirTemp("", "signalbox-demo-")
				if err != nil {
					return err
				}
				o.Dir = dir
			}
			o.Out = c.OutOrStdout()
			err := demo.Run(c.Context(), o)
			if err != nil && c.Context().Err() != nil {
				return errors.New("interrupted")
			}
			return err
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "folder for the files that it makes (default: a new temporary folder); it must be empty or not exist")
	c.Flags().BoolVar(&o.Keep, "keep", false, "stay up afterwards and print addresses and curl commands")
	c.Flags().StringVar(&o.Stream, "stream", "", "carry the events over a real Redis, redis://host:port/db, instead of this process")
	return c
}
