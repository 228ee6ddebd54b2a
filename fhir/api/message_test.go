package api

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
)

// settledAt is when the fake desk says that every message became durable.
var settledAt = time.Date(2026, 3, 14, 22, 50, 1, 500, time.UTC)

// outcomes is the part of the fake desk that says what became of messages.
type outcomes struct {
	preview []Record
	out     Outcome
	failed  error
	waited  time.Duration
}

func (d *fakeDesk) Preview(_ context.Context, m engine.Message) ([]Record, error) {
	return d.outcomes.preview, d.err
}

func (d *fakeDesk) Respond(_ context.Context, client string, id engine.MessageID, endpoint string) error {
	d.responses = append(d.responses, client+" "+string(id)+" "+endpoint)
	return d.err
}

func (d *fakeDesk) Outcome(_ context.Context, source string, id engine.MessageID, within time.Duration) (Outcome, error) {
	d.outcomes.waited = within
	if _, err := d.Sent(context.Background(), source, id); err != nil {
		return Outcome{}, err
	}
	return d.outcomes.out, d.outcomes.failed
}

func (d *fakeDesk) Sent(_ context.Context, source string, id engine.MessageID) (engine.Message, error) {
	for _, m := range d.messages {
		if m.ID == id && m.Source == source {
			return m, nil
		}
	}
	return engine.Message{}, &engine.Error{Op: "test", Kind: engine.NotFound}
}

func accepted(positions ...int) Outcome {
	out := Outcome{Settled: true, Received: settledAt}
	for _, n := range positions {
		out.Records = append(out.Records, Record{Position: n, Outcome: engine.Accepted})
	}
	return out
}

func attendance(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	return string(raw)
}

func transactionOfTwo(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-encounters/sample/two-attendances.json")
	require.NoError(t, err)
	return string(raw)
}

const jsonType = "Content-Type: application/fhir+json; charset=UTF-8"

func TestProcessMessage(t *testing.T) {
	b, sample := newBench(t), attendance(t)
	b.desk.outcomes.out = accepted(1)
	w := b.call("POST /$process-message", sample, jsonType, "X-Request-ID: "+traceID)
	assert.Equal(t, 200, w.Code)
	doc := sound(t, w)
	m := b.desk.messages[0]
	assert.Equal(t, engine.Message{
		ID: engine.NewMessageID("fhir/testshire-ed", m.Upstream), Source: "fhir/testshire-ed", From: "TST01", Received: b.now, Body: []byte(sample),
		Upstream: traceID + ":" + engine.Digest([]byte(sample))[:16],
	}, m)
	assert.Equal(t, "message", values(t, doc, "Bundle.type"))
	assert.Equal(t, traceID+" ok", values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).response.identifier")+" "+
		values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).response.code"))
	assert.Equal(t, "attendance-started", values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).event.ofType(Coding).code"))
	assert.Equal(t, "urn:nhs:addressing:asid:999999990001", values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).destination.endpoint"))
	assert.Equal(t, "information", values(t, doc, "Bundle.entry.resource.ofType(OperationOutcome).issue.severity"))
	details := values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).response.details.reference")
	assert.Contains(t, values(t, doc, "Bundle.entry.fullUrl"), details, "the details are in the Bundle")
	assert.Equal(t, 5*time.Second, b.desk.outcomes.waited)

	b.now = b.now.Add(time.Hour)
	again := b.call("POST /$process-message", sample, jsonType, "X-Request-ID: "+traceID)
	assert.Equal(t, w.Code, again.Code)
	assert.Equal(t, w.Body.String(), again.Body.String(), "the same id has the same answer, byte for byte")

	b.call("POST /$process-message", sample+"\n", jsonType, "X-Request-ID: "+traceID)
	assert.NotEqual(t, m.ID, b.desk.messages[2].ID, "a mended body under the same id is another message")
	b.call("POST /$process-message", sample, jsonType)
	assert.Equal(t, engine.Digest([]byte(sample)), b.desk.messages[3].Upstream)
}

