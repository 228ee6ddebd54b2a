package conformance_test

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/register"
)

// The sentences about visits and about the past.
var (
	sayVisit     = regexp.MustCompile(`^(Redhill|Bluebank|Greenfield) looks at (\d{10})( as planned)?$`)
	sayTold      = regexp.MustCompile(`^(Testshire|Northshire) is told of (no visit|one visit|\d+ visits) of (\d{10})$`)
	sayPattern   = regexp.MustCompile(`^(Testshire|Northshire) is told that (\d{10}) was seen by (\d+) organisations in (\d+) areas$`)
	sayNoPattern = regexp.MustCompile(`^(Testshire|Northshire) is told of nobody seen across boundaries$`)
	sayNow       = regexp.MustCompile(`^now is called (.+)$`)
	sayReview    = regexp.MustCompile(`^a review of (.+?)(, knowing what is known at (.+?),)? finds (.+) for (\d{10})$`)
)

// patternWorkflow is where authorities of scenarios are told of patterns.
const patternWorkflow = "TEST_PATTERN"

// hospitals are the trusts of scenarios: code and area. The area of the last is not known.
func hospitals() map[string][2]string {
	return map[string][2]string{"Redhill": {"RXX01", "North"}, "Bluebank": {"RXX02", "North"}, "Greenfield": {"RXX03", ""}}
}

// withHospitals adds the trusts of scenarios to a world, and has authorities told of patterns.
func withHospitals(w *harness.World) {
	w.Config.Patterns.Areas = map[string]string{}
	for name, h := range hospitals() {
		w.Config.Trusts = append(w.Config.Trusts, app.Trust{Name: strings.ToLower(name), ODSCode: h[0], Display: strings.ToUpper(name) + " HOSPITAL",
			DeviceID: "999000000002", Token: app.Held("token of " + name), Rights: []string{"query"}})
		if h[1] != "" {
			w.Config.Patterns.Areas[h[0]] = h[1]
		}
	}
	for i := range w.Config.Routes {
		w.Config.Routes[i].Workflows.Pattern = patternWorkflow
	}
}

// aboutThePast plays one sentence about visits or the past, and reports whether it was one.
func (p *play) aboutThePast(t *testing.T, said string) bool {
	t.Helper()
	switch {
	case sayVisit.MatchString(said):
		m := sayVisit.FindStringSubmatch(said)
		q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + m[2]}}
		headers := map[string]string{"IsUnscheduledAccessEvent": strconv.FormatBool(m[3] == "")}
		if status, _ := p.w.Ask(t, httpClient(t), http.MethodGet, "/CareTeam?"+q.Encode(), "token of "+m[1], headers, nil); status != http.StatusOK {
			t.Errorf("%s is answered %d", m[1], status)
		}
	case sayTold.MatchString(said):
		m := sayTold.FindStringSubmatch(said)
		if got := visits(p.toldOfVisits(t, m[1], m[3])); got != m[2] {
			t.Errorf("%s is told of %s of that child, want %s", m[1], got, m[2])
		}
	case sayPattern.MatchString(said):
		m := sayPattern.FindStringSubmatch(said)
		p.toldOfPattern(t, m[1], m[2], m[3], m[4])
	case sayNoPattern.MatchString(said):
		m := sayNoPattern.FindStringSubmatch(said)
		if letters := p.patternLetters(t, m[1]); len(letters) > 0 {
			t.Errorf("%s is told of a child who was seen across boundaries", m[1])
		}
	case sayNow.MatchString(said):
		p.w.Settle(t)
		p.times[sayNow.FindStringSubmatch(said)[1]] = p.w.State.Store.Now()
	case sayReview.MatchString(said):
		m := sayReview.FindStringSubmatch(said)
		known := m[1]
		if m[3] != "" {
			known = m[3]
		}
		if got := p.review(t, m[1], known, m[5]); got != m[4] {
			t.Errorf("%s: the review finds %s", said, got)
		}
	default:
		return false
	}
	return true
}

// take takes what has come to an authority of one workflow since it was last looked. The rest is left for who asks for that.
func (p *play) take(t *testing.T, la, workflow string) (out []harness.Letter) {
	t.Helper()
	p.w.Settle(t)
	p.gathered(t)
	p.w.Settle(t)
	mailbox := p.boxes[la].MailboxID()
	if n := len(p.w.Mesh.Inbox(mailbox)); n > 0 {
		p.letters[la] = append(p.letters[la], p.w.Receive(t, p.boxes[la], n)...)
	}
	p.letters[la] = slices.DeleteFunc(p.letters[la], func(l harness.Letter) bool {
		is := l.Header.WorkflowID == workflow
		if is {
			out = append(out, l)
		}
		return is
	})
	return out
}

// gathered waits until every notice of a visit is part of a notification.
func (p *play) gathered(t *testing.T) {
	t.Helper()
	for range 6_000 {
		waiting, err := p.w.State.Store.OldestNotice(context.Background())
		harness.Must(t, err)
		if len(waiting) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("a visit is in no notification after two minutes")
}

// toldOfVisits counts the visits of a child that an authority has been told of since it was last looked, however many letters that took.
func (p *play) toldOfVisits(t *testing.T, la, number string) (told int) {
	t.Helper()
	for _, letter := range p.take(t, la, "TEST_CPIS_ACCESS") {
		for _, access := range notification(t, letter).Accesses {
			if access.NHSNumber == number {
				told++
			}
		}
	}
	return told
}

func visits(n int) string {
	switch n {
	case 0:
		return "no visit"
	case 1:
		return "one visit"
	}
	return strconv.Itoa(n) + " visits"
}

// patternLetters returns the lines that tell an authority of patterns.
func (p *play) patternLetters(t *testing.T, la string) (out [][]string) {
	t.Helper()
	for _, letter := range p.take(t, la, patternWorkflow) {
		lines, err := csv.NewReader(strings.NewReader(string(letter.Body))).ReadAll()
		harness.Must(t, err)
		out = append(out, lines[1:]...)
	}
	return out
}

func (p *play) toldOfPattern(t *testing.T, la, number, organisations, areas string) {
	t.Helper()
	lines := p.patternLetters(t, la)
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line[11]] = true
		if line[1] != number || line[6] != organisations || line[7] != areas {
			t.Errorf("%s is told of %s organisations and %s areas", la, line[6], line[7])
		}
	}
	if strconv.Itoa(len(seen)) != organisations {
		t.Errorf("%s is given the visits to %d organisations, want %s", la, len(seen), organisations)
	}
}

// review asks about the past: whose flags were shown at one time, by what was known at another.
func (p *play) review(t *testing.T, at, known, number string) string {
	t.Helper()
	reg, err := register.New(p.w.Config.Visibility)
	harness.Must(t, err)
	n, err := engine.ParseNHSNumber(number)
	harness.Must(t, err)
	when := func(name string) time.Time {
		if name == "the end" {
			return p.w.State.Store.Now()
		}
		if p.times[name].IsZero() {
			t.Fatalf("no time is called %q", name)
		}
		return p.times[name]
	}
	past, err := reg.Past(context.Background(), p.w.State.Store, n, when(at), when(known))
	harness.Must(t, err)
	var names []string
	for _, k := range past.Shown {
		if k.Assumed || k.Upstream == "" || k.Event.Origin.Position == 0 {
			t.Error("a flag of the past does not say where it is from and since when it was known")
		}
		names = append(names, map[string]string{harness.Testshire().ODSCode: "Testshire", harness.Northshire().ODSCode: "Northshire"}[k.Event.Flag.Authority.ODSCode])
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, " and ")
}
