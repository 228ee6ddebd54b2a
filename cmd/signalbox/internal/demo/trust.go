package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/mappings"
)

const nhsNumberSystem = "https://fhir.nhs.uk/Id/nhs-number"

// trust is an emergency department's system.
type trust struct {
	base, dir string
	client    *http.Client
	answers   int
}

func newTrust(base, dir string) *trust {
	return &trust{base: base, dir: filepath.Join(dir, "trust"), client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}}
}

// call sends one request, keeps the answer in the folder, and returns its status and body.
func (t *trust) call(ctx context.Context, method, path, token string, headers map[string]string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, t.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := t.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, answer, t.keep(path, answer)
}

// keep leaves an answer in the folder, under a name without personal data.
func (t *trust) keep(path string, answer []byte) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	t.answers++
	what, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	name := fmt.Sprintf("%02d-%s.json", t.answers, strings.Trim(what, "$"))
	return os.WriteFile(filepath.Join(t.dir, name), answer, 0o600)
}

// query asks for one resource type about one NHS number.
func (t *trust) query(ctx context.Context, resource, number, token string, headers map[string]string) (int, []byte, error) {
	q := url.Values{"patient:identifier": {nhsNumberSystem + "|" + number}}
	switch resource {
	case "PatientFlag":
		q = url.Values{"patient": {number}}
	case "AuditEvent":
		q.Set("_include", "AuditEvent:entity-type=http://terminology.hl7.org/CodeSystem/v3-RoleClass|ASSIGNED")
	}
	return t.call(ctx, http.MethodGet, "/"+resource+"?"+q.Encode(), token, headers, nil)
}

// attendance is the supplier's own sample message about another child, now.
func attendance(number string, now time.Time) ([]byte, error) {
	raw, err := fs.ReadFile(mappings.Embedded(), "testshire-trust-fhir/sample/attendance.json")
	if err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer(
		adaNumber, number, "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString(), "2026-03-14T22:41:00+00:00", now.UTC().Format(time.RFC3339),
	).Replace(string(raw))), nil
}

// bundle is what the demonstration reads of an answer.
type bundle struct {
	ResourceType string
	Total        int
	Entry        []struct {
		Resource struct {
			ResourceType string
			Name         any
			Category     []struct{ Coding []struct{ Display string } }
			Period       struct{ Start, End string }
			Telecom      []struct{ Value, Use string }
			Recorded     string
			Response     struct{ Code string }
		}
	}
	Issue []struct {
		Severity, Code, Diagnostics string
		Details                     struct {
			Text   string
			Coding []struct{ Code, Display string }
		}
	}
}

func readBundle(raw []byte) (bundle, error) {
	var b bundle
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("the answer is not JSON: %w", err)
	}
	return b, nil
}

// tellCareTeams prints what the trust sees of each plan.
func (b bundle) tellCareTeams(s *story) {
	for _, e := range b.Entry {
		r := e.Resource
		if r.ResourceType != "CareTeam" {
			continue
		}
		var plan, phones []string
		for _, c := range r.Category {
			for _, coding := range c.Coding {
				plan = append(plan, coding.Display)
			}
		}
		for _, t := range r.Telecom {
			phones = append(phones, t.Use+" "+t.Value)
		}
		until := ""
		if r.Period.End != "" {
			until = " until " + r.Period.End
		}
		s.detail("%v: %s since %s%s; call %s", r.Name, strings.Join(plan, ", "), r.Period.Start, until, strings.Join(phones, ", "))
	}
}

// response is what the answer to a message says of it, in one word.
func (b bundle) response() string {
	for _, e := range b.Entry {
		if e.Resource.Response.Code != "" {
			return e.Resource.Response.Code
		}
	}
	return b.reason()
}

// reason is the first issue of an OperationOutcome, in words.
func (b bundle) reason() string {
	if len(b.Issue) == 0 {
		return ""
	}
	i := b.Issue[0]
	parts := []string{i.Code}
	for _, c := range i.Details.Coding {
		parts = append(parts, c.Code)
		if c.Display != "" {
			parts = append(parts, c.Display)
		}
	}
	if i.Diagnostics != "" {
		parts = append(parts, i.Diagnostics)
	}
	return strings.Join(parts, ", ")
}