func TestProcessMessageReportsWhatTranslationRefuses(t *testing.T) {
	b := newBench(t)
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{{Position: 1, Outcome: engine.Parked, Faults: []*engine.Error{
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleNHSNumber, Text: "subject.nhsNumber", Err: engine.ErrNHSNumberCheckDigit,
			Place: engine.Place{Record: 1, Path: "Bundle.entry[2].resource.identifier[0].value", Line: 118, Column: 23}},
		{Op: "translate", Kind: engine.Unmapped, Rule: engine.RuleCode, Text: "setting"},
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleMandatory, Text: "at"},
		{Op: "translate", Kind: engine.TooLarge, Rule: engine.RuleLimit},
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RulePlanPeriod},
	}}}}
	w := b.call("POST /$process-message", attendance(t), jsonType)
	assert.Equal(t, 422, w.Code)
	doc := sound(t, w)
	issue := "Bundle.entry.resource.ofType(OperationOutcome).issue."
	assert.Equal(t, "value code-invalid required too-long invalid informational", values(t, doc, issue+"code"))
	assert.Equal(t, "Bundle.entry[2].resource.identifier[0].value", values(t, doc, issue+"expression"))
	assert.Equal(t, "fatal-error", values(t, doc, "Bundle.entry.resource.ofType(MessageHeader).response.code"))
	for _, want := range []string{"kept all the same", "line 118:23", "1 parked"} {
		assert.Contains(t, w.Body.String(), want)
	}
}

// What is skipped, and what is accepted with an empty field, is ok and says so.
func TestProcessMessageThatTellsOfNothing(t *testing.T) {
	b := newBench(t)
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{{Position: 1, Outcome: engine.Skipped}}}
	w := b.call("POST /$process-message", attendance(t), jsonType)
	assert.Equal(t, 200, w.Code)
	assert.Contains(t, w.Body.String(), "tells of no access")
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{{Position: 1, Outcome: engine.Accepted,
		Faults: []*engine.Error{{Rule: engine.RuleDate, Text: "subject.birthDate"}}}}}
	w = b.call("POST /$process-message", attendance(t), jsonType)
	assert.Equal(t, "warning information", values(t, sound(t, w), "Bundle.entry.resource.ofType(OperationOutcome).issue.severity"))
}

func TestASenderWhoDoesNotWaitAsksLater(t *testing.T) {
	for name, call := range map[string][2]string{
		"async":         {"POST /$process-message?async=true", ""},
		"respond-async": {"POST /$process-message", "Prefer: respond-async"},
		"not in time":   {"POST /$process-message?async=false", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			headers := []string{jsonType}
			if call[1] != "" {
				headers = append(headers, call[1])
			}
			w := b.call(call[0], attendance(t), headers...)
			require.Equal(t, 202, w.Code)
			sound(t, w)
			where := w.Header().Get("Content-Location")
			require.True(t, strings.HasPrefix(where, "https://signalbox.testshire.example/FHIR/R4/$message-status?message="), where)
			assert.NotContains(t, where, "999")
			path := "GET " + strings.TrimPrefix(where, "https://signalbox.testshire.example/FHIR/R4")
			assert.Equal(t, 202, b.call(path, "").Code, "not settled yet")
			b.desk.outcomes.out = accepted(1)
			settled := b.call(path, "")
			assert.Equal(t, 200, settled.Code)
			assert.Equal(t, b.call("POST /$process-message", attendance(t), jsonType).Body.String(), settled.Body.String(),
				"asking later has the answer that waiting has")
			assert.Equal(t, 404, b.call(path, "", "Authorization: Bearer send").Code, "another client's message")
			assert.Equal(t, 403, b.call(path, "", "Authorization: Bearer query").Code)
			assert.Equal(t, 404, b.call(path+"0", "").Code)
			assert.Equal(t, 400, b.call(path+"&more=1", "").Code)
		})
	}
}

