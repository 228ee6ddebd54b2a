package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

// walk goes through the seven steps. Every expectation that fails ends it with an error, so that the demonstration is a test as well.
func (s *stage) walk(ctx context.Context) error {
	carried := "inside this process (Watermill gochannel)"
	if s.Stream != "" {
		carried = "over Redis Streams (Watermill, our own driver)"
	}
	s.story.say("Engine, MESH server, two local authorities and a trust on loopback; events travel %s.", carried)
	s.story.say("All persons, organisations and numbers are fictitious. Everything that is made stays in %s", s.Dir)
	for _, step := range []func(context.Context) error{s.uploads, s.acknowledgements, s.queries, s.notifications, s.message, s.mend} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.story.say("")
	s.story.say("Done. Configuration: %s  What the authorities received: %s  The engine's log, without personal data: %s",
		filepath.Join(s.Dir, "signalbox.yaml"), filepath.Join(s.Dir, "la"), filepath.Join(s.Dir, "engine.log"))
	return nil
}

func (s *stage) uploads(ctx context.Context) error {
	s.story.title("The local authorities send their files through MESH")
	xml, err := testshireUpload(time.Now())
	if err != nil {
		return err
	}
	csv, err := northshireUpload()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		la   *authority
		name string
		id   string
		body []byte
		text string
	}{
		{s.test, "upload-1042.xml", "1042", xml, "CP-IS HL7 V3 XML, 5 records that say they are 6; one fails its check digit, one has a 31 February"},
		{s.test, "upload-1043.xml", "1043", []byte("This is last week's minutes, saved under the wrong name."), "not XML at all"},
		{s.north, "extract.csv", "77", csv, "CSV in windows-1252 with UK dates and its own plan codes, 8 rows, 5 of them bad"},
	} {
		if err := f.la.upload(ctx, f.name, f.id, f.body); err != nil {
			return err
		}
		s.story.say("%s sends %s (%d bytes): %s", f.la.name, f.name, len(f.body), f.text)
	}
	return nil
}

