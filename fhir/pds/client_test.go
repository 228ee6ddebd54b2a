package pds_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/fhir/pds"
	"signalbox/fhir/pds/twin"
)

func TestAPatientIsReadWithWhatAComparisonNeeds(t *testing.T) {
	client, _ := open(t, nil)
	p, err := client.Patient(context.Background(), known)
	if err != nil {
		t.Fatal(err)
	}
	if p.NHSNumber != known || p.BirthDate != "2019-03-04" || p.Security != pds.Unrestricted || p.Verification != pds.VerifiedStatus {
		t.Error("number, birth date, security or verification status was not read")
	}
	if len(p.Names) != 2 || strings.Join(p.Names[0].Given, "|") != "Zoë|Ann" || p.Names[0].Family != "O'Neill-Błaszczyk" || !p.Names[1].Ended {
		t.Error("the names were not read")
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "patient", p, "name", p.Names[0])
	if shown := fmt.Sprintf("%v %+v %#v %s %s", p, p, p.Names, &p, p.Names[0]) + log.String(); strings.Contains(shown, "Neill") || strings.Contains(shown, known) {
		t.Errorf("a patient prints: %s", shown)
	}
}

func TestEachAnswerOfPDSHasItsKind(t *testing.T) {
	for name, c := range map[string]struct {
		ask  string
		kind pds.Kind
		code string
	}{
		"nobody has the number":       {nobody, pds.NotFound, "RESOURCE_NOT_FOUND"},
		"the number is invalidated":   {gone, pds.Invalidated, "INVALIDATED_RESOURCE"},
		"the check digit is wrong":    {"9990000019", pds.BadNumber, "INVALID_RESOURCE_ID"},
		"it is no number":             {"99900/0019", pds.BadNumber, ""},
		"it is a path into elsewhere": {"../../../x", pds.BadNumber, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, there := open(t, nil)
			_, err := client.Patient(context.Background(), c.ask)
			if err == nil || pds.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.code) {
				t.Fatalf("want %s %s, got %v", c.kind, c.code, err)
			}
			if strings.Contains(err.Error(), c.ask) {
				t.Errorf("the error holds the number")
			}
			if n := len(there.Requests()); n > 2 {
				t.Errorf("%d requests: a certain answer was asked for again", n)
			}
		})
	}
}

func TestASupersededNumberIsAnsweredWithItsSuccessor(t *testing.T) {
	client, _ := open(t, nil)
	p, err := client.Patient(context.Background(), superseded)
	if err != nil || p.NHSNumber != known {
		t.Errorf("want the successor's record, got another or %v", err)
	}
	p, err = client.Patient(context.Background(), restricted)
	if err != nil || p.Security != pds.Restricted {
		t.Errorf("want a restricted record, got another or %v", err)
	}
}

// A trouble that passes is waited for; the answer is the same.
func TestTroubleThatPasses(t *testing.T) {
	for name, f := range map[string]twin.Fault{
		"over the rate, with Retry-After":    {Times: 2, Status: 429, RetryAfter: "7"},
		"over the rate, without":             {Times: 2, Status: 429},
		"away":                               {Times: 3, Status: 503, Body: "<html>down</html>"},
		"a gateway's error":                  {Times: 1, Status: 502, Body: "upstream"},
		"downstream timeout":                 {Times: 1, Status: 408},
		"slow":                               {Times: 2, Delay: time.Minute},
		"the answer breaks off":              {Times: 2, Cut: true},
		"the answer is no JSON":              {Times: 1, Status: 200, Body: "hello"},
		"the answer is another's JSON":       {Times: 1, Status: 200, Body: `{"resourceType":"Bundle","type":"searchset"}`},
		"the answer has a key twice":         {Times: 1, Status: 200, Body: `{"resourceType":"Patient","id":"9990000018","id":"9990000018"}`},
		"the answer is far too long":         {Times: 1, Status: 200, Body: `{"resourceType":"Patient","id":"` + strings.Repeat("9", 1<<20) + `"}`},
		"not found, but not by PDS's word":   {Times: 1, Status: 404, Body: "<html>no such proxy</html>"},
		"a token is refused":                 {Times: 1, Status: 401},
		"the token endpoint is away":         {Times: 2, Token: true, Status: 503},
		"the token endpoint says nonsense":   {Times: 1, Token: true, Status: 200, Body: `{"access_token":"a b"}`},
		"the token endpoint is over its own": {Times: 1, Token: true, Status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, there := open(t, nil)
				there.Break(f)
				began := time.Now()
				p, err := client.Patient(context.Background(), known)
				if err != nil || p.NHSNumber != known {
					t.Fatalf("no answer in the end: %v", err)
				}
				if f.RetryAfter == "7" && time.Since(began) < 14*time.Second {
					t.Errorf("asked again after %s, within the time that PDS asked for", time.Since(began))
				}
			})
		})
	}
}

