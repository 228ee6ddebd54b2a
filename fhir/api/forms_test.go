package api

import (
	"bytes"
	"compress/gzip"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
)

const fhirXML = "Content-Type: application/fhir+xml; charset=utf-8"

// inXML writes a document in XML.
func inXML(t testing.TB, raw string) string {
	t.Helper()
	doc, err := fhir.Read([]byte(raw), fhir.Limits{})
	require.NoError(t, err)
	out, err := fhir.AppendXML(nil, doc)
	require.NoError(t, err)
	return string(out)
}

// soundXML checks that an answer is FHIR XML by both readers, and returns it.
func soundXML(t *testing.T, w *httptest.ResponseRecorder) *fhir.Document {
	t.Helper()
	v, err := secondOpinion()
	require.NoError(t, err)
	doc, faults := fhir.ExamineXML(w.Body.Bytes(), fhir.Limits{}, v)
	require.Empty(t, faults, "%s", w.Body)
	assert.Equal(t, "application/fhir+xml; charset=utf-8", w.Header().Get("Content-Type"))
	return doc
}

func TestMessagesAndTransactionsInXML(t *testing.T) {
	b := newBench(t)
	b.desk.outcomes.out = accepted(1)
	sample := inXML(t, attendance(t))
	w := b.call("POST /$process-message", sample, fhirXML, "Accept: application/fhir+xml", "X-Request-ID: "+traceID)
	require.Equal(t, 200, w.Code, "%s", w.Body)
	doc := soundXML(t, w)
	assert.Equal(t, sample, string(b.desk.messages[0].Body), "kept as it was sent")
	header := "Bundle.entry.resource.ofType(MessageHeader)."
	assert.Equal(t, traceID+" ok", values(t, doc, header+"response.identifier")+" "+values(t, doc, header+"response.code"))
	assert.Equal(t, "attendance-started", values(t, doc, header+"event.ofType(Coding).code"))

	// The form of the answer is what is accepted, whatever was sent; asked later, the XML is read again.
	w = b.call("POST /$process-message?async=true", sample, fhirXML)
	require.Equal(t, 202, w.Code)
	w = b.call("GET "+strings.TrimPrefix(w.Header().Get("Content-Location"), "https://signalbox.testshire.example/FHIR/R4"), "")
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "ok", values(t, sound(t, w), header+"response.code"))

	b.desk.outcomes.out = accepted(1, 3)
	for _, line := range []string{"POST ", "POST /"} {
		w = b.call(line, inXML(t, transactionOfTwo(t)), fhirXML)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		assert.Equal(t, "transaction-response", values(t, sound(t, w), "Bundle.type"))
	}
	batch := strings.Replace(inXML(t, transactionOfTwo(t)), `"transaction"`, `"batch"`, 1)
	assert.Equal(t, "batch-response", values(t, sound(t, b.call("POST /", batch, fhirXML)), "Bundle.type"))
}

func TestTheContentTypeIsBelieved(t *testing.T) {
	b := newBench(t)
	for name, tc := range map[string]struct {
		line, body, header string
		want               int
		says               string
	}{
		"JSON called XML":          {"POST /$process-message", attendance(t), fhirXML, 400, "text stands between elements"},
		"XML called JSON":          {"POST /$process-message", inXML(t, attendance(t)), jsonType, 400, "syntax"},
		"plain XML":                {"POST /$process-message", inXML(t, attendance(t)), "Content-Type: application/xml", 415, "application/fhir+xml"},
		"XML in another encoding":  {"POST /$process-message", inXML(t, attendance(t)), "Content-Type: application/fhir+xml; charset=latin1", 415, ""},
		"XML with a document type": {"POST /", "<!DOCTYPE a>" + inXML(t, transactionOfTwo(t)), fhirXML, 400, "document type"},
		"XML that is no Bundle":    {"POST /", `<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>`, fhirXML, 400, "a Bundle is taken here"},
		"a misspelt element":       {"POST /", strings.Replace(inXML(t, transactionOfTwo(t)), "birthDate", "birthdate", 1), fhirXML, 400, "birthDate"},
	} {
		t.Run(name, func(t *testing.T) {
			w := b.call(tc.line, tc.body, tc.header)
			assert.Equal(t, tc.want, w.Code, "%s", w.Body)
			assert.Contains(t, w.Body.String(), tc.says)
			sound(t, w)
		})
	}
	assert.Empty(t, b.desk.messages)
}

