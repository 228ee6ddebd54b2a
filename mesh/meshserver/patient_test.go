package meshserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A message to a patient's practice goes to the one mailbox at the practice that receives the workflow, whichever way the
// birth date is written, and what fails is told by a report with the code for it.
func TestPatientRouting(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Workflows = []Workflow{
			{ID: flow, Senders: []string{la}, Receivers: []string{trust, idle}},
			{ID: "TEST_BOTH", Senders: []string{la}, Receivers: []string{trust, spare}},
			{ID: "TEST_OTHERS", Senders: []string{spare}, Receivers: []string{trust}},
		}
		c.Patients = []Patient{
			{NHSNumber: "9990000018", BirthDate: "2014-02-09", Surname: "O'Neil Test", ODSCode: "zz02"},
			{NHSNumber: "9990000026", BirthDate: "2014-02-09", Surname: "Test", ODSCode: "ZZ03"},
		}
	})
	for _, c := range []struct{ name, address, workflow, code string }{
		{"day first", "9990000018_09022014_O'Neil Test", flow, ""},
		{"year first", "9990000018_20140209_o'neil test", flow, ""},
		{"two mailboxes", "9990000018_09022014_O'Neil Test", "TEST_BOTH", "EPL-150"},
		{"closed practice", "9990000026_09022014_Test", flow, "EPL-151"},
		{"unknown workflow", "9990000018_09022014_O'Neil Test", "TEST_NONE", "EPL-151"},
		{"wrong digit", "9990000019_09022014_Test", flow, "EPL-152"},
		{"no number", "_09022014_Test", flow, "EPL-152"},
		{"unknown number", "9990000034_09022014_Test", flow, "EPL-153"},
		{"another date", "9990000018_10022014_O'Neil Test", flow, "EPL-154"},
		{"another name", "9990000018_09022014_Test", flow, "EPL-154"},
		{"nothing but a number", "9990000018", flow, "EPL-154"},
	} {
		r := b.call("POST", la, "/outbox", "x", "Mex-To: GPPROVIDER_"+c.address, "Mex-WorkflowID: "+c.workflow)
		if b.wantStatus(c.name, r, 202); r.status != 202 {
			continue
		}
		m, _ := b.server.Message(b.object(r)["message_id"].(string))
		switch {
		case c.code == "" && (m.Status != "accepted" || m.To != trust):
			t.Errorf("%s: %s, to %s", c.name, m.Status, m.To)
		case c.code != "" && (m.Status != "error" || m.StatusCode != c.code || m.To != "GPPROVIDER"):
			t.Errorf("%s: %s %s, to %s, want %s", c.name, m.Status, m.StatusCode, m.To, c.code)
		}
	}
	if n, reports := len(b.server.Inbox(trust)), len(b.server.Inbox(la)); n != 2 || reports != 9 {
		t.Errorf("%d messages and %d reports", n, reports)
	}
	b.wantFault("a sender without the right", b.call("POST", la, "/outbox", "x", "Mex-To: GPPROVIDER_9990000018_09022014_O'Neil Test", "Mex-WorkflowID: TEST_OTHERS"),
		417, "SEND", "16", "Sender is not allowed to send messages of this type")
	b.holdsNothingOf("9990000018", "O'NEIL", "O'Neil")
}

// Without workflows, every mailbox at the practice receives every workflow.
func TestPatientRoutingWithoutWorkflows(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Patients = []Patient{
			{NHSNumber: "9990000018", BirthDate: "2014-02-09", Surname: "Test", ODSCode: "ZZ01"},
			{NHSNumber: "9990000026", BirthDate: "2014-02-09", Surname: "Test", ODSCode: "ZZ02"},
			{NHSNumber: "9990000034", BirthDate: "2014-02-09", Surname: "Test", ODSCode: "ZZ03"},
		}
	})
	for number, want := range map[string]string{"9990000018": la, "9990000026": "EPL-150", "9990000034": "EPL-151"} {
		r := b.call("POST", la, "/outbox", "x", "Mex-To: GPPROVIDER_"+number+"_09022014_Test", "Mex-WorkflowID: "+flow)
		m, _ := b.server.Message(b.object(r)["message_id"].(string))
		if got := m.To + m.StatusCode; got != want+"00" && got != "GPPROVIDER"+want {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// holdsNothingOf looks into every file of the server.
func (b *bench) holdsNothingOf(words ...string) {
	b.t.Helper()
	files := 0
	err := filepath.WalkDir(b.server.cfg.Dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(name)
		for _, word := range words {
			if strings.Contains(name+string(raw), word) {
				b.t.Errorf("%s holds %d letters of an address", filepath.Base(name), len(word))
			}
		}
		return err
	})
	if err != nil || files == 0 {
		b.t.Errorf("%d files, %v", files, err)
	}
}

func TestReadPatients(t *testing.T) {
	got, err := ReadPatients(strings.NewReader("# fictitious\n" + `{"nhs_number":"9990000018","birth_date":"2014-02-09","surname":"Test","ods_code":"ZZ02"}`))
	if want := (Patient{"9990000018", "2014-02-09", "Test", "ZZ02"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{
		`{"nhs_number":"9990000019","birth_date":"2014-02-09","surname":"Test","ods_code":"ZZ02"}`,
		`{"nhs_number":"9990000018","birth_date":"09022014","surname":"Test","ods_code":"ZZ02"}`,
		`{"nhs_number":"9990000018","birth_date":"2014-02-09","surname":"","ods_code":"ZZ02"}`,
		`{"nhs_number":"9990000018","birth_date":"2014-02-09","surname":"Test"}`,
		`{"nhs_number":"9990000018","birthdate":"2014-02-09","surname":"Test","ods_code":"ZZ02"}`,
		`{"nhs_number":9990000018}`,
	} {
		_, err := ReadPatients(strings.NewReader("\n" + line))
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "999") || strings.Contains(err.Error(), "Test") {
			t.Errorf("%s: %v", line, err)
		}
	}
	cfg := testConfig(t.TempDir())
	cfg.Patients = []Patient{{NHSNumber: "9990000018"}}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Patients[0]") || strings.Contains(err.Error(), "999") {
		t.Errorf("%v", err)
	}
}