func (s *stage) acknowledgements(ctx context.Context) error {
	received := map[*authority][]letter{}
	for _, f := range []struct {
		la *authority
		n  int
	}{{s.test, 2}, {s.north, 1}} {
		letters, err := f.la.receive(ctx, "its acknowledgements", f.n)
		if err != nil {
			return err
		}
		received[f.la] = letters
	}
	s.story.title("Signalbox collects each file over HTTP, makes it durable, acknowledges it, translates and applies it")
	for _, line := range s.heard.take() {
		s.story.say("%s", line)
	}
	s.story.title("Each authority is told which records stand, which do not, and why")
	for _, la := range []*authority{s.test, s.north} {
		for _, l := range received[la] {
			if err := la.tellAcknowledgement(&s.story, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) queries(ctx context.Context) error {
	s.story.title("A child comes to the emergency department, and the trust asks over FHIR R4")
	trace := map[string]string{"TraceID": uuid.NewString()}
	raw, err := s.ask(ctx, "CareTeam", adaNumber, trustToken, trace, http.StatusOK)
	if err != nil {
		return err
	}
	s.story.say("CareTeam about Ada: %d plans stand", raw.Total)
	raw.tellCareTeams(&s.story)
	if raw.Total != 2 {
		return fmt.Errorf("the trust should see 2 plans, of two authorities; it sees %d", raw.Total)
	}
	history, err := s.ask(ctx, "AuditEvent", adaNumber, trustToken, trace, http.StatusOK)
	if err != nil {
		return err
	}
	s.story.say("AuditEvent about Ada, with the same TraceID, so this is one look and not two: %d earlier accesses", history.Total)
	scheduled := map[string]string{"IsUnscheduledAccessEvent": "false"}
	if _, err := s.ask(ctx, "PatientFlag", adaNumber, trustToken, scheduled, http.StatusOK); err != nil {
		return err
	}
	s.story.say("PatientFlag about Ada from a clinic, scheduled: answered, no history, nobody is told")
	return s.refusals(ctx)
}

func (s *stage) refusals(ctx context.Context) error {
	unknown, err := s.ask(ctx, "CareTeam", nobody, trustToken, nil, http.StatusOK)
	if err != nil {
		return err
	}
	s.story.say("CareTeam about a child whom no authority has flagged: 200, total %d", unknown.Total)
	for _, r := range []struct {
		number, token, what string
		want                int
	}{
		{adaNumber, "", "without a token", http.StatusUnauthorized},
		{"9990000019", trustToken, "with an NHS number that fails its check digit", http.StatusBadRequest},
	} {
		refusal, err := s.ask(ctx, "CareTeam", r.number, r.token, nil, r.want)
		if err != nil {
			return err
		}
		s.story.say("CareTeam %s: %d, %s", r.what, r.want, refusal.reason())
	}
	return nil
}

// ask queries and refuses any status but the one that is wanted.
func (s *stage) ask(ctx context.Context, resource, number, token string, headers map[string]string, want int) (bundle, error) {
	status, raw, err := s.trust.query(ctx, resource, number, token, headers)
	if err != nil {
		return bundle{}, err
	}
	if status != want {
		return bundle{}, fmt.Errorf("%s was answered with %d, not %d", resource, status, want)
	}
	return readBundle(raw)
}

func (s *stage) notifications(ctx context.Context) error {
	s.story.title("When the window has closed, each responsible authority is told of the access")
	for _, la := range []*authority{s.test, s.north} {
		if err := s.told(ctx, la); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) told(ctx context.Context, la *authority) error {
	letters, err := la.receive(ctx, "its notification", 1)
	if err != nil {
		return err
	}
	accesses := 0
	for _, l := range letters {
		n, err := la.tellNotification(&s.story, l)
		if err != nil {
			return err
		}
		accesses += n
	}
	if accesses != 1 {
		return fmt.Errorf("%s should be told of 1 access, not of %d", la.name, accesses)
	}
	return nil
}

func (s *stage) message(ctx context.Context) error {
	s.story.title("Another trust system does not ask but sends a FHIR message when a child attends: same effect")
	body, err := attendance(zoeNumber, time.Now())
	if err != nil {
		return err
	}
	headers := map[string]string{"Content-Type": "application/fhir+json", "X-Request-ID": uuid.NewString()}
	status, raw, err := s.trust.call(ctx, http.MethodPost, "/$process-message", trustToken, headers, body)
	if err != nil {
		return err
	}
	answer, err := readBundle(raw)
	if err != nil {
		return err
	}
	s.story.say("message Bundle of %d bytes about Zoë: %d, %s", len(body), status, answer.response())
	if status != http.StatusOK {
		return errors.New("the message was not accepted")
	}
	return s.told(ctx, s.north)
}

func (s *stage) printCommands() {
	s.story.title("Still up; stop with Ctrl-C. To try it yourself:")
	s.story.say("FHIR  %s", s.running.FHIR)
	s.story.say("Operations  %s/metrics, /livez and /readyz", s.running.Operations)
	s.story.say("MESH  %s (mailboxes %s, %s, %s)", s.meshURL, engineMailbox, testshireMailbox, northshireMailbox)
	auth := "-H 'Authorization: Bearer " + trustToken + "'"
	s.story.say("curl -sG %s '%s/CareTeam' --data-urlencode 'patient:identifier=%s|%s'", auth, s.running.FHIR, nhsNumberSystem, adaNumber)
	s.story.say("curl -sG %s '%s/AuditEvent' --data-urlencode 'patient:identifier=%s|%s'", auth, s.running.FHIR, nhsNumberSystem, adaNumber)
	s.story.say("curl -s %s '%s/PatientFlag?patient=%s'", auth, s.running.FHIR, zoeNumber)
	s.story.say("curl -s '%s/metadata'", s.running.FHIR)
}
