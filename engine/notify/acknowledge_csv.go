package notify

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis/rules"
)

// warning is the status of what is said about a whole file that has done it no harm.
const warning = "warning"

// acknowledgeCSV writes one line a row of the upload: row (1-based, without the header; 0 for the whole file), status (accepted, rejected,
// parked, skipped; warning for what does the file no harm), rule, where, and the reason. Several faults of a row are joined with "; ". UTF-8, CRLF, RFC 4180 quoting. No cell can
// start with a character that a spreadsheet would take for a formula, because every cell is a number or words of ours.
func acknowledgeCSV(to io.Writer, r *report) error {
	w := newLines(to)
	fileLines(w, r.file)
	for at, became := range r.each() {
		status := engine.Accepted
		if !became.stands && len(became.faults) > 0 {
			status = became.faults[0].Outcome
		}
		_ = w.Write(csvLine(at, status, became.faults)) // the writer's error stays
	}
	if err := r.err(); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// newLines begins the file with its header.
func newLines(to io.Writer) *csv.Writer {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	_ = w.Write([]string{"row", "status", "rule", "where", "reason"}) // the writer's error stays
	return w
}

// fileLines writes what is said of the whole file.
func fileLines(w *csv.Writer, faults []store.Fault) {
	for _, f := range faults {
		status := f.Outcome
		if rule, ok := rules.Find(f.Error.Rule); ok && rule.Severity == rules.Warn {
			status = warning
		}
		_ = w.Write(csvLine(0, status, []store.Fault{f})) // the writer's error stays
	}
}

func csvLine(row int, status engine.Outcome, faults []store.Fault) []string {
	var rules, places, reasons []string
	for _, f := range faults {
		rules = append(rules, f.Error.Rule)
		at := f.Error.Place
		at.Record = 0 // the row is in the first cell
		places = append(places, at.String())
		reasons = append(reasons, f.Error.Text)
	}
	return []string{strconv.Itoa(row), string(status), strings.Join(rules, "; "), strings.Join(places, "; "), strings.Join(reasons, "; ")}
}
