package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
)

func TestDeskErrors(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	tests := []struct {
		err    error
		status int
	}{
		{&engine.Error{Op: "ask", Kind: engine.Unavailable, Text: "the store is away"}, 503},
		{context.DeadlineExceeded, 504},
		{fmt.Errorf("ask: %w", context.Canceled), 503},
		{&engine.Error{Op: "ask", Kind: engine.Denied}, 403},
		{&engine.Error{Op: "ask", Kind: engine.Invalid}, 400},
		{&engine.Error{Op: "ask", Kind: engine.TooLarge}, 413},
		{&engine.Error{Op: "ask", Kind: engine.Internal}, 500},
		{&engine.Error{Op: "ask", Kind: engine.Unsure}, 500},
		{errors.New("secret " + child), 500},
	}
	for _, tt := range tests {
		for _, line := range []string{careTeam, auditEvent, patientFlag, "POST /$process-message"} {
			b := newBench(t)
			b.desk.err = tt.err
			w := b.call(line, string(sample), "Content-Type: application/fhir+json")
			assert.Equal(t, tt.status, w.Code, "%v", tt.err)
			assert.Contains(t, values(t, sound(t, w), "OperationOutcome.issue.severity | Bundle.entry.resource.ofType(OperationOutcome).issue.severity"), "error")
			assert.NotContains(t, w.Body.String(), "secret")
			assert.NotContains(t, b.log.String(), child)
			if tt.status == 503 || tt.status == 504 {
				assert.Equal(t, "10", w.Header().Get("Retry-After"))
			}
		}
	}
}

func TestPanicIsAnsweredAndTellsNothing(t *testing.T) {
	b := newBench(t)
	b.desk.panics = "number " + child
	w := b.call(careTeam, "")
	assert.Equal(t, 500, w.Code)
	assert.Equal(t, "exception", values(t, sound(t, w), "OperationOutcome.issue.code"))
	assert.Contains(t, b.log.String(), "fhir panic")
	assert.Contains(t, b.log.String(), "careTeams", "the stack is there")
	assert.NotContains(t, b.log.String(), child)
	b.desk.panics = http.ErrAbortHandler
	assert.PanicsWithError(t, http.ErrAbortHandler.Error(), func() { b.call(careTeam, "") })
}

func TestAccessIsRecordedAsAsked(t *testing.T) {
	for header, scheduled := range map[string]bool{"": false, "IsUnscheduledAccessEvent: true": false, "IsUnscheduledAccessEvent: false": true} {
		for _, line := range []string{careTeam, auditEvent, patientFlag, patientFlag + "&code=" + fhir.CodeCPIS} {
			b := newBench(t)
			var headers []string
			if header != "" {
				headers = append(headers, header)
			}
			require.Equal(t, 200, b.call(line, "", headers...).Code)
			require.Len(t, b.desk.accesses, 1)
			a := b.desk.accesses[0]
			assert.Equal(t, scheduled, a.Scheduled, header)
			assert.Equal(t, child, a.Subject.NHSNumber.Reveal())
			assert.Equal(t, freshID, a.ID)
			assert.Equal(t, b.now, a.At)
			assert.Equal(t, engine.CareSetting("emergency-department"), a.Setting)
			assert.Equal(t, engine.Actor{DeviceID: "999999990001", Organisation: engine.Organisation{ODSCode: "TST01", Name: "Testshire Hospitals NHS Trust"}}, a.By)
			assert.Empty(t, a.Check())
		}
	}
}

