package backtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

// JSON writes the whole report.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// counts is "3 added, 2 changed", or "nothing".
func counts(of map[What]int) string {
	var parts []string
	for _, what := range Whats() {
		if n := of[what]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Text writes the report for a person: what comes out different, the causes, and up to limit of the differences of each cause (0: all).
func (r *Report) Text(w io.Writer, limit int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d messages, %d records, %d the same, different: %s\n", r.Supplier, r.Messages, r.Records, r.Same, counts(r.Counts))
	fmt.Fprintf(&b, "new %.12s against %s\n", r.New, short(r.Old))
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "%d messages were not run: retention has removed their bytes, or nobody has translated them\n", r.Skipped)
	}
	for _, c := range r.Causes {
		fmt.Fprintf(&b, "\n[%d] %s\n    %s\n", c.Number, c.Edit, counts(c.Counts))
		r.list(&b, limit, func(d Difference) bool { return slices.Contains(d.Causes, c.Number) })
	}
	if r.Unexplained > 0 {
		fmt.Fprintf(&b, "\n[?] no edit explains these\n")
		r.list(&b, limit, func(d Difference) bool { return len(d.Causes) == 0 })
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func short(digests []string) string {
	var parts []string
	for _, d := range digests {
		parts = append(parts, fmt.Sprintf("%.12s", d))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func (r *Report) list(b *strings.Builder, limit int, of func(Difference) bool) {
	n := 0
	for _, d := range r.Differences {
		if !of(d) {
			continue
		}
		if n++; limit > 0 && n > limit {
			continue
		}
		fmt.Fprintf(b, "    %s  %s\n", d.at(), d.detail())
	}
	if limit > 0 && n > limit {
		fmt.Fprintf(b, "    and %d more\n", n-limit)
	}
}

// at is the record's place without the message's content: "2026-10-01T02:00:00Z 0123456789abcdef… record 17, line 18".
func (d Difference) at() string {
	at := fmt.Sprintf("%s  record %d", d.Source, d.Record) // a file that did not come in has neither time nor id
	if d.Received.Unix() != 0 {
		at = d.arrived()
	}
	if d.Line > 0 {
		at += fmt.Sprintf(", line %d", d.Line)
	}
	return at
}

func (d Difference) arrived() string {
	return fmt.Sprintf("%s  message %s  record %d", d.Received.UTC().Format(time.RFC3339), d.Message, d.Record)
}

func (d Difference) detail() string {
	text := string(d.What)
	if len(d.Fields) > 0 {
		text += "  " + strings.Join(d.Fields, " ")
	}
	if len(d.Rules) > 0 {
		text += "  (" + strings.Join(d.Rules, " ") + ")"
	}
	if len(d.Causes) > 1 {
		text += fmt.Sprintf("  causes %v", d.Causes)
	}
	return text
}

//go:embed report.html
var page string

// HTML writes the report as one page that needs nothing beside it.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"counts": counts, "short": short, "at": Difference.at,
		"join":  func(s []string) string { return strings.Join(s, " ") },
		"words": func(w What) string { return strings.ReplaceAll(string(w), " ", "-") },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}
