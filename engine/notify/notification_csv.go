package notify

import (
	"bytes"
	"encoding/csv"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// notificationColumns head our CSV of accesses. The shape is ours, not the scheme's: the scheme tells in XML.
func notificationColumns() []string {
	return []string{"access_id", "accessed_at", "nhs_number", "local_id", "plan_type", "file_id", "organisation_code", "organisation_name", "role", "looked_by", "pattern_ids"}
}

// notificationCSV writes one line an access, under a header that stands alone when nobody looked: access_id is the UUID that a repeat has
// too, accessed_at RFC 3339 in UTC, file_id the upload that made the record, looked_by the person's name or the system's id. UTF-8, CRLF,
// RFC 4180 quoting; pattern_ids names the patterns across boundaries that the access is part of, as far as they were known (PatternID); a cell that a spreadsheet would take for a formula gets an apostrophe in front.
func notificationCSV(p Party, notices []store.Notice, marks map[string][]engine.EventID) ([]byte, error) {
	lines := [][]string{notificationColumns()}
	for _, n := range notices {
		q, f := query(n, p.SystemID), n.Flag.Flag
		var organisation, name, role, by string
		if q.By.Person != nil {
			organisation, name, role, by = q.By.Person.Organisation.ODSCode, q.By.Person.Organisation.Name, q.By.Person.RoleName, q.By.Person.Name.Text
		} else {
			organisation, name, by = q.By.Device.Organisation.ODSCode, q.By.Device.Organisation.Name, q.By.Device.ASID
		}
		lines = append(lines, []string{q.ID, q.At.UTC().Format(time.RFC3339), q.NHSNumber, q.LocalID, string(f.Plan.Type), fileID(n.Flag), organisation, name, role, by, patternIDs(marks[n.Access.Access.ID])})
	}
	return writeCSV(lines)
}

// writeCSV writes lines whose cells may have come from elsewhere.
func writeCSV(lines [][]string) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	w.UseCRLF = true
	for _, line := range lines {
		for i, cell := range line {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				line[i] = "'" + cell
			}
		}
	}
	err := w.WriteAll(lines)
	return buf.Bytes(), err
}
