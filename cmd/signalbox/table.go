package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table writes columns for people, under their heads where there are any. Its caller flushes it.
func table(out io.Writer, head ...string) *tabwriter.Writer {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, line := range head {
		fmt.Fprintln(w, line)
	}
	return w
}
