//go:build unix

package faults

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/mappings"
)

// trust is an emergency department's system. It repeats what was not answered, under the same id, as a real one would.
type trust struct {
	client *http.Client
	mu     sync.Mutex
	base   string
}

func newTrust() *trust {
	return &trust{client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
}

func (t *trust) at(base string) {
	t.mu.Lock()
	t.base = base
	t.mu.Unlock()
}

func (t *trust) call(method, path string, headers map[string]string, body []byte) (int, []byte, error) {
	t.mu.Lock()
	base := t.base
	t.mu.Unlock()
	req, err := http.NewRequest(method, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// insist repeats a call until it is answered with 2xx.
func (t *trust) insist(tb testing.TB, method, path string, headers map[string]string, body []byte) []byte {
	deadline := time.Now().Add(patience)
	for {
		status, answer, err := t.call(method, path, headers, body)
		if err == nil && status/100 == 2 {
			return answer
		}
		if time.Now().After(deadline) {
			tb.Errorf("the trust was never answered: last status %d, %v", status, err)
			return nil
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// seen is one flag in an answer.
type seen struct {
	la    int
	start string // yyyy-mm-dd
}

// look asks which flags stand for a child. An unscheduled look is one that has to be told to the authority.
func (t *trust) look(tb testing.TB, number string, unscheduled bool) []seen {
	headers := map[string]string{"IsUnscheduledAccessEvent": "false", "TraceID": uuid.NewString()}
	if unscheduled {
		headers["IsUnscheduledAccessEvent"] = "true"
	}
	q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + number}}
	raw := t.insist(tb, http.MethodGet, "/CareTeam?"+q.Encode(), headers, nil)
	var b struct {
		Entry []struct {
			Resource struct {
				Name   string
				Period struct{ Start string }
			}
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		tb.Errorf("an answer cannot be read: %v", err)
	}
	var out []seen
	for _, e := range b.Entry {
		s := seen{start: e.Resource.Period.Start}
		if strings.HasPrefix(e.Resource.Name, "NORTHSHIRE") {
			s.la = 1
		}
		s.start = s.start[:min(10, len(s.start))]
		out = append(out, s)
	}
	return out
}

// tell sends the supplier's sample message about another child.
func (t *trust) tell(tb testing.TB, number string) {
	raw, err := fs.ReadFile(mappings.Embedded(), "testshire-trust-fhir/sample/attendance.json")
	must(tb, err)
	body := strings.NewReplacer("9990000018", number, "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString()).Replace(string(raw))
	t.insist(tb, http.MethodPost, "/$process-message", map[string]string{"Content-Type": "application/fhir+json"}, []byte(body))
}