func TestTroubleThatDoesNotPassIsNoWordAboutThePatient(t *testing.T) {
	for name, c := range map[string]struct {
		fault    twin.Fault
		kind     pds.Kind
		attempts int
	}{
		"away":                  {twin.Fault{Status: 503}, pds.Unavailable, 4},
		"over the rate":         {twin.Fault{Status: 429}, pds.Throttled, 4},
		"over the rate, long":   {twin.Fault{Status: 429, RetryAfter: "3600"}, pds.Throttled, 1},
		"never answers":         {twin.Fault{Delay: time.Hour}, pds.Unavailable, 0},
		"a 404 of someone else": {twin.Fault{Status: 404}, pds.Unavailable, 4},
		"may not":               {twin.Fault{Status: 403}, pds.Denied, 1},
		"token never taken":     {twin.Fault{Status: 401}, pds.Denied, 2},
		"a redirect":            {twin.Fault{Status: 302}, pds.Unavailable, 4},
		"our request is wrong":  {twin.Fault{Status: 400}, pds.Refused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, there := open(t, nil)
				there.Break(c.fault)
				_, err := client.Patient(context.Background(), known)
				if err == nil || pds.KindOf(err) != c.kind {
					t.Fatalf("want %s, got %v", c.kind, err)
				}
				asked := 0
				for _, r := range there.Requests() {
					if !r.Token {
						asked++
					}
				}
				if asked != c.attempts {
					t.Errorf("%d attempts, want %d", asked, c.attempts)
				}
				if strings.Contains(err.Error(), known) || strings.Contains(err.Error(), "/Patient") {
					t.Errorf("the error holds the number or the path: %v", err)
				}
			})
		})
	}
}

// The published rule: X-Request-ID de-duplicates repeated requests, so a repeat has the same; what belongs together has one X-Correlation-ID.
func TestRepeatsCarryOneRequestID(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, there := open(t, func(c *pds.Config, _ *twin.Config) { c.FreshRequestIDs = fresh })
			there.Break(twin.Fault{Times: 2, Status: 503})
			ctx := pds.Correlate(context.Background(), "60e0b220-8136-4ca5-ae46-1d97ef59d068")
			for _, n := range []string{known, restricted} {
				if _, err := client.Patient(ctx, n); err != nil {
					t.Fatal(err)
				}
			}
			ids := map[string]int{}
			for _, r := range there.Requests() {
				if r.Token {
					continue
				}
				ids[r.RequestID]++
				if r.CorrelationID != "60e0b220-8136-4ca5-ae46-1d97ef59d068" {
					t.Errorf("correlation id %q", r.CorrelationID)
				}
			}
			if want := map[bool]int{false: 2, true: 4}[fresh]; len(ids) != want {
				t.Errorf("fresh %v: %d request ids, want %d", fresh, len(ids), want)
			}
		})
	}
}

func TestOneTokenServesAllUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, there := open(t, func(c *pds.Config, _ *twin.Config) { c.PerSecond, c.Burst, c.Concurrent = 1000, 100, 20 })
		tokens := func() (n int) {
			for _, r := range there.Requests() {
				if r.Token {
					n++
				}
			}
			return n
		}
		together := func() {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if _, err := client.Patient(context.Background(), known); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		there.Break(twin.Fault{Times: 1, Token: true, Delay: 3 * time.Second})
		together()
		if n := tokens(); n != 1 {
			t.Errorf("%d tokens for twenty questions at once", n)
		}
		time.Sleep(9*time.Minute + 40*time.Second) // into the last half minute
		together()
		if n := tokens(); n != 2 {
			t.Errorf("%d tokens: one that is about to end was not replaced once", n)
		}
		there.Revoke()
		together()
		if n := tokens(); n != 3 {
			t.Errorf("%d tokens: one that was revoked was not replaced once", n)
		}
	})
}

func TestThePaceIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, there := open(t, func(c *pds.Config, _ *twin.Config) { c.PerSecond, c.Burst, c.Concurrent = 2, 1, 8 })
		began := time.Now()
		var all sync.WaitGroup
		for range 21 {
			all.Go(func() {
				if _, err := client.Patient(context.Background(), known); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("21 questions at two a second took %s of simulated time", took)
		}
		if n := len(there.Requests()); n != 22 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, there := open(t, nil)
		there.Break(twin.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := client.Patient(ctx, known); pds.KindOf(err) != pds.Unavailable || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestARecordThatIsTheSameIsNotReadAgain(t *testing.T) {
	client, there := open(t, func(c *pds.Config, _ *twin.Config) { c.Remember = 2 })
	ask := func(n string) pds.Patient {
		p, err := client.Patient(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	last := func() int { all := there.Requests(); return all[len(all)-1].Status }
	ask(known)
	if p := ask(known); last() != http.StatusNotModified || p.NHSNumber != known {
		t.Errorf("status %d for a record that is the same", last())
	}
	there.Put(twin.Patient{NHSNumber: known, Given: "Other", Family: "Name", BirthDate: "2019-03-04"})
	if p := ask(known); last() != http.StatusOK || p.Names[0].Family != "Name" {
		t.Errorf("status %d for a record that has changed", last())
	}
	ask(restricted)
	ask(superseded) // the third: the first is forgotten
	if ask(known); last() != http.StatusOK {
		t.Errorf("status %d for a record that was forgotten", last())
	}
}

func TestSearch(t *testing.T) {
	client, there := open(t, nil)
	q := pds.Query{Given: []string{"zoë"}, Family: "O'Neill-Błaszczyk", BirthDate: "2019-03-04"}
	if p, err := client.Search(context.Background(), q); err != nil || p.NHSNumber != known {
		t.Errorf("the one match was not found: %v", err)
	}
	q.Family = "Testerly"
	if _, err := client.Search(context.Background(), q); pds.KindOf(err) != pds.NotFound || err == nil {
		t.Errorf("a former name matches without history: %v", err)
	}
	q.History = true
	if p, err := client.Search(context.Background(), q); err != nil || p.NHSNumber != known {
		t.Errorf("a former name does not match with history: %v", err)
	}
	there.Put(twin.Patient{NHSNumber: nobody, Given: "Zoë", Family: "Testerly", BirthDate: "2019-03-04"})
	if _, err := client.Search(context.Background(), q); pds.KindOf(err) != pds.NotFound || err == nil || strings.Contains(err.Error(), "Testerly") {
		t.Errorf("two matches: %v", err)
	}
	if _, err := client.Search(context.Background(), pds.Query{Family: "X"}); pds.KindOf(err) != pds.Refused || err == nil {
		t.Errorf("a search without a birth date: %v", err)
	}
}

func TestOverARealConnection(t *testing.T) {
	client, server := open(t, func(c *pds.Config, there *twin.Config) {
		listener := httptest.NewUnstartedServer(nil)
		s := twin.New(*there)
		listener.Config.Handler = s
		listener.Start()
		t.Cleanup(listener.Close)
		c.BaseURL, c.Auth.TokenURL, c.Auth.Audience = listener.URL+twin.BasePath, listener.URL+twin.TokenPath, there.Audience
		c.HTTP = http.DefaultTransport.(*http.Transport).Clone()
		c.Backoff, c.MaxBackoff = time.Millisecond, time.Millisecond
		s.Break(twin.Fault{Times: 1, Cut: true})
	})
	if p, err := client.Patient(context.Background(), known); err != nil || p.NHSNumber != known {
		t.Errorf("no answer over a connection: %v", err)
	}
	if len(server.Requests()) != 0 {
		t.Error("the wrong twin was asked")
	}
}

func TestAConnectionThatIsRefusedNamesNoNumber(t *testing.T) {
	client, _ := open(t, func(c *pds.Config, _ *twin.Config) {
		c.BaseURL, c.Auth, c.HTTP, c.Attempts = "http://127.0.0.1:1/x", nil, http.DefaultTransport.(*http.Transport).Clone(), 1
	})
	_, err := client.Patient(context.Background(), known)
	if err == nil || pds.KindOf(err) != pds.Unavailable || strings.Contains(err.Error(), known) {
		t.Errorf("want Unavailable without the number, got %v", err)
	}
}

func TestConfigThatCannotWork(t *testing.T) {
	cfg := pds.Config{BaseURL: "http://pds.example.org/", Auth: &pds.Auth{Life: time.Hour}, Remember: -1}
	err := cfg.Validate()
	for _, want := range []string{"BaseURL", "Timeout", "Attempts", "Backoff", "PerSecond", "Concurrent", "Remember", "TokenURL", "ClientID", "Auth.Key", "Auth.Life"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s", want)
		}
	}
}
