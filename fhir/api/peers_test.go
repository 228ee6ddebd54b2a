package api

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/fhir"
	"signalbox/fhir/api/subscription"
	"signalbox/fhir/invariants"
)

var emit = flag.String("emit", "", "folder into which TestRealAnswers writes what this server answers with, for other validators")

// answers asks for one of everything that this server answers, and for what subscribers are posted.
func answers(t *testing.T) map[string][]byte {
	t.Helper()
	b, _ := receiving(t)
	b.desk.flags, b.desk.history = flags(t), history(t)
	b.desk.outcomes.out = accepted(1, 3)
	const eds = "Authorization: Bearer eds"
	out := map[string][]byte{}
	ask := func(name, line, body string, headers ...string) {
		w := b.call(line, body, headers...)
		require.NotEmpty(t, w.Body.Bytes(), "%s: %d", name, w.Code)
		out[name] = w.Body.Bytes()
	}
	ask("CapabilityStatement", "GET /metadata", "", "Authorization: ")
	ask("CareTeam", careTeam, "")
	ask("CareTeam-count", careTeam+"&_summary=count", "")
	ask("CareTeam-page", careTeam+"&_count=1", "")
	ask("CareTeam-lenient", careTeam+"&wrong=1", "", "Prefer: handling=lenient")
	ask("AuditEvent", auditEvent, "")
	ask("PatientFlag", patientFlag, "")
	ask("message-ok", "POST /$process-message", attendance(t), jsonType, "X-Request-ID: "+traceID)
	ask("message-minimal", "POST /$process-message", attendance(t), jsonType, "Prefer: return=minimal")
	ask("message-pending", "POST /$process-message?async=true", attendance(t), jsonType)
	ask("transaction", "POST /", transactionOfTwo(t), jsonType)
	batch := strings.Replace(transactionOfTwo(t), `"transaction"`, `"batch"`, 1)
	ask("batch-representation", "POST /", batch, jsonType, "Prefer: return=representation")
	ask("Subscription", "POST /Subscription", wantedSubscription, eds, jsonType)
	one := "/Subscription/" + freshID
	ask("Subscription-read", "GET "+one, "", eds)
	ask("Subscription-status", "GET "+one+"/$status", "", eds)
	ask("Subscription-events", "GET "+one+"/$events", "", eds)
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{{Position: 1, Outcome: engine.Parked, Faults: []*engine.Error{
		{Rule: engine.RuleNHSNumber, Place: engine.Place{Record: 1, Path: "Bundle.entry[2].resource.identifier[0].value", Line: 1, Column: 1}}}}}}
	ask("message-fatal", "POST /$process-message", attendance(t), jsonType)
	b.desk.flags, b.desk.history = nil, nil
	ask("CareTeam-none", careTeam, "")
	ask("PatientFlag-none", patientFlag, "")
	ask("error-400", "GET /CareTeam?patient=1", "")
	ask("error-401", careTeam, "", "Authorization: ")
	ask("error-403", careTeam, "", eds)
	ask("error-404", "GET /Patient", "")
	ask("error-405", "DELETE /CareTeam", "")
	ask("error-415", "POST /", "x")
	ask("error-422", "POST /$process-message?async=true&response-url=x", attendance(t), jsonType)
	ask("error-400-body", "POST /", strings.Replace(transactionOfTwo(t), `"entry"`, `"entri"`, 1), jsonType)
	ask("error-404-message", "GET /$message-status?message=x", "")
	ask("error-406", careTeam+"&_format=ttl", "")
	ask("error-410", "GET /CareTeam?_page=x", "")
	const encounter = `"resourceType": "Encounter",`
	modified := strings.Replace(transactionOfTwo(t), encounter, encounter+`"modifierExtension":[{"url":"urn:not","valueBoolean":true}],`, 1)
	ask("error-422-modifier", "POST /", modified, jsonType)
	rejected := Record{Position: 1, Outcome: engine.Rejected, Faults: []*engine.Error{{Rule: fhir.RuleModifier, Text: "not understood",
		Place: engine.Place{Record: 1, Path: "Bundle.entry[0].resource.modifierExtension[0]", Line: 9, Column: 5}}}}
	b.desk.outcomes.out.Records = []Record{rejected, {Position: 3, Outcome: engine.Accepted}}
	ask("batch-modifier", "POST /", strings.Replace(modified, `"transaction"`, `"batch"`, 1), jsonType)
	rejected.Position = 0
	b.desk.outcomes.out.Records = []Record{rejected}
	ask("error-422-batch", "POST /", batch, jsonType)
	b.desk.outcomes.preview = []Record{rejected}
	ask("error-422-transaction", "POST /", transactionOfTwo(t), jsonType)
	b.desk.outcomes.preview = nil
	for name, err := range map[string]error{"413": &engine.Error{Kind: engine.TooLarge}, "500": &engine.Error{Kind: engine.Internal},
		"503": &engine.Error{Kind: engine.Unavailable}, "504": context.DeadlineExceeded} {
		b.desk.err = err
		ask("error-"+name, careTeam, "")
		ask("error-"+name+"-message", "POST /$process-message", attendance(t), jsonType)
	}
	out["error-429"] = throttled(time.Second).body
	for kind, name := range map[subscription.Kind]string{subscription.Event: "event", subscription.Handshake: "handshake", subscription.Heartbeat: "heartbeat"} {
		told := []store.Told{}
		if kind == subscription.Event {
			for i, a := range history(t) {
				told = append(told, store.Told{Number: i + 1, Access: engine.Envelope{Access: &a}})
			}
		}
		s := store.Subscription{ID: freshID, State: store.SubscriptionActive, Content: subscription.FullResource, Events: len(told)}
		out["notification-"+name] = b.writer().Notification(kind, s, told, s.Content)
	}
	return out
}

// TestRealAnswers holds what this server really answers against both readers, in JSON and in XML, and against R4's invariants and the profiles: those that a resource
// claims, England's for the Patient Flags design, and UK Core's for every type that has one.
func TestRealAnswers(t *testing.T) {
	v, err := secondOpinion()
	require.NoError(t, err)
	profiles := fhir.BuiltinProfiles()
	held := 0
	for name, raw := range answers(t) {
		doc, faults := fhir.Examine(raw, fhir.Limits{}, v)
		require.Empty(t, faults, "%s: %s", name, raw)
		inXML, err := fhir.AppendXML(nil, doc)
		require.NoError(t, err, name)
		again, faults := fhir.ExamineXML(inXML, fhir.Limits{}, v)
		require.Empty(t, faults, name)
		assert.Len(t, fhir.AppendJSON(nil, again), len(fhir.AppendJSON(nil, doc)), "%s: nothing is lost in XML", name)
		assert.Empty(t, profiles.ValidateClaims(doc), name)
		assert.Empty(t, invariants.New().Check(doc), name)
		types := " " + doc.Type() + " "
		for e := range doc.Root().Child("entry").Children {
			types += e.Child("resource").ResourceType() + " "
		}
		for _, url := range profiles.URLs() {
			p := profiles.Find(url)
			england := strings.Contains(url, "/England/")
			if strings.Contains(types, " "+p.Type+" ") && (!england || name == "PatientFlag") {
				held++
				assert.Empty(t, fhir.Validate(doc, p), "%s: %s", name, url)
			}
		}
		if *emit != "" {
			require.NoError(t, os.WriteFile(filepath.Join(*emit, "answer-"+name+".json"), raw, 0o600))
		}
	}
	assert.Greater(t, held, 30, "profiles were held against the answers")
}
