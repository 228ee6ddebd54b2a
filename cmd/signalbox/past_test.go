package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
)

// An operator sees a child's pattern without the child, gives the authority its own list, and answers what was shown before and after a file came.
func TestPatternsAndThePastAtTheDesk(t *testing.T) {
	w := harness.New(t, harness.Northshire())
	w.Config.Patterns.LookedAfter.Organisations = 2
	w.Config.Patterns.Areas = map[string]string{"RXX99": "Northshire"}
	w.Config.Trusts = append(w.Config.Trusts, app.Trust{Name: "redhill", ODSCode: "RXX01", Display: "REDHILL HOSPITAL", DeviceID: "999000000002",
		Token: app.Held("redhill"), Rights: []string{"query"}})
	w.Start(t)
	file := w.File(t, "desk")
	before := time.Now().UTC().Format(time.RFC3339Nano)
	time.Sleep(time.Millisecond)
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "1", []byte(rows))
	w.Receive(t, box, 1)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for _, token := range []string{harness.Token, "redhill", "redhill"} {
		q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|9990000018"}}
		if status, _ := w.Ask(t, client, http.MethodGet, "/CareTeam?"+q.Encode(), token, nil, nil); status != http.StatusOK {
			t.Fatalf("a trust is answered %d", status)
		}
	}
	w.Settle(t)

	id := ""
	if _, out := atDeskOf(t, "patterns", "ls", "--config", file); strings.Count(out, "\n") == 2 {
		id = strings.Fields(strings.Split(out, "\n")[1])[0]
	}
	expect(t, exitOK, []string{id, "998", "looked-after", "2 organisations within 14 days"}, "patterns", "ls", "--config", file, "--la", "998")
	expect(t, exitOK, []string{"2 organisations, 2 areas", "RXX01", "REDHILL HOSPITAL", "Northshire"}, "patterns", "show", id, "--config", file)
	expect(t, exitFailed, []string{"no such pattern"}, "patterns", "show", "00000000", "--config", file)
	if _, out := atDeskOf(t, "patterns", "show", id, "--config", file); strings.Contains(out, "999000001") {
		t.Error("a pattern names the child")
	}
	list := filepath.Join(w.Dir, "list.csv")
	expect(t, exitOK, nil, "patterns", "show", id, "--config", file, "--file", list)
	body, err := os.ReadFile(list)
	harness.Must(t, err)
	if got := strings.Count(string(body), "9990000018"); got != 3 || !strings.HasPrefix(string(body), "pattern_id,nhs_number") {
		t.Errorf("the authority's list names the child in %d lines: %s", got, body)
	}
	expect(t, exitFailed, []string{"exists"}, "patterns", "show", id, "--config", file, "--file", list)

	number, wrong := filepath.Join(w.Dir, "number"), filepath.Join(w.Dir, "wrong")
	harness.Must(t, os.WriteFile(number, []byte("999 000 0018\n"), 0o600))
	harness.Must(t, os.WriteFile(wrong, []byte("9990000019"), 0o600))
	ask := func(more ...string) []string {
		return append([]string{"query", "--config", file, "--why", "review 12"}, more...)
	}
	expect(t, exitOK, []string{"shown:", "998", "looked-after", "known: 1", "shown", "earlier unscheduled accesses: 3", "RXX01"}, ask("--nhs-number-file", number)...)
	expect(t, exitOK, []string{"shown: no flag", "known: 0", "accesses: 0"}, ask("--nhs-number-file", number, "--at", before)...)
	expect(t, exitOK, []string{"998", "known: 1", "shown"}, ask("--nhs-number-file", number, "--at", before, "--as-of", "now")...)
	expect(t, exitFailed, []string{"ten digits"}, ask("--nhs-number-file", wrong)...)
	expect(t, exitFailed, []string{"--as-of is neither now"}, ask("--nhs-number-file", number, "--as-of", "yesterday")...)
	expect(t, exitFailed, []string{"why"}, "query", "--config", file, "--nhs-number-file", number)
	if _, out := atDeskOf(t, "query", "ls", "--config", file); strings.Count(out, "review 12") != 3 || strings.Contains(out, "999000001") {
		t.Errorf("who asked about the past is not kept: %s", out)
	}
}
