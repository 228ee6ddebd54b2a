package cpis

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// validate runs the published schemas over files, name to body, and gives the
// names which they take. It logs and gives nil where schemas or Java are missing.
func validate(t *testing.T, files map[string][]byte) map[string]bool {
	t.Helper()
	root := filepath.Join("..", "..")
	tool := filepath.Join(root, "..", "shared", "bin", "CpisValidate.java")
	java, err := exec.LookPath("java")
	if _, missing := os.Stat(tool); missing != nil || err != nil || testing.Short() {
		t.Log("NOT RUN: the published schemas, or Java, are not here (or -short): nothing was compared with them")
		return nil
	}
	dir := t.TempDir()
	args := []string{filepath.Join("..", "shared", "bin", "CpisValidate.java")}
	for name, body := range files {
		path := filepath.Join(dir, name+".xml")
		require.NoError(t, os.WriteFile(path, body, 0o600))
		args = append(args, path)
	}
	command := exec.CommandContext(t.Context(), java, args...)
	command.Dir = root
	out, err := command.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, string(out))
		require.Equal(t, 1, exit.ExitCode(), string(out))
	}
	taken, said := map[string]bool{}, string(out)
	for name := range files {
		path := filepath.Join(dir, name+".xml")
		require.Contains(t, said, path+":", "the validator said nothing of a file")
		taken[name] = strings.Contains(said, path+": valid ")
	}
	return taken
}

// The content model must take and refuse exactly what the schema does. Rules
// named spine- and engine- come after the schema and do not count.
func TestAgreesWithTheSchema(t *testing.T) {
	files, refused := map[string][]byte{}, map[string]bool{}
	for i, m := range mutants {
		body := m.apply(t)
		if m.name == "other root" || strings.HasPrefix(m.name, "no namespace") {
			continue // the validator picks its schema by the root
		}
		name := fmt.Sprintf("%03d-%s", i, strings.ReplaceAll(m.name, " ", "-"))
		files[name] = []byte(body)
		for _, f := range decode(t, body, Limits{}).faults {
			refused[name] = refused[name] || strings.HasPrefix(f.Rule, "schema-")
		}
	}
	for name, taken := range validate(t, files) {
		require.Equal(t, taken, !refused[name], name)
	}
}

// Everything that this package writes must be valid, whatever went into it.
func TestOutputIsValid(t *testing.T) {
	files := map[string][]byte{
		"upload":         encodedUpload(t, sample(7)),
		"upload-escapes": encodedUpload(t, awkward()),
		"access":         encoded(t, func(b *bytes.Buffer) error { return EncodeNotification(b, notification()) }),
		"inactive":       encoded(t, func(b *bytes.Buffer) error { return EncodeInactive(b, inactive()) }),
	}
	empty := notification()
	empty.Accesses = nil
	files["access-empty"] = encoded(t, func(b *bytes.Buffer) error { return EncodeNotification(b, empty) })
	refusedFile := Response{CreationTime: testTime, Quantity: -1, FileCode: FileError, Organisation: Organisation{ODSCode: "999"}}
	files["response-file-error"] = encoded(t, func(b *bytes.Buffer) error { return EncodeResponse(b, refusedFile) })
	for i, m := range mutants {
		got := decode(t, m.apply(t), Limits{})
		files[fmt.Sprintf("response-%03d", i)] = encoded(t, func(b *bytes.Buffer) error { return EncodeResponse(b, answer(got)) })
	}
	for name, taken := range validate(t, files) {
		require.True(t, taken, name)
	}
}

// answer is the response to whatever the decoder made of a file.
func answer(got decoded) Response {
	r := Response{CreationTime: testTime, FileID: got.header.FileID, Quantity: got.header.Quantity, FileCode: FilePartial, Organisation: testshire}
	for _, record := range got.records {
		rr := ResponseRecord{Source: record, Valid: len(record.Faults) == 0}
		if !rr.Valid {
			rr.Reason = record.Faults[0].Text
		}
		r.Records = append(r.Records, rr)
	}
	return r
}

func awkward() Upload {
	u := sample(3)
	u.Organisation = Organisation{Root: OIDSite, ODSCode: "<&>\"'", Name: "A & <B>", Telecoms: []Telecom{{Use: "EC", Value: "+441632960001"}}}
	u.Records[0].Subject.Given = "Zoë ]]> \t\r\n &amp; 𝔸"
	u.Records[0].Subject.LocalID = "a\tb\nc\"d"
	return u
}

func notification() Notification {
	person := Author{Person: &Person{
		UserID: "555012345678", RoleProfileID: "555087654321", RoleCode: "R0260", RoleName: "General Medical Practitioner",
		Name:         PersonName{Use: "L", Prefix: "Dr", Given: "Eve", Family: "Clinician"},
		Organisation: Organisation{ODSCode: "RXX99", Name: "TEST EMERGENCY DEPARTMENT"},
	}}
	device := Author{Device: &Device{
		ASID: "999000000001", RoleCode: "R0670", RoleName: "Midwife", Name: PersonName{Text: "Finn Tester"},
		Organisation: Organisation{Root: OIDSite, ODSCode: "RXX98", Name: "TEST UNIT"},
	}}
	bare := Author{Device: &Device{ASID: "999000000002", Organisation: Organisation{ODSCode: "RXX97"}}}
	at := time.Date(2026, 10, 1, 4, 22, 33, 0, testTime.Location())
	query := func(id string, by Author) AccessQuery {
		return AccessQuery{ID: id, At: at, By: by, NHSNumber: "9990000018", LocalID: "LA-1001", AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL"}
	}
	return Notification{
		ID: "7d616840-ae1a-41db-973a-b18e1e0994cd", At: testTime, Authority: testshire,
		Accesses: []RecordAccess{
			{FileID: "1042", Queries: []AccessQuery{query("3C4C0AEF-3537-44C4-A8B5-F0C313603458", person), query("3C4C0AEF-3537-44C4-A8B5-F0C313603459", device)}},
			{FileID: "1043", Queries: []AccessQuery{{ID: "3C4C0AEF-3537-44C4-A8B5-F0C313603460", At: at, By: bare, NHSNumber: "9990000026"}}},
		},
	}
}

func inactive() Inactive {
	return Inactive{
		ID: "7D616840-AE1A-41DB-973A-B18E1E0994CF", At: testTime, Authority: testshire,
		Patients: []InactivePatient{
			{NHSNumber: "9990000018", FileID: "1042"},
			{NHSNumber: "9990000026", LocalID: "LA-1002", AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", Replacements: []string{"9990000050"}, FileID: "1042"},
			{NHSNumber: "9990000034", LocalID: "LA-1003", Replacements: []string{"9990000042", "9990000050"}, FileID: "1041"},
		},
	}
}