func TestMessagesThatCannotBeTaken(t *testing.T) {
	sample := attendance(t)
	away := &engine.Error{Op: "test", Kind: engine.Unavailable}
	for name, tc := range map[string]struct {
		line, body string
		header     string
		err        error
		want       int
		says       string
	}{
		"another type of Bundle": {"POST /$process-message", transactionOfTwo(t), jsonType, nil, 400, "Bundle.type"},
		"no MessageHeader":       {"POST /$process-message", `{"resourceType":"Bundle","type":"message"}`, jsonType, nil, 400, "first entry"},
		"no id":                  {"POST /$process-message", withoutIDs(t, sample), jsonType, nil, 400, "no id"},
		"not a Bundle":           {"POST /$process-message", `{"resourceType":"Patient"}`, jsonType, nil, 400, "a Bundle is taken here"},
		"plain JSON":             {"POST /$process-message", sample, "Content-Type: text/plain", nil, 415, "content-type"},
		"async that is neither":  {"POST /$process-message?async=perhaps", sample, jsonType, nil, 400, "true or false"},
		"an answer elsewhere":    {"POST /$process-message?async=true&response-url=https://elsewhere.example", sample, jsonType, nil, 422, "response-url"},
		"an answer, waiting":     {"POST /$process-message?response-url=https://ed.testshire.example/answers", sample, jsonType, nil, 400, "async=true"},
		"unknown parameter":      {"POST /$process-message?patient=1", sample, jsonType, nil, 400, "async"},
		"the record is away":     {"POST /$process-message", sample, jsonType, away, 503, "transient-error"},
		"no mapping":             {"POST /", transactionOfTwo(t), jsonType, &engine.Error{Kind: engine.Unmapped}, 422, "no mapping"},
		"transaction to nowhere": {"POST /$process-message", transactionOfTwo(t), jsonType, nil, 400, "not of type message"},
		"message at the base":    {"POST ", sample, jsonType, nil, 400, "$process-message"},
		"record away, batch":     {"POST /", strings.Replace(transactionOfTwo(t), `"transaction"`, `"batch"`, 1), jsonType, away, 503, "again"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.desk.err = tc.err
			w := b.call(tc.line, tc.body, tc.header)
			assert.Equal(t, tc.want, w.Code, "%s", w.Body)
			assert.Contains(t, w.Body.String(), tc.says)
			sound(t, w)
			if tc.err == nil {
				assert.Empty(t, b.desk.messages, "nothing is kept")
			}
		})
	}
}

// withoutIDs takes the id and fullUrl of the MessageHeader away.
func withoutIDs(t testing.TB, sample string) string {
	t.Helper()
	var bundle map[string]any
	require.NoError(t, json.Unmarshal([]byte(sample), &bundle))
	first := bundle["entry"].([]any)[0].(map[string]any)
	delete(first, "fullUrl")
	delete(first["resource"].(map[string]any), "id")
	raw, err := json.Marshal(bundle)
	require.NoError(t, err)
	return string(raw)
}

func TestTransactionIsTakenWholeOrNotAtAll(t *testing.T) {
	b, body := newBench(t), transactionOfTwo(t)
	bad := []*engine.Error{{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleNHSNumber, Place: engine.Place{Record: 3, Path: "Bundle.entry[3].resource.identifier[0].value"}}}
	b.desk.outcomes.preview = []Record{{Position: 1, Outcome: engine.Accepted}, {Position: 3, Outcome: engine.Rejected, Faults: bad}}
	w := b.call("POST /", body, jsonType)
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, "Bundle.entry[3].resource.identifier[0].value", values(t, sound(t, w), "OperationOutcome.issue.expression"))
	assert.Empty(t, b.desk.messages)

	b.desk.outcomes.preview, b.desk.outcomes.out = nil, accepted(1, 3)
	w = b.call("POST ", body, jsonType)
	assert.Equal(t, 200, w.Code)
	doc := sound(t, w)
	assert.Equal(t, WorkflowTransaction, b.desk.messages[0].WorkflowID)
	assert.Equal(t, "transaction-response", values(t, doc, "Bundle.type"))
	assert.Equal(t, strings.TrimSpace(strings.Repeat("202 Accepted ", 7)), values(t, doc, "Bundle.entry.response.status"))
	assert.Equal(t, w.Body.String(), b.call("POST /", body, jsonType).Body.String())
}

