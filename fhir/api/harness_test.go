package api

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
	"signalbox/fhir/oracle"
)

var update = flag.Bool("update", false, "rewrite the golden answers")

const (
	child     = "9990000018"
	token     = "query-and-send"
	traceID   = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"
	freshID   = "11111111-2222-4333-8444-555555555555"
	sampleRel = "../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json"
)

// fakeDesk remembers what it was asked and answers what it is told to.
type fakeDesk struct {
	accesses  []engine.Access
	messages  []engine.Message
	flags     []engine.Flag
	history   []engine.Access
	recorded  []time.Time
	wait      bool // Ask waits until its caller gives up
	receipt   Receipt
	err       error
	outcomes  outcomes
	responses []string
	panics    any
}

func (d *fakeDesk) Ask(ctx context.Context, a engine.Access, _ register.Question) (register.Answer, error) {
	if d.wait {
		<-ctx.Done()
		return register.Answer{}, ctx.Err()
	}
	if d.panics != nil {
		panic(d.panics)
	}
	d.accesses = append(d.accesses, a)
	return register.Answer{Access: a, Flags: d.flags, History: d.history, Recorded: d.recorded}, d.err
}

func (d *fakeDesk) Receive(_ context.Context, m engine.Message) (Receipt, error) {
	d.messages = append(d.messages, m)
	r := d.receipt
	r.ID = m.ID
	return r, d.err
}

// secondOpinion is made once: it reads all of R4's descriptors.
var secondOpinion = sync.OnceValues(oracle.New)

// bench is a server with everything around it in the hand of the test.
type bench struct {
	*Server
	desk *fakeDesk
	log  *bytes.Buffer
	now  time.Time
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	v, err := secondOpinion()
	require.NoError(t, err)
	b := &bench{desk: &fakeDesk{}, log: &bytes.Buffer{}, now: time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)}
	cfg := Default()
	cfg.PublicURL = "https://signalbox.testshire.example/FHIR/R4"
	cfg.Opinion, cfg.Identity.Development, cfg.Limits.PerSecond = v, true, 0
	client := Client{Name: "testshire-ed", ODSCode: "TST01", OrganisationName: "Testshire Hospitals NHS Trust", DeviceID: "999999990001",
		Setting: "emergency-department", TokenSHA256: TokenDigest(token), CanQuery: true, CanSend: true,
		Responses: []string{"https://ed.testshire.example/answers"}}
	query, send := client, client
	query.Name, query.TokenSHA256, query.CanSend = "only-query", TokenDigest("query"), false
	send.Name, send.TokenSHA256, send.CanQuery = "only-send", TokenDigest("send"), false
	cfg.Clients = []Client{client, query, send}
	for _, c := range change {
		c(&cfg)
	}
	b.Server, err = New(cfg, b.desk, func() time.Time { return b.now }, func() string { return freshID },
		slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	return b
}

// call is one request: "GET /CareTeam?..." with headers as "Name: value".
func (b *bench) call(line, body string, headers ...string) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, "/FHIR/R4"+target, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	if _, given := r.Header["Authorization"]; !given {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

const (
	careTeam   = "GET /CareTeam?patient:identifier=https://fhir.nhs.uk/Id/nhs-number|" + child
	auditEvent = "GET /AuditEvent?patient:identifier=https://fhir.nhs.uk/Id/nhs-number|" + child +
		"&_include=AuditEvent:entity-type=http://terminology.hl7.org/CodeSystem/v3-RoleClass|ASSIGNED"
	patientFlag = "GET /PatientFlag?patient=" + child
)

// sound checks that an answer is FHIR by both readers, and returns it.
func sound(t *testing.T, w *httptest.ResponseRecorder) *fhir.Document {
	t.Helper()
	v, err := secondOpinion()
	require.NoError(t, err)
	doc, faults := fhir.Examine(w.Body.Bytes(), fhir.Limits{}, v)
	require.Empty(t, faults, "%s", w.Body)
	assert.Equal(t, "application/fhir+json; charset=utf-8", w.Header().Get("Content-Type"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return doc
}

func values(t *testing.T, doc *fhir.Document, path string) string {
	t.Helper()
	p, err := fhirpath.Compile(path, fhirpath.Options{})
	require.NoError(t, err)
	found, err := p.Eval(doc.Root(), nil)
	require.NoError(t, err)
	var out []string
	for _, r := range found {
		out = append(out, r.Text)
	}
	return strings.Join(out, " ")
}
