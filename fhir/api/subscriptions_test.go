package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/engine/store"
)

// fakeRecord keeps one subscription.
type fakeRecord struct {
	kept  *store.Subscription
	err   error
	asked [3]int
}

func (r *fakeRecord) CreateSubscription(_ context.Context, s store.Subscription) (bool, error) {
	if r.kept != nil || r.err != nil {
		return false, r.err
	}
	r.kept = &s
	return true, nil
}

func (r *fakeRecord) Subscription(_ context.Context, id string) (store.Subscription, error) {
	if r.err == nil && (r.kept == nil || r.kept.ID != id) {
		return store.Subscription{}, &engine.Error{Kind: engine.NotFound}
	}
	if r.err != nil {
		return store.Subscription{}, r.err
	}
	return *r.kept, nil
}

func (r *fakeRecord) EndSubscription(context.Context, string) error {
	r.kept = nil
	return r.err
}

func (r *fakeRecord) ToldTo(_ context.Context, _, _ string, first, last, limit int) ([]store.Told, error) {
	r.asked = [3]int{first, last, limit}
	return nil, r.err
}

const wantedSubscription = `{"resourceType":"Subscription","status":"requested","reason":"r","criteria":"https://topic.example/a","channel":{"type":"rest-hook",
"endpoint":"https://la.example/","payload":"application/fhir+json"}}`

func receiving(t *testing.T) (*bench, *fakeRecord) {
	t.Helper()
	b, record := newBench(t), &fakeRecord{}
	cfg := b.cfg
	cfg.Subscriptions = &Subscriptions{Topic: "https://topic.example/a", Endpoints: map[string][]string{"eds": {"https://la.example/"}}, Record: record}
	cfg.Clients = append(cfg.Clients, Client{Name: "eds", ODSCode: "999", Authority: "999", TokenSHA256: TokenDigest("eds")},
		Client{Name: "other", ODSCode: "998", Authority: "998", TokenSHA256: TokenDigest("other")})
	made, err := New(cfg, b.desk, b.Server.now, b.newID, b.Server.log)
	require.NoError(t, err)
	b.Server = made
	return b, record
}

func TestSubscriptionLife(t *testing.T) {
	b, record := receiving(t)
	const eds = "Authorization: Bearer eds"
	w := b.call("POST /Subscription", wantedSubscription, eds, jsonType)
	require.Equal(t, 201, w.Code, "%s", w.Body)
	sound(t, w)
	assert.Equal(t, "https://signalbox.testshire.example/FHIR/R4/Subscription/"+freshID, w.Header().Get("Location"))
	assert.Equal(t, "999", record.kept.Authority, "who it is for is what the token says")
	assert.Equal(t, 409, b.call("POST /Subscription", wantedSubscription, eds, jsonType).Code)

	one := "/Subscription/" + freshID
	for line, want := range map[string]int{
		"GET " + one: 200, "GET " + one + "/$status": 200, "GET " + one + "/$events?eventsSinceNumber=2&eventsUntilNumber=9&content=full-resource": 200,
		"GET " + one + "/$events?eventsSinceNumber=x": 400, "GET " + one + "/$events?content=empty": 400, "GET " + one + "/$other": 404, "GET " + one + "/": 404,
		"PUT " + one: 405, "GET /Subscription/1": 404, "GET /Subscription": 405, "GET /Subscription/" + traceID: 404, "POST " + one + "/$status": 405,
	} {
		w := b.call(line, "", eds)
		assert.Equal(t, want, w.Code, "%s: %s", line, w.Body)
		sound(t, w)
	}
	assert.Equal(t, [3]int{2, 9, maxEvents}, record.asked)
	assert.Equal(t, 404, b.call("GET "+one, "", "Authorization: Bearer other").Code, "another receiver's")
	assert.Equal(t, 403, b.call("GET "+one, "").Code, "a trust")
	assert.Equal(t, 401, b.call("GET "+one, "", "Authorization: ").Code)
	assert.Equal(t, 403, b.call(careTeam, "", eds).Code, "a receiver may not ask")
	assert.Equal(t, "/Subscription/{id}/$status", b.Route(httptest.NewRequest("GET", "/FHIR/R4/Subscription/"+freshID+"/$status", nil)))

	assert.Equal(t, 204, b.call("DELETE "+one, "", eds).Code)
	assert.Equal(t, 404, b.call("GET "+one, "", eds).Code)
	assert.NotContains(t, b.log.String(), freshID, "paths are not logged")
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	b, record := receiving(t)
	eds := "Authorization: Bearer eds"
	assert.Equal(t, 415, b.call("POST /Subscription", wantedSubscription, eds).Code)
	assert.Equal(t, 400, b.call("POST /Subscription", "{", eds, jsonType).Code)
	w := b.call("POST /Subscription", strings.Replace(wantedSubscription, "la.example", "10.0.0.1", 1), eds, jsonType)
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, "Subscription.channel.endpoint", values(t, sound(t, w), "OperationOutcome.issue.expression"))
	assert.Equal(t, 422, b.call("POST /Subscription", wantedSubscription, "Authorization: Bearer other", jsonType).Code, "another receiver's endpoint")
	assert.Nil(t, record.kept)
	record.err = &engine.Error{Kind: engine.Unavailable}
	assert.Equal(t, 503, b.call("POST /Subscription", wantedSubscription, eds, jsonType).Code)
	assert.Equal(t, 503, b.call("GET /Subscription/"+freshID, "", eds).Code)
	assert.Equal(t, 404, newBench(t).call("GET /Subscription/"+freshID, "").Code, "nobody may subscribe")

	cfg := Default()
	cfg.Subscriptions = &Subscriptions{Topic: "topic", Endpoints: map[string][]string{"a": nil}}
	for _, want := range []string{"Topic", "Record", "endpoint"} {
		assert.ErrorContains(t, cfg.Validate(), want)
	}
}
