package mappings_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"signalbox/adapters"
	"signalbox/mappings"
)

const goodTest = `One row.
-- message --
localId: 9
-- input --
nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name
9990000018,Zoë,Testone,12/03/2015,P,01/09/2026,,,N-1001,C,
-- want --
record 1 skipped
`

func runOne(t *testing.T, content string, options ...mappings.TestOption) (mappings.TestReport, string) {
	t.Helper()
	folder := fstest.MapFS{model + "/tests/one.txtar": {Data: []byte(content)}}
	report, err := mappings.RunTests(folder, model, northshire(t), options...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.Render(&b); err != nil {
		t.Fatal(err)
	}
	return report, b.String()
}

func TestRunTests(t *testing.T) {
	tests := map[string]struct {
		content, want string
		failed        int
	}{
		"passes":     {goodTest, "ok    northshire-csv/tests/one.txtar\nnorthshire-csv: 1 tests, 0 failed\n", 0},
		"differs":    {strings.Replace(goodTest, "1 skipped", "1 accepted", 1), "  - record 1 accepted\n  + record 1 skipped\n", 1},
		"no want":    {strings.Split(goodTest, "-- want")[0], "  + record 1 skipped\n", 1},
		"no input":   {"-- want --\n", "exactly one of input", 1},
		"two inputs": {goodTest + "-- input.hex --\n00\n", "exactly one of input", 1},
		"bad hex":    {"-- input.hex --\nxx\n", "section input.hex", 1},
		"bad base64": {"-- input.base64 --\n*\n", "section input.base64", 1},
		"section":    {goodTest + "-- wants --\n", "section wants: a test has the sections", 1},
		"message":    {strings.Replace(goodTest, "localId", "localID", 1), `no key "localID"`, 1},
		"received":   {strings.Replace(goodTest, "localId: 9", "received: today", 1), "section message", 1},
		"character":  {strings.Replace(goodTest, "Zoë", "Łucja", 1), "does not exist in windows-1252", 1},
	}
	for name, tt := range tests {
		report, text := runOne(t, tt.content)
		if report.Failed() != tt.failed || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got\n%s\nwant %q", name, text, tt.want)
		}
	}
	report, err := mappings.RunTests(fstest.MapFS{}, model, northshire(t))
	if err != nil || len(report.Results) != 0 {
		t.Errorf("a folder without tests: %v %v", report, err)
	}
}

func TestUpdate(t *testing.T) {
	bad := strings.Replace(goodTest, "1 skipped", "1 accepted", 1)
	written := ""
	report, text := runOne(t, bad, mappings.Update(func(path string, content []byte) error {
		written = path + "\n" + string(content)
		return nil
	}))
	if report.Failed() != 0 || written != model+"/tests/one.txtar\n"+goodTest || !strings.HasPrefix(text, "new ") {
		t.Errorf("got %s\n%s", text, written)
	}
	report, _ = runOne(t, goodTest, mappings.Update(func(string, []byte) error { t.Error("a passing test is rewritten"); return nil }))
	if report.Failed() != 0 {
		t.Error("a passing test fails")
	}
	report, text = runOne(t, bad, mappings.Update(func(string, []byte) error { return errors.New("read only") }))
	if report.Failed() != 1 || !strings.Contains(text, "read only") {
		t.Errorf("got %s", text)
	}
}

// TestInputIsEncoded shows that readable input reaches the adapter in each encoding that a source can declare.
func TestInputIsEncoded(t *testing.T) {
	for _, name := range []string{"utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "ibm850", "utf-16", "utf-16le", "utf-16be"} {
		folder := copyOf(t, model)
		edit(t, folder, model, "source.yaml: encoding: windows-1252 => encoding: "+name)
		folder[model+"/tests/one.txtar"] = &fstest.MapFile{Data: []byte(strings.Replace(strings.Replace(goodTest, ",C,", ",L,", 1), "1 skipped\n", `1 accepted
  subject.nhsNumber = 9990000018
  subject.birthDate = 2015-03-12 (sent 12/03/2015)
  subject.given = Zoë
  subject.family = Testone
  plan.type = child-protection
  plan.start = 2026-09-01 (sent 01/09/2026)
  authority.odsCode = 998
  authority.name = NORTHSHIRE COUNTY COUNCIL
  authority.officeHours = 01632960101
  authority.emergencyDuty = 01632960102
  localId = N-1001
  fileId = 9
`, 1))}
		m, err := mappings.Load(folder, model, adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		report, err := mappings.RunTests(folder, model, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Results {
			if strings.HasSuffix(r.Path, "one.txtar") && !r.Passed {
				t.Errorf("%s: %s%s", name, r.Fault, r.Diff)
			}
		}
	}
}
