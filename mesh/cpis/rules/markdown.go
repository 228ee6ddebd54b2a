package rules

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the tables as README.md has them.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, of := range [][]Rule{table[:], outcomes[:]} {
		b.WriteString("| rule | level | severity | code | source | what to do |\n|---|---|---|---|---|---|\n")
		for _, r := range of {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.ID, r.Level, r.Severity, r.Code(), strings.ReplaceAll(r.Source, "|", "\\|"), r.Advice)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
