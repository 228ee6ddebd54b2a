package notify

import (
	"bytes"
	"encoding/csv"
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
func acknowledgeCSV(r report) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	w.UseCRLF = true
	lines := [][]string{{"row", "status", "rule", "where", "reason"}}
	for _, f := range r.file {
		status := f.Outcome
		if rule, ok := rules.Find(f.Error.Rule); ok && rule.Severity == rules.Warn {
			status = warning
		}
		lines = append(lines, csvLine(0, status, []store.Fault{f}))
	}
	for _, at := range r.order {
		status := engine.Accepted
		if faults := r.records[at]; !r.stands[at] && len(faults) > 0 {
			status = faults[0].Outcome
		}
		lines = append(lines, csvLine(at, status, r.records[at]))
	}
	err := w.WriteAll(lines)
	return buf.Bytes(), err
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
