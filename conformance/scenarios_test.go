package conformance_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

// The sentences that a scenario is written in. README.md of the folder explains them.
var (
	saySends    = regexp.MustCompile(`^(Testshire|Northshire) sends file (\d+)$`)
	sayAnswered = regexp.MustCompile(`^(Testshire|Northshire) is answered (CPF0\d)$`)
	saySees     = regexp.MustCompile(`^a trust asking about (\d{10}) sees (.+)$`)
	sayRecord   = regexp.MustCompile(`^(the mother )?(\w+) (\d{10}), born (.+?), (child protection plan|looked after|unborn child protection plan) from (.+?)(?: until (.+?))?(?:, entered in error (.+))?$`)
	sayTime     = regexp.MustCompile(`^(in )?(\d+) (day|year)s?( ago)?$`)
)

// play is one scenario while it runs.
type play struct {
	w       *harness.World
	boxes   map[string]*mesh.Client
	last    map[string]*cpis.ResponseSummary
	letters map[string][]harness.Letter // by authority: what came and was not looked at
	times   map[string]time.Time        // moments that a scenario has named
	today   time.Time
}

// Every text in scenarios/ is played through the whole engine: files in over MESH, questions over FHIR.
func TestScenarios(t *testing.T) {
	texts, err := filepath.Glob("scenarios/*.txt")
	if err != nil || len(texts) < 8 {
		t.Fatalf("%d scenarios, %v", len(texts), err)
	}
	for _, path := range texts {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			harness.Must(t, err)
			north := harness.Northshire()
			north.Supplier, north.Dialect = harness.Testshire().Supplier, harness.Testshire().Dialect
			p := &play{w: harness.New(t, harness.Testshire(), north), last: map[string]*cpis.ResponseSummary{}, today: time.Now(),
				letters: map[string][]harness.Letter{}, times: map[string]time.Time{}}
			withHospitals(p.w)
			p.w.Start(t)
			p.boxes = map[string]*mesh.Client{"Testshire": p.w.Client(t, "TESTLA01"), "Northshire": p.w.Client(t, "TESTLA02")}
			p.perform(t, string(text))
		})
	}
}

func (p *play) perform(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 1; i < len(lines); i++ { // the first is the title
		line := lines[i]
		if strings.TrimSpace(line) == "" {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if !strings.Contains(" Given When Then And ", " "+word+" ") {
			t.Fatalf("line %d: begins with none of Given, When, Then and And", i+1)
		}
		switch {
		case saySends.MatchString(rest):
			m := saySends.FindStringSubmatch(rest)
			var records []string
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  ") {
				i++
				records = append(records, strings.TrimSpace(lines[i]))
			}
			p.send(t, m[1], m[2], records)
		case sayAnswered.MatchString(rest):
			m := sayAnswered.FindStringSubmatch(rest)
			if r := p.last[m[1]]; r == nil || string(r.Codes[0]) != m[2] {
				t.Errorf("line %d: %s is answered %+v", i+1, m[1], r)
			}
		case saySees.MatchString(rest):
			m := saySees.FindStringSubmatch(rest)
			if got := p.sees(t, m[1]); got != m[2] {
				t.Errorf("line %d: the trust sees %s, want %s", i+1, got, m[2])
			}
		case p.aboutThePast(t, rest):
		default:
			t.Fatalf("line %d: is no sentence that a scenario can say", i+1)
		}
	}
}

// sees asks as a trust does, by a scheduled access, so that nobody has to be told.
func (p *play) sees(t *testing.T, number string) string {
	t.Helper()
	p.w.Settle(t)
	status, names := careTeams(t, p.w, number, map[string]string{"IsUnscheduledAccessEvent": "false"})
	var short []string
	for _, n := range names {
		short = append(short, map[string]string{harness.Testshire().Name: "Testshire", harness.Northshire().Name: "Northshire"}[n])
	}
	if len(short) == 0 && (status == http.StatusOK || status == http.StatusNotFound) {
		return "nobody"
	}
	return strings.Join(short, " and ")
}

func (p *play) send(t *testing.T, la, fileID string, lines []string) {
	t.Helper()
	who := harness.Testshire()
	if la == "Northshire" {
		who = harness.Northshire()
	}
	u := cpis.Upload{CreationTime: p.today, FileID: fileID, Organisation: cpis.Organisation{ODSCode: who.ODSCode, Name: who.Name,
		Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}}}
	for _, line := range lines {
		u.Records = append(u.Records, p.record(t, line))
	}
	var body bytes.Buffer
	harness.Must(t, cpis.EncodeUpload(&body, u))
	p.w.Send(t, p.boxes[la], fileID, body.Bytes())
	for p.last[la] = nil; p.last[la] == nil; { // notifications may come between
		letters := p.w.Receive(t, p.boxes[la], 1)
		p.letters[la] = append(p.letters[la], letters...)
		for _, letter := range letters {
			if letter.Header.WorkflowID == "TEST_CPIS_ACK" {
				p.last[la] = response(t, letter)
			}
		}
	}
}

func (p *play) record(t *testing.T, line string) cpis.UploadRecord {
	t.Helper()
	m := sayRecord.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%q is no record that a scenario can say", line)
	}
	kind := map[string]string{"child protection plan": cpis.PlanChildProtection, "looked after": cpis.PlanLookedAfter, "unborn child protection plan": cpis.PlanUnbornProtection}[m[5]]
	date := func(said, layout string) string {
		if said == "" {
			return ""
		}
		return p.when(t, said).Format(layout)
	}
	return cpis.UploadRecord{
		Plan:    cpis.Plan{Kind: kind, Start: date(m[6], "200601020000"), End: date(m[7], "200601020000"), Delete: date(m[8], "200601020000")},
		Subject: cpis.Subject{Unborn: m[1] != "", NHSNumber: m[3], BirthTime: date(m[4], "20060102"), Given: m[2], Family: "Testone"},
	}
}

func (p *play) when(t *testing.T, said string) time.Time {
	t.Helper()
	if said == "today" {
		return p.today
	}
	m := sayTime.FindStringSubmatch(said)
	if m == nil || (m[1] == "") == (m[4] == "") {
		t.Fatalf("%q is no time that a scenario can say", said)
	}
	n, _ := strconv.Atoi(m[2])
	if m[4] != "" {
		n = -n
	}
	if m[3] == "year" {
		return p.today.AddDate(n, 0, 0)
	}
	return p.today.AddDate(0, 0, n)
}
