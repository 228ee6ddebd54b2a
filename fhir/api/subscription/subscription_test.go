package subscription

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/fhir"
	"signalbox/fhir/oracle"
)

const topic = "https://signalbox.testshire.example/topic"

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

const wanted = `{"resourceType":"Subscription","status":"requested","end":"2027-01-01T00:00:00Z","reason":"because","criteria":"` + topic + `",
"channel":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period","valueUnsignedInt":3600}],
"type":"rest-hook","endpoint":"https://la.example/notify","header":["Authorization: Bearer secret"],"payload":"application/fhir+json",
"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"full-resource"}]}}}`

func read(t testing.TB, body string) (store.Subscription, []fhir.Issue) {
	t.Helper()
	doc, faults := fhir.Examine([]byte(body), fhir.Limits{}, nil)
	require.Empty(t, faults)
	return Read(doc, Rules{Topic: topic, Endpoints: []string{"https://la.example/other", "https://la.example/notify"}, Now: now})
}

func TestReadAndWrite(t *testing.T) {
	s, issues := read(t, wanted)
	require.Empty(t, issues)
	require.Equal(t, store.Subscription{Endpoint: "https://la.example/notify", Headers: []string{"Authorization: Bearer secret"}, Content: FullResource, Why: "because",
		Heartbeat: time.Hour, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}, s)
	s.ID, s.State, s.Reason = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", store.SubscriptionError, "the receiver answered with 500"
	shown := Write(s, topic)
	sound(t, shown)
	require.NotContains(t, string(shown), "secret")
	for _, want := range []string{"Authorization: [redacted]", `"status":"error"`, "answered with 500", `"valueUnsignedInt":3600`, "full-resource"} {
		require.Contains(t, string(shown), want)
	}
	bare, issues := read(t, strings.NewReplacer(`"end":"2027-01-01T00:00:00Z",`, "", `"header":["Authorization: Bearer secret"],`, "").Replace(wanted))
	require.Empty(t, issues)
	sound(t, Write(store.Subscription{ID: "a", State: store.SubscriptionActive, Endpoint: bare.Endpoint, Content: IDOnly}, topic))
}

func TestWhatIsNotOffered(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, path string }{
		"active at once":   {`"requested"`, `"active"`, "Subscription.status"},
		"another topic":    {topic, "https://elsewhere.example/topic", "Subscription.criteria"},
		"a query":          {topic, "Encounter?patient=1", "Subscription.criteria"},
		"a filter":         {`"channel":`, `"_criteria":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria","valueString":"x"}]},"channel":`, "Subscription.criteria.extension"},
		"a websocket":      {`"rest-hook"`, `"websocket"`, "Subscription.channel.type"},
		"another endpoint": {"la.example/notify", "elsewhere.example/notify", "Subscription.channel.endpoint"},
		"another path":     {"la.example/notify", "la.example/notify/../x", "Subscription.channel.endpoint"},
		"XML":              {`"application/fhir+json"`, `"application/fhir+xml"`, "Subscription.channel.payload"},
		"empty content":    {`"full-resource"`, `"empty"`, "Subscription.channel.payload.extension"},
		"fast heartbeat":   {"3600", "1", "Subscription.channel.extension"},
		"max count":        {"backport-heartbeat-period", "backport-max-count", "Subscription.channel.extension"},
		"a header of ours": {"Authorization: Bearer secret", "Host: x", "Subscription.channel.header[0]"},
		"over already":     {"2027", "2025", "Subscription.end"},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(wanted, tc.old, tc.new, 1)
			require.NotEqual(t, wanted, body)
			_, issues := read(t, body)
			require.Len(t, issues, 1, "%v", issues)
			require.Equal(t, tc.path, issues[0].Expression)
			require.NotContains(t, issues[0].Diagnostics, "secret")
		})
	}
	_, issues := read(t, `{"resourceType":"Patient"}`)
	require.Len(t, issues, 1)
}

// sound holds a resource against both readers.
func sound(t *testing.T, body []byte) {
	t.Helper()
	v, err := oracle.New()
	require.NoError(t, err)
	_, faults := fhir.Examine(body, fhir.Limits{}, v)
	require.Empty(t, faults, "%s", body)
}

func told(t *testing.T, n int) []store.Told {
	t.Helper()
	number, err := engine.ParseNHSNumber("9990000018")
	require.NoError(t, err)
	var out []store.Told
	for i := range n {
		e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Received: now.Add(time.Duration(i) * time.Second)})
		e.Access = &engine.Access{ID: fmt.Sprint("access", i), Subject: engine.Subject{NHSNumber: number}, At: now,
			By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX99", Name: "TEST DEPARTMENT"},
				Person: &engine.Person{UserID: "1", RoleCode: "R0260", RoleName: "GP", Name: "Dr Eve"}}}
		out = append(out, store.Told{Number: 7 + i, Access: e})
	}
	return out
}

func TestNotifications(t *testing.T) {
	w := Writer{Base: "https://signalbox.testshire.example/FHIR/R4", Topic: topic}
	s := store.Subscription{ID: "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", State: store.SubscriptionActive, Events: 8, Due: now}
	for kind, events := range map[Kind]int{Handshake: 0, Heartbeat: 0, Event: 2, Query: 2} {
		for _, content := range []string{IDOnly, FullResource} {
			body := w.Notification(kind, s, told(t, events), content)
			sound(t, body)
			require.Contains(t, string(body), `"valueCode":"`+string(kind)+`"`)
			require.Equal(t, events > 0 && content == FullResource, strings.Contains(string(body), "9990000018"), "%s %s", kind, content)
			require.Equal(t, events, strings.Count(string(body), `"notification-event"`))
			require.Equal(t, body, w.Notification(kind, s, told(t, events), content))
		}
	}
	sound(t, w.StatusSearchset(s))
	late := s
	late.Events, late.Failures, late.Reason, late.Due = 20, 3, "the receiver answered with 500", now.Add(time.Hour)
	require.Equal(t, w.Notification(Event, s, told(t, 2), IDOnly), w.Notification(Event, late, told(t, 2), IDOnly), "a repeat says what the first attempt said")
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(wanted))
	f.Add([]byte(`{"resourceType":"Subscription","channel":{"header":["a",null]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, faults := fhir.Examine(body, fhir.Limits{}, nil)
		if len(faults) > 0 {
			return
		}
		s, issues := Read(doc, Rules{Topic: topic, Endpoints: []string{"https://la.example/notify"}, Now: now})
		if len(issues) == 0 {
			require.Equal(t, "https://la.example/notify", s.Endpoint)
			s.ID, s.State = "a", store.SubscriptionRequested
			_, faults = fhir.Examine(Write(s, topic), fhir.Limits{}, nil)
			require.Empty(t, faults)
		}
	})
}