func TestGzipBodies(t *testing.T) {
	b := newBench(t)
	b.desk.outcomes.out = accepted(1, 3)
	for line, body := range map[string]string{
		"POST /$process-message": attendance(t), "POST /": transactionOfTwo(t), "POST /$process-message?async=true": inXML(t, attendance(t)),
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write([]byte(body))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		b.desk.messages = nil
		form := jsonType
		if fhir.IsXML([]byte(body)) {
			form = fhirXML
		}
		w := b.call(line, packed.String(), form, "Content-Encoding: gzip")
		require.Contains(t, []int{200, 202}, w.Code, "%s %s", line, w.Body)
		assert.Equal(t, body, string(b.desk.messages[0].Body), "what is kept is what was packed")
		cut := b.call(line, packed.String()[:packed.Len()/2], form, "Content-Encoding: gzip")
		assert.Equal(t, 400, cut.Code)
	}
}

func TestSubscriptionInXML(t *testing.T) {
	b, record := receiving(t)
	w := b.call("POST /Subscription", inXML(t, wantedSubscription), "Authorization: Bearer eds", fhirXML, "Accept: application/fhir+xml")
	require.Equal(t, 201, w.Code, "%s", w.Body)
	soundXML(t, w)
	assert.Equal(t, "https://la.example/", record.kept.Endpoint)
}

func TestPreferOnMessages(t *testing.T) {
	const header, outcome = "Bundle.entry.resource.ofType(MessageHeader)", "Bundle.entry.resource.ofType(OperationOutcome)"
	b := newBench(t)
	b.desk.outcomes.out = accepted(1)
	say := func(prefer string) *httptest.ResponseRecorder {
		w := b.call("POST /$process-message", attendance(t), jsonType, "Prefer: "+prefer)
		assert.Equal(t, prefer, w.Header().Get("Preference-Applied"))
		sound(t, w)
		return w
	}
	plain := b.call("POST /$process-message", attendance(t), jsonType)
	assert.Empty(t, plain.Header().Get("Preference-Applied"))
	assert.Equal(t, plain.Body.String(), say("return=representation").Body.String())

	doc := sound(t, say("return=minimal"))
	assert.Equal(t, "ok", values(t, doc, header+".response.code"))
	assert.Empty(t, values(t, doc, header+".response.details.reference | "+outcome+".issue.code"))
	assert.Equal(t, "OperationOutcome", sound(t, say("return=OperationOutcome")).Type())

	// What went wrong is told whatever is preferred.
	b.desk.outcomes.out = Outcome{Settled: true, Received: settledAt, Records: []Record{{Position: 1, Outcome: engine.Parked,
		Faults: []*engine.Error{{Rule: engine.RuleNHSNumber}}}}}
	w := say("return=minimal")
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, "value informational", values(t, sound(t, w), outcome+".issue.code"))
	w = say("return=OperationOutcome")
	assert.Equal(t, 422, w.Code)

	w = b.call("POST /$process-message", attendance(t), jsonType, "Prefer: respond-async, return=minimal")
	assert.Equal(t, 202, w.Code)
	assert.Empty(t, w.Body.String())
	assert.NotEmpty(t, w.Header().Get("Content-Location"))
	assert.Equal(t, "respond-async, return=minimal", w.Header().Get("Preference-Applied"))
}

