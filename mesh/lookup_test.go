package mesh

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// canned answers every call with the same body and keeps the last request.
type canned struct {
	status int
	body   string
	last   *http.Request
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	c.last = r
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

func cannedClient(t *testing.T, body string, change ...func(*Config)) (*Client, *canned) {
	rt := &canned{status: 200, body: body}
	c, _ := scripted(t, func(c *Config) {
		c.Transport = rt
		for _, f := range change {
			f(c)
		}
	})
	return c, rt
}

// Both versions' answers, as the fact sheet of the API has them, give the same; the calls carry no token.
func TestLookups(t *testing.T) {
	want := []Endpoint{{"X2612345", "A mailbox"}}
	for name, body := range map[string]string{
		"version 2": `{"results":[{"mailbox_id":"X2612345","mailbox_name":"A mailbox"}]}`,
		"version 1": `{"query_id":"20220228174323222_ABCDEF","results":[{"address":"X2612345","description":"A mailbox","endpoint_type":"MESH"}]}`,
	} {
		c, rt := cannedClient(t, body)
		got, err := c.EndpointLookup(t.Context(), "X26", "TEST_WF/1")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if p := rt.last.URL.String(); p != "http://mesh.test/messageexchange/endpointlookup/X26/TEST_WF%2F1" || rt.last.Header.Get("Authorization") != "" {
			t.Errorf("%s: asked %s, with a token: %v", name, p, rt.last.Header.Get("Authorization") != "")
		}
		if got, err = c.WorkflowSearch(t.Context(), "TEST_WF"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: search %v, %v", name, got, err)
		}
		if p := rt.last.URL.Path; p != "/messageexchange/workflowsearch/TEST_WF" {
			t.Errorf("search asked %s", p)
		}
	}
	c, rt := cannedClient(t, `{"results":[]}`)
	if got, err := c.EndpointLookup(t.Context(), "X26", "W"); err != nil || len(got) != 0 {
		t.Errorf("no match: %v, %v", got, err)
	}
	if err := c.Ping(t.Context()); err != nil || rt.last.URL.Path != "/messageexchange/_ping" || rt.last.Header.Get("Authorization") != "" {
		t.Errorf("ping %s: %v", rt.last.URL, err)
	}
	rt.body = `{"results":[{}]}`
	if _, err := c.WorkflowSearch(t.Context(), "W"); !errors.Is(err, ErrProtocol) {
		t.Errorf("a result without a mailbox: %v", err)
	}
	_, err1 := c.EndpointLookup(t.Context(), "", "W")
	_, err2 := c.WorkflowSearch(t.Context(), "")
	if !errors.Is(err1, ErrInvalid) || !errors.Is(err2, ErrInvalid) {
		t.Errorf("%v, %v", err1, err2)
	}
}

func TestRichListings(t *testing.T) {
	c, rt := cannedClient(t, `{"valid_at":"2026-01-02T03:04:05","messages":[{"message_id":"M","expiry_timestamp":"2026-01-06T00:00:00","local_id":null,
		"message_type":"Report","recipient":"R","recipient_name":"RN","sender":"S","sender_name":"SN","sent_date":"2026-01-01T00:00:00","status":"Acknowledged",
		"status_code":null,"workflow_id":"W","total_chunks":3}],"links":{}}`)
	want := RichMessage{MessageID: "M", MessageType: Report, Sender: "S", SenderName: "SN", Recipient: "R", RecipientName: "RN", WorkflowID: "W", Status: Acknowledged,
		TotalChunks: 3, Sent: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC)}
	got, err := c.RichInbox(t.Context(), RichOptions{MaxResults: 5, Since: want.Sent})
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v", got, err)
	}
	if u := rt.last.URL.String(); u != "http://mesh.test/messageexchange/TESTLA01/inbox/rich?max_results=5&start_time=2026-01-01T00%3A00%3A00Z" {
		t.Errorf("asked %s", u)
	}
	if _, err := c.RichOutbox(t.Context(), RichOptions{}); err != nil || rt.last.URL.Path != "/messageexchange/TESTLA01/outbox/rich" {
		t.Errorf("asked %s, %v", rt.last.URL, err)
	}
}

// Version 1 has no links: a full page goes on after its last id, a shorter one is the last.
func TestListingInVersion1(t *testing.T) {
	var asked []string
	c, _ := scripted(t, func(c *Config) {
		c.APIVersion = 1
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.RawQuery)
			if r.Header.Get("Accept") != "application/vnd.mesh.v1+json" {
				t.Errorf("Accept %s", r.Header.Get("Accept"))
			}
			body := `{"messages":["A","B","C","D","E","F","G","H","I","J"]}`
			if len(asked) == 2 {
				body = `{"messages":["K"]}`
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
	})
	n := 0
	for _, err := range c.List(t.Context(), ListOptions{MaxResults: 10, WorkflowFilter: "WF"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 11 || !slices.Equal(asked, []string{"max_results=10&workflow_filter=WF", "continue_from=J&max_results=10&workflow_filter=WF"}) {
		t.Errorf("%d ids, asked %q", n, asked)
	}
}

func TestSkew(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 500e6, time.UTC)
	date := now
	var heard []time.Duration
	c, _ := scripted(t, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.OnSkew = func(by time.Duration) { heard = append(heard, by) }
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			h := http.Header{}
			if !date.IsZero() {
				h.Set("Date", date.Format(http.TimeFormat))
			}
			return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(`{"count":0}`))}, nil
		})
	})
	if _, known := c.Skew(); known {
		t.Error("known before any answer")
	}
	for _, step := range []struct {
		by    time.Duration
		heard int
	}{{0, 0}, {29 * time.Minute, 0}, {-31 * time.Minute, 1}, {-31 * time.Minute, 1}, {0, 1}, {3 * time.Hour, 2}} {
		date = now.Add(step.by)
		if _, err := c.Count(t.Context()); err != nil {
			t.Fatal(err)
		}
		by, known := c.Skew()
		if !known || (by-step.by).Abs() > time.Second || len(heard) != step.heard {
			t.Errorf("clock off by %v: measured %v, heard %v", step.by, by, heard)
		}
	}
	date = time.Time{}
	if _, err := c.Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	if by, known := c.Skew(); !known || by.Round(time.Minute) != 3*time.Hour {
		t.Errorf("an answer without a date changed it to %v", by)
	}
}

// Errors carry how long the server asked to be left alone.
func TestErrorCarriesRetryAfter(t *testing.T) {
	c, _ := scripted(t, func(c *Config) { c.Attempts = 1 }, answer(503, "Retry-After", "120"))
	_, err := c.Count(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.RetryAfter != 2*time.Minute {
		t.Errorf("%v", err)
	}
}
