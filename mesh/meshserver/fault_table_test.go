package meshserver

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// what of a request's outcome a case of the table expects.
type outcome struct {
	status  int // 0: the connection breaks before an answer
	body    string
	cut     bool // the connection breaks within the body
	waited  time.Duration
	arrived int // messages of the request in the recipient's inbox
	reports int // reports in the sender's inbox
}

// Every effect of a fault, by mailbox, method, path and number of times, as it is configured: a line of JSON. The clock is the
// test's, so delays are exact.
func TestFaultLines(t *testing.T) {
	send, list, count := "POST TESTLA01 /outbox", "GET TESTLA01 /inbox", "GET TESTTR01 /count"
	sent, listed, counted := outcome{status: 202, arrived: 1}, outcome{status: 200}, outcome{status: 200, body: `{"count":0}`}
	lost := outcome{cut: true, arrived: 1}
	for line, want := range map[string]map[string]outcome{
		`{"status":503}`:                            {send: {status: 503}, list: {status: 503}, count: {status: 503}},
		`{"mailbox":"testla01","status":429}`:       {send: {status: 429}, list: {status: 429}, count: counted},
		`{"method":"get","status":500}`:             {send: sent, list: {status: 500}, count: {status: 500}},
		`{"path":"outbox","status":502}`:            {send: {status: 502}, list: listed},
		`{"path":"inb*","status":502,"body":"<a>"}`: {send: sent, list: {status: 502, body: "<a>"}},
		`{"path":"inbox/*","status":502}`:           {send: sent, list: listed},
		`{"path":"outbox","status":504,"after":true}`: {
			send: {status: 504, arrived: 1}},
		`{"path":"outbox","lost":true}`:                    {send: lost, list: listed},
		`{"path":"outbox","lost":true,"delay":"10s"}`:      {send: {cut: true, arrived: 1, waited: 10 * time.Second}},
		`{"delay":"250ms"}`:                                {send: {status: 202, arrived: 1, waited: 250 * time.Millisecond}},
		`{"path":"count","status":503,"delay":"1h"}`:       {count: {status: 503, waited: time.Hour}, send: sent},
		`{"path":"count","cut":5}`:                         {count: {status: 200, body: `{"cou`, cut: true}, send: sent},
		`{"path":"count","cut":0}`:                         {count: {status: 200, cut: true}},
		`{"path":"count","cut":11}`:                        {count: counted},
		`{"path":"outbox","error":"EPL-153"}`:              {send: {status: 202, reports: 1}, list: listed},
		`{"mailbox":"TESTTR01","error":"15"}`:              {send: sent, count: counted},
		`{"path":"outbox","status":503,"probability":1}`:   {send: {status: 503}},
		`{"path":"outbox","lost":true,"probability":1e-9}`: {send: sent},
	} {
		for call, want := range want {
			synctest.Test(t, func(t *testing.T) {
				got := withFault(t, line, call)
				if want.body == "" && !want.cut {
					got.body = "" // other tests look at it
				}
				if got != want {
					t.Errorf("%s: %s: %+v, want %+v", line, call, got, want)
				}
			})
		}
	}
}

// withFault makes one call of a server with one fault.
func withFault(t *testing.T, line, call string) outcome {
	t.Helper()
	cfg := testConfig(t.TempDir())
	var err error
	if cfg.Faults, err = ReadFaults(strings.NewReader(line)); err != nil {
		t.Fatal(err)
	}
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	b := &bench{t: t, server: server, now: time.Now()}
	f := strings.Fields(call)
	req, err := http.NewRequestWithContext(t.Context(), f[0], "/messageexchange/"+f[1]+f[2], strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {b.token(f[1])}, "Accept": {"application/vnd.mesh.v2+json"}, "Mex-To": {trust}, "Mex-Workflowid": {flow}}
	began := time.Now()
	var got outcome
	got.status, got.body, got.cut = ask(server, req)
	got.waited = time.Since(began)
	got.arrived, got.reports = len(server.Inbox(trust)), len(server.Inbox(la))
	return got
}

// Faults are tried in their order, each as often as it says, by its chance.
func TestFaultsAreTriedInTheirOrder(t *testing.T) {
	rules, err := ReadFaults(strings.NewReader(`{"path":"inbox","times":2,"status":503}
{"path":"inbox","times":1,"status":429}
{"mailbox":"TESTTR01","status":500}`))
	if err != nil {
		t.Fatal(err)
	}
	in := newInjector(rules, 0)
	status := func(mailbox string) int {
		if f := in.pick("GET", []string{"messageexchange", mailbox, "inbox"}); f != nil {
			return f.Status
		}
		return 200
	}
	for i, want := range []int{503, 503, 429, 200, 200} {
		if got := status(la); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}
	if got := status(trust); got != 500 {
		t.Errorf("another mailbox: %d", got)
	}
}