func TestPreferOnBatchesAndSubscriptions(t *testing.T) {
	b := newBench(t)
	b.desk.outcomes.out = accepted(1)
	b.desk.outcomes.out.Records = append(b.desk.outcomes.out.Records, Record{Position: 3, Outcome: engine.Rejected, Faults: []*engine.Error{{Rule: engine.RuleNHSNumber}}})
	batch := strings.Replace(transactionOfTwo(t), `"transaction"`, `"batch"`, 1)
	count := func(prefer, path string) string {
		w := b.call("POST /", batch, jsonType, "Prefer: return="+prefer)
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, "return="+prefer, w.Header().Get("Preference-Applied"))
		return values(t, sound(t, w), path)
	}
	assert.Equal(t, "7", count("OperationOutcome", "Bundle.entry.response.where(outcome.exists()).count()"))
	assert.Equal(t, "422 Unprocessable Entity", count("minimal", "Bundle.entry.response.where(outcome.exists()).status"))
	assert.Equal(t, "6", count("representation", "Bundle.entry.where(resource.exists()).count()"))
	assert.Equal(t, "0", count("OperationOutcome", "Bundle.entry.where(resource.exists()).count()"))

	for prefer, size := range map[string]bool{"minimal": false, "representation": true, "OperationOutcome": true} {
		b, _ := receiving(t)
		w := b.call("POST /Subscription", wantedSubscription, "Authorization: Bearer eds", jsonType, "Prefer: return="+prefer)
		assert.Equal(t, 201, w.Code)
		assert.NotEmpty(t, w.Header().Get("Location"))
		assert.Equal(t, size, w.Body.Len() > 0, prefer)
		assert.Equal(t, "return="+prefer, w.Header().Get("Preference-Applied"))
		if prefer == "OperationOutcome" {
			assert.Equal(t, prefer, sound(t, w).Type())
		}
	}
}

// A sender may name where its answer goes, of the addresses that it is allowed; what is posted there is what waiting would have brought.
func TestResponseURL(t *testing.T) {
	b := newBench(t)
	line := "POST /$process-message?async=true&response-url=https%3A%2F%2Fed.testshire.example%2Fanswers"
	w := b.call(line, attendance(t), jsonType, "X-Request-ID: "+traceID)
	require.Equal(t, 202, w.Code, "%s", w.Body)
	m := b.desk.messages[0]
	assert.Equal(t, []string{"testshire-ed " + string(m.ID) + " https://ed.testshire.example/answers"}, b.desk.responses)
	assert.Equal(t, 400, b.call(line+"&response-url=x", attendance(t), jsonType).Code)
	assert.Equal(t, 422, b.call("POST /$process-message?async=true&response-url=", attendance(t), jsonType).Code)
	require.Len(t, b.desk.messages, 1, "nothing is taken that was refused")

	b.desk.outcomes.out = accepted(1)
	waited := b.call("POST /$process-message", attendance(t), jsonType, "X-Request-ID: "+traceID)
	body, mediaType, err := AnswerTo(b.cfg.PublicURL, m, b.desk.outcomes.out)
	require.NoError(t, err)
	assert.Equal(t, waited.Body.String(), string(body))
	assert.Equal(t, fhir.MediaType, mediaType)
	m.Body = []byte(inXML(t, attendance(t)))
	body, mediaType, err = AnswerTo(b.cfg.PublicURL, m, b.desk.outcomes.out)
	require.NoError(t, err)
	assert.Equal(t, fhir.MediaTypeXML, mediaType)
	assert.True(t, fhir.IsXML(body))
	m.Body = []byte(transactionOfTwo(t))
	_, _, err = AnswerTo(b.cfg.PublicURL, m, b.desk.outcomes.out)
	assert.Error(t, err)
	m.Body = []byte("{")
	_, _, err = AnswerTo(b.cfg.PublicURL, m, b.desk.outcomes.out)
	assert.Error(t, err)
}