func TestAccessID(t *testing.T) {
	id := func(change func(b *bench) *httptest.ResponseRecorder) string {
		b := newBench(t)
		require.Equal(t, 200, change(b).Code)
		return b.desk.accesses[0].ID
	}
	one := id(func(b *bench) *httptest.ResponseRecorder { return b.call(careTeam, "", "TraceID: "+traceID) })
	assert.True(t, isUUID(one))
	assert.Equal(t, byte('8'), one[14], "RFC 9562: a version of our own")
	same := map[string]func(b *bench) *httptest.ResponseRecorder{
		"the history of the same look": func(b *bench) *httptest.ResponseRecorder { return b.call(auditEvent, "", "TraceID: "+traceID) },
		"in capitals": func(b *bench) *httptest.ResponseRecorder {
			return b.call(careTeam, "", "TraceID: "+strings.ToUpper(traceID))
		},
		"as request id": func(b *bench) *httptest.ResponseRecorder { return b.call(careTeam, "", "X-Request-ID: "+traceID) },
		"later the same day": func(b *bench) *httptest.ResponseRecorder {
			b.now = b.now.Add(time.Hour)
			return b.call(careTeam, "", "TraceID: "+traceID)
		},
		"unscheduled said aloud": func(b *bench) *httptest.ResponseRecorder {
			return b.call(careTeam, "", "TraceID: "+traceID, "IsUnscheduledAccessEvent: true")
		},
	}
	for name, c := range same {
		assert.Equal(t, one, id(c), name)
	}
	other := map[string]func(b *bench) *httptest.ResponseRecorder{
		"another trace": func(b *bench) *httptest.ResponseRecorder { return b.call(careTeam, "", "TraceID: "+freshID) },
		"another child": func(b *bench) *httptest.ResponseRecorder {
			return b.call("GET /PatientFlag?patient=9990000026", "", "TraceID: "+traceID)
		},
		"another client": func(b *bench) *httptest.ResponseRecorder {
			return b.call(careTeam, "", "TraceID: "+traceID, "Authorization: Bearer query")
		},
		"scheduled": func(b *bench) *httptest.ResponseRecorder {
			return b.call(careTeam, "", "TraceID: "+traceID, "IsUnscheduledAccessEvent: false")
		},
		"the next day": func(b *bench) *httptest.ResponseRecorder {
			b.now = b.now.Add(24 * time.Hour)
			return b.call(careTeam, "", "TraceID: "+traceID)
		},
	}
	for name, c := range other {
		assert.NotEqual(t, one, id(c), name)
	}
	assert.Equal(t, freshID, id(func(b *bench) *httptest.ResponseRecorder { return b.call(careTeam, "", "TraceID: abc") }))
}

func TestHeadersComeBack(t *testing.T) {
	b := newBench(t)
	w := b.call(careTeam, "", "TraceID: "+traceID, "X-Request-ID: abc", "X-Correlation-ID: c-1")
	assert.Equal(t, traceID, w.Header().Get("TraceID"))
	assert.Equal(t, "abc", w.Header().Get("X-Request-ID"))
	assert.Equal(t, "c-1", w.Header().Get("X-Correlation-ID"))
	w = b.call(careTeam, "", "TraceID: "+strings.Repeat("x", 200), "X-Request-ID: a b")
	assert.Empty(t, w.Header().Get("TraceID"))
	assert.Empty(t, w.Header().Get("X-Request-ID"))
}

func TestLogHoldsTheRouteAndNotTheQuery(t *testing.T) {
	b := newBench(t)
	b.desk.flags, b.desk.history = flags(t), history(t)
	for _, line := range []string{careTeam, auditEvent, patientFlag, "GET /Patient/" + child, child + " /CareTeam"} {
		b.call(line, "", "TraceID: "+child, "User-Agent: "+child)
	}
	log := b.log.String()
	assert.Equal(t, 5, strings.Count(log, "fhir request"))
	for _, want := range []string{"route=/CareTeam", "route=/AuditEvent", "route=/PatientFlag", "route=unknown", "method=other", "client=testshire-ed", "status=200", "duration="} {
		assert.Contains(t, log, want)
	}
	for _, never := range []string{child, "patient", "Robin", "Sample", "Bearer", token} {
		assert.NotContains(t, log, never)
	}
}
