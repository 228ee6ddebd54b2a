package api

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
)

func TestProcessMessage(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	send := func(b *bench, body string, headers ...string) *httptest.ResponseRecorder {
		return b.call("POST /$process-message", body, append(headers, "Content-Type: application/fhir+json; charset=UTF-8")...)
	}
	b := newBench(t)
	w := send(b, string(sample), "X-Request-ID: "+traceID)
	assert.Equal(t, 202, w.Code)
	doc := sound(t, w)
	m := b.desk.messages[0]
	assert.Equal(t, "information", values(t, doc, "OperationOutcome.issue.severity"))
	assert.Contains(t, w.Body.String(), string(m.ID))
	assert.Equal(t, engine.Message{
		ID: engine.NewMessageID("fhir/testshire-ed", m.Upstream), Source: "fhir/testshire-ed", From: "TST01", Received: b.now, Body: sample,
		Upstream: traceID + ":" + engine.Digest(sample)[:16],
	}, m)

	send(b, string(sample)+"\n", "X-Request-ID: "+traceID)
	assert.NotEqual(t, m.ID, b.desk.messages[1].ID, "a mended body under the same id is another message")
	send(b, string(sample))
	assert.Equal(t, engine.Digest(sample), b.desk.messages[2].Upstream)

	b.desk.receipt = Receipt{Duplicate: true}
	w = send(b, string(sample))
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "duplicate", values(t, sound(t, w), "OperationOutcome.issue.code"))
}

func TestProcessMessageReportsWhatTranslationRefuses(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	b := newBench(t)
	b.desk.receipt = Receipt{Faults: []*engine.Error{
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleNHSNumber, Text: "subject.nhsNumber", Err: engine.ErrNHSNumberCheckDigit,
			Place: engine.Place{Record: 1, Path: "Bundle.entry[2].resource.identifier[0].value", Line: 118, Column: 23}},
		{Op: "translate", Kind: engine.Unmapped, Rule: engine.RuleCode, Text: "setting"},
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleMandatory, Text: "at"},
		{Op: "translate", Kind: engine.TooLarge, Rule: engine.RuleLimit},
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RulePlanPeriod},
	}}
	w := b.call("POST /$process-message", string(sample), "Content-Type: application/fhir+json")
	assert.Equal(t, 422, w.Code)
	doc := sound(t, w)
	assert.Equal(t, "value code-invalid required too-long invalid informational", values(t, doc, "OperationOutcome.issue.code"))
	assert.Equal(t, "Bundle.entry[2].resource.identifier[0].value", values(t, doc, "OperationOutcome.issue.expression"))
	assert.Contains(t, w.Body.String(), "kept all the same")
	assert.Contains(t, w.Body.String(), "line 118:23")
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
