package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
)

func TestQueriesThatAreRefused(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	patient := "patient:identifier=" + url.QueryEscape("https://fhir.nhs.uk/Id/nhs-number|")
	for name, tc := range map[string]struct {
		method, path, token string
		headers             map[string]string
		want                int
	}{
		"no token":              {"GET", "/CareTeam?" + patient + ada, "", nil, 401},
		"wrong token":           {"GET", "/CareTeam?" + patient + ada, "guess", nil, 401},
		"a token for sending":   {"GET", "/CareTeam?" + patient + ada, harness.SendToken, nil, 403},
		"a token for asking":    {"POST", "/$process-message", harness.QueryToken, map[string]string{"Content-Type": "application/fhir+json"}, 403},
		"bad NHS number":        {"GET", "/CareTeam?" + patient + "9990000019", harness.Token, nil, 400},
		"no NHS number":         {"GET", "/PatientFlag", harness.Token, nil, 400},
		"odd header":            {"GET", "/CareTeam?" + patient + ada, harness.Token, map[string]string{"IsUnscheduledAccessEvent": "maybe"}, 400},
		"no such resource":      {"GET", "/Observation", harness.Token, nil, 404},
		"unknown child is fine": {"GET", "/CareTeam?" + patient + ada, harness.Token, nil, 200},
		"the statement is open": {"GET", "/metadata", "", nil, 200},
		"message that is junk":  {"POST", "/$process-message", harness.Token, map[string]string{"Content-Type": "application/fhir+json"}, 400},
	} {
		status, body := w.Ask(t, httpClient(t), tc.method, tc.path, tc.token, tc.headers, []byte("{"))
		if status != tc.want {
			t.Errorf("%s: %d, want %d: %s", name, status, tc.want, body)
		}
		if status >= 400 && !strings.Contains(string(body), `"OperationOutcome"`) {
			t.Errorf("%s: the refusal is no OperationOutcome: %s", name, body)
		}
		if status >= 400 && strings.Contains(string(body), "999000") {
			t.Errorf("%s: the refusal repeats the number", name)
		}
	}
	w.Settle(t)
	if strings.Contains(w.Log.String(), "999000001") {
		t.Error("the log holds an NHS number")
	}
}

// A scheduled access leaves no history and tells nobody; absent means unscheduled; a repeat of one query counts once.
func TestScheduledUnscheduledAndRepeatedQueries(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	history := func() int {
		q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + ada}}
		_, body := w.Ask(t, httpClient(t), http.MethodGet, "/AuditEvent?"+q.Encode(), harness.Token,
			map[string]string{"IsUnscheduledAccessEvent": "false"}, nil)
		var b struct{ Total int }
		harness.Must(t, json.Unmarshal(body, &b))
		return b.Total
	}
	careTeams(t, w, ada, map[string]string{"IsUnscheduledAccessEvent": "false"})
	if n := history(); n != 0 {
		t.Errorf("a scheduled access left %d history rows", n)
	}
	trace := map[string]string{"TraceID": uuid.NewString(), "IsUnscheduledAccessEvent": "true"}
	careTeams(t, w, ada, trace)
	careTeams(t, w, ada, trace)
	careTeams(t, w, ada, nil)
	if n := history(); n != 2 {
		t.Errorf("%d history rows after two unscheduled accesses, one of them asked twice", n)
	}
	total := toldOf(t, w, box, 2)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); total != 2 || len(left) != 0 {
		t.Errorf("told of %d accesses, %d messages more", total, len(left))
	}
}

// Two trusts may number their encounters alike; a repeat of one message counts once.
func TestMessagesOfTwoTrustsWithOneEncounterNumber(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	encounter := uuid.NewString()
	for _, token := range []string{harness.Token, harness.SendToken, harness.Token} {
		if status, body := sendAttendance(t, w, ada, encounter, token); status/100 != 2 {
			t.Fatalf("%d %s", status, body)
		}
	}
	total := toldOf(t, w, box, 2)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); total != 2 || len(left) != 0 {
		t.Errorf("told of %d accesses, %d messages more", total, len(left))
	}
}

// A notification gathers what its window brings.
func TestNotificationsAreBatchedInTheirWindow(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Config.Routes[0].Window = app.Duration(1500 * time.Millisecond)
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan()), child(ben, "LA-2", openPlan())))
	w.Receive(t, box, 1)
	for range 3 {
		careTeams(t, w, ada, nil)
	}
	careTeams(t, w, ben, nil)
	n := notification(t, w.Receive(t, box, 1)[0])
	if n.Total != 2 || len(n.Accesses) != 4 {
		t.Errorf("one notification tells of %d children and %d accesses, want 2 and 4", n.Total, len(n.Accesses))
	}
}