func TestBatchIsAnsweredEntryByEntry(t *testing.T) {
	b, body := newBench(t), strings.Replace(transactionOfTwo(t), `"transaction"`, `"batch"`, 1)
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{
		{Position: 1, Outcome: engine.Skipped},
		{Position: 3, Outcome: engine.Rejected, Faults: []*engine.Error{{Rule: "bundle-interaction", Text: "only POST", Place: engine.Place{Path: "Bundle.entry[2].request.method"}}}},
	}}
	b.desk.outcomes.preview = b.desk.outcomes.out.Records // not asked
	w := b.call("POST /", body, jsonType)
	assert.Equal(t, 200, w.Code)
	doc := sound(t, w)
	assert.Equal(t, "batch-response", values(t, doc, "Bundle.type"))
	assert.Equal(t, "202 Accepted 202 Accepted 422 Unprocessable Entity 202 Accepted 202 Accepted 202 Accepted 202 Accepted",
		values(t, doc, "Bundle.entry.response.status"))
	assert.Contains(t, w.Body.String(), "bundle-interaction: only POST")
	w = b.call("POST /?async=true", body, jsonType)
	assert.Equal(t, 400, w.Code, "async is a parameter of the operation; Prefer is for the rest")
	w = b.call("POST /", body, jsonType, "Prefer: respond-async")
	assert.Equal(t, 202, w.Code)
	w = b.call("GET "+strings.TrimPrefix(w.Header().Get("Content-Location"), "https://signalbox.testshire.example/FHIR/R4"), "")
	assert.Equal(t, "batch-response", values(t, sound(t, w), "Bundle.type"))
}

func TestMetadataIsOpenAndTrue(t *testing.T) {
	b := newBench(t)
	w := b.call("GET /metadata", "", "Authorization: ")
	assert.Equal(t, 200, w.Code)
	doc := sound(t, w)
	assert.Equal(t, "AuditEvent CareTeam Flag", values(t, doc, "CapabilityStatement.rest.resource.type"))
	assert.Equal(t, "process-message", values(t, doc, "CapabilityStatement.rest.operation.name"))
	assert.Equal(t, "search-type search-type search-type", values(t, doc, "CapabilityStatement.rest.resource.interaction.code"))
	assert.Equal(t, includeAssigned, values(t, doc, "CapabilityStatement.rest.resource.searchInclude"))
}

// Whatever is posted, the answer is FHIR of a known kind, and what is kept is what was sent.
func FuzzBundleIntake(f *testing.F) {
	f.Add([]byte(attendance(f)), false)
	f.Add([]byte(transactionOfTwo(f)), true)
	f.Add([]byte(inXML(f, attendance(f))), false)
	f.Add([]byte(inXML(f, transactionOfTwo(f))), true)
	f.Add([]byte(`{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","id":"a","eventUri":"x","source":{"endpoint":"y"}}}]}`), false)
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch"}`), true)
	b := newBench(f)
	b.cfg.Opinion = nil // its own fuzzing is elsewhere
	f.Fuzz(func(t *testing.T, body []byte, base bool) {
		b.desk.messages, b.desk.outcomes.out = nil, accepted(1, 3)
		line := "POST /$process-message"
		if base {
			line = "POST /"
		}
		form := jsonType
		if fhir.IsXML(body) {
			form = fhirXML
		}
		w := b.call(line, string(body), form)
		doc, faults := fhir.Examine(w.Body.Bytes(), fhir.Limits{}, nil)
		require.Empty(t, faults, "%d %s", w.Code, w.Body)
		switch w.Code {
		case 200:
			require.Equal(t, "Bundle", doc.Type())
			require.Equal(t, body, b.desk.messages[0].Body)
		case 400, 413:
			require.Equal(t, "OperationOutcome", doc.Type())
			require.Empty(t, b.desk.messages)
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
