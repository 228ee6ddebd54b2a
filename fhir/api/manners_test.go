package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
	"signalbox/fhir/api/limit"
)

const formed = "Content-Type: application/x-www-form-urlencoded"

// byPost turns a search by GET into the same search by POST.
func (b *bench) byPost(line string, headers ...string) *httptest.ResponseRecorder {
	path, query, _ := strings.Cut(strings.TrimPrefix(line, "GET "), "?")
	form := url.Values{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		form.Add(name, value)
	}
	return b.call("POST "+path+"/_search", form.Encode(), append(headers, formed)...)
}

func TestEveryFormOfASearchGetsTheSameAnswer(t *testing.T) {
	const identified = "patient:identifier=https://fhir.nhs.uk/Id/nhs-number|" + child
	for path, line := range map[string]string{"/CareTeam": careTeam, "/AuditEvent": auditEvent, "/PatientFlag": patientFlag} {
		rest := ""
		if path == "/AuditEvent" {
			rest = "&_include=" + includeAssigned
		}
		b := newBench(t)
		b.desk.flags, b.desk.history, b.desk.recorded = flags(t), history(t), recorded()
		want := b.call(line, "", "TraceID: "+traceID)
		require.Equal(t, 200, want.Code)
		for _, form := range []string{"patient=" + child, "patient=https://fhir.nhs.uk/Id/nhs-number|" + child, identified} {
			got := b.call("GET "+path+"?"+form+rest, "", "TraceID: "+traceID)
			assert.Equal(t, want.Body.String(), got.Body.String(), form)
			got = b.byPost("GET "+path+"?"+form+rest, "TraceID: "+traceID)
			assert.Equal(t, want.Body.String(), got.Body.String(), "POST %s", form)
		}
		split := b.call("POST "+path+"/_search?_summary=false", url.Values{"patient": {child}}.Encode()+strings.ReplaceAll(rest, "|", "%7C"), "TraceID: "+traceID, formed)
		assert.Equal(t, want.Body.String(), split.Body.String(), "some in the address, some in the form")
		ids := map[string]bool{}
		for _, a := range b.desk.accesses {
			ids[a.ID] = true
		}
		assert.Len(t, ids, 1, "however it is asked, one look is one access")
	}
}

func TestXMLAndJSONSayTheSame(t *testing.T) {
	for _, line := range []string{careTeam, auditEvent, patientFlag, "GET /metadata", "GET /Nothing", "GET /CareTeam?patient=1"} {
		b := newBench(t)
		b.desk.flags, b.desk.history, b.desk.recorded = flags(t), history(t), recorded()
		asJSON := b.call(line, "", "TraceID: "+traceID)
		same := sound(t, asJSON)
		mark := "?"
		if strings.Contains(line, "?") {
			mark = "&"
		}
		for _, w := range []*httptest.ResponseRecorder{
			b.call(line, "", "TraceID: "+traceID, "Accept: application/fhir+xml"),
			b.call(line, "", "TraceID: "+traceID, "Accept: application/fhir+json;q=0.5, application/fhir+xml;q=0.9"),
			b.call(line+mark+"_format=xml", "", "TraceID: "+traceID),
			b.call(line+mark+"_format=application/fhir%2Bxml", "", "TraceID: "+traceID, "Accept: application/fhir+json"),
		} {
			assert.Equal(t, asJSON.Code, w.Code)
			assert.Equal(t, "application/fhir+xml; charset=utf-8", w.Header().Get("Content-Type"))
			doc, err := fhir.ReadXML(w.Body.Bytes(), fhir.DefaultLimits())
			require.NoError(t, err)
			assert.Empty(t, doc.Check())
			want, err := asXML(asJSON.Body.Bytes())
			require.NoError(t, err)
			if !strings.Contains(line, "?patient=1") { // its diagnostics speak of the parameters
				assert.Equal(t, string(want), w.Body.String())
			}
			for _, path := range []string{"Bundle.total", "Bundle.entry.fullUrl", "Bundle.entry.resource.telecom.value", "Bundle.entry.resource.recorded",
				"Bundle.entry.resource.contained.recorded", "OperationOutcome.issue.code", "OperationOutcome.issue.details.coding.code"} {
				assert.Equal(t, values(t, same, path), values(t, doc, path), path)
			}
		}
	}
	b := newBench(t)
	w := b.byPost("GET /CareTeam?patient="+child+"&_format=xml", "Accept: text/html, */*;q=0.1")
	assert.Equal(t, "application/fhir+xml; charset=utf-8", w.Header().Get("Content-Type"))
}

// pages follows the links of a search and returns its fullUrls.
func pages(t *testing.T, b *bench, line, relation string) (urls []string, last *httptest.ResponseRecorder) {
	t.Helper()
	for n := 0; ; n++ {
		require.Less(t, n, 20, "the pages have no end")
		w := b.call(line, "", "TraceID: "+traceID)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		doc := sound(t, w)
		urls = append(urls, strings.Fields(values(t, doc, "Bundle.entry.fullUrl"))...)
		next := values(t, doc, "Bundle.link.where(relation = '"+relation+"').url")
		if next == "" {
			return urls, w
		}
		assert.NotContains(t, next, child)
		path, ok := strings.CutPrefix(next, b.cfg.PublicURL)
		require.True(t, ok, next)
		line = "GET " + path
	}
}

func TestPages(t *testing.T) {
	for _, path := range []string{"/CareTeam", "/AuditEvent"} {
		b := newBench(t)
		b.desk.flags = append(flags(t), flags(t)[:2]...)
		for i := range 5 {
			a := history(t)[0]
			a.ID = fmt.Sprint("a", i)
			b.desk.history = append(b.desk.history, a)
		}
		line, each := "GET "+path+"?patient="+child, 1
		if path == "/AuditEvent" {
			line, each = line+"&_include="+includeAssigned, 2
		}
		whole, w := pages(t, b, line, "next")
		assert.Len(t, whole, 5*each)
		assert.NotContains(t, w.Body.String(), `"link"`, "what is on one page needs no links")
		for _, count := range []int{1, 2, 5} {
			got, last := pages(t, b, line+fmt.Sprint("&_count=", count), "next")
			assert.ElementsMatch(t, whole, got, "_count=%d", count)
			assert.Equal(t, "5", values(t, sound(t, last), "Bundle.total"))
			if end := lastPage(t, b, line+fmt.Sprint("&_count=", count)); count < 5 {
				back, _ := pages(t, b, end, "previous")
				assert.Subset(t, back, whole, "and back to the first")
			} else {
				assert.Empty(t, end)
			}
		}
		ids := map[string]bool{}
		for _, a := range b.desk.accesses {
			ids[a.ID] = true
		}
		assert.Len(t, ids, 1, "all pages are one look")
		assert.NotContains(t, b.log.String(), child)
	}
}

// lastPage is the link to the last page; empty when there is one page only.
func lastPage(t *testing.T, b *bench, line string) (last string) {
	for {
		next := values(t, sound(t, b.call(line, "", "TraceID: "+traceID)), "Bundle.link.where(relation = 'next').url")
		if next == "" {
			return last
		}
		line = "GET " + strings.TrimPrefix(next, b.cfg.PublicURL)
		last = line
	}
}

func TestAPageLinkIsForOneClientAndOneAnswer(t *testing.T) {
	b := newBench(t)
	b.desk.flags = flags(t)
	next := func() string {
		w := b.call("GET /CareTeam?_count=1&patient="+child, "", "TraceID: "+traceID)
		return "GET " + strings.TrimPrefix(values(t, sound(t, w), "Bundle.link.url"), b.cfg.PublicURL)
	}
	link := next()
	assert.Equal(t, 200, b.call(link, "").Code)
	assert.Equal(t, 200, b.call(link+"&_format=xml", "").Code)
	assert.Equal(t, 200, b.byPost(link).Code)
	assert.Equal(t, 410, b.call(link, "", "Authorization: Bearer query").Code, "another client's")
	assert.Equal(t, 410, b.call(strings.Replace(link, "/CareTeam", "/AuditEvent", 1), "").Code, "another search's")
	b.desk.flags = b.desk.flags[1:]
	w := b.call(link, "")
	assert.Equal(t, 410, w.Code)
	assert.Contains(t, w.Body.String(), "changed")
	link = next()
	b.now = b.now.Add(b.cfg.PageLife)
	assert.Equal(t, 410, b.call(link, "").Code, "it runs out")
	link, before := next(), len(b.desk.accesses)
	assert.Equal(t, 200, b.call(link, "", "IsUnscheduledAccessEvent: false").Code)
	assert.Equal(t, b.desk.accesses[before-1].ID, b.desk.accesses[before].ID)
	assert.False(t, b.desk.accesses[before].Scheduled, "a page is part of the look that it began with")
}

func TestSummaryAndLenientHandling(t *testing.T) {
	b := newBench(t)
	b.desk.flags = flags(t)
	for _, with := range []string{"&_summary=count", "&_count=0"} {
		w := b.call(careTeam+with, "")
		sound(t, w)
		assert.JSONEq(t, `{"resourceType":"Bundle","type":"searchset","total":3}`, w.Body.String())
	}
	assert.Len(t, b.desk.accesses, 2, "counting is looking")
	w := b.call(careTeam+"&_sort=date&_summary=text&_count=x&name="+child, "", "Prefer: handling=lenient")
	require.Equal(t, 200, w.Code)
	assert.Equal(t, "handling=lenient", w.Header().Get("Preference-Applied"))
	doc := sound(t, w)
	assert.Equal(t, "3", values(t, doc, "Bundle.total"))
	assert.Equal(t, "outcome", strings.Fields(values(t, doc, "Bundle.entry.search.mode"))[3])
	assert.Contains(t, values(t, doc, "Bundle.entry.resource.ofType(OperationOutcome).issue.diagnostics"), "4 of the search parameters")
	w = b.call(careTeam, "", "Prefer: handling=strict, return=minimal")
	assert.Equal(t, "handling=strict", w.Header().Get("Preference-Applied"))
	assert.NotContains(t, w.Body.String(), "OperationOutcome")
}

func TestETag(t *testing.T) {
	b := newBench(t)
	b.desk.flags, b.desk.history = flags(t), history(t)
	for _, line := range []string{careTeam, auditEvent, patientFlag, "GET /metadata", careTeam + "&_count=1", careTeam + "&_summary=count"} {
		first := b.call(line, "", "TraceID: "+traceID)
		tag := first.Header().Get("ETag")
		require.Regexp(t, `^W/"[A-Za-z0-9_-]{24}"$`, tag)
		before := len(b.desk.accesses)
		again := b.call(line, "", "TraceID: "+traceID, `If-None-Match: "x", `+tag)
		assert.Equal(t, 304, again.Code, line)
		assert.Empty(t, again.Body.String())
		assert.Equal(t, tag, again.Header().Get("ETag"))
		if line != "GET /metadata" {
			assert.Len(t, b.desk.accesses, before+1, "the look is recorded before it is said that nothing has changed")
			assert.Equal(t, 200, b.byPost(line, "TraceID: "+traceID, "If-None-Match: "+tag).Code, "conditions are for GET")
			assert.Equal(t, 200, b.call(line, "", "TraceID: "+freshID, "If-None-Match: "+tag).Code, "another look has other names in it")
		}
		assert.NotEqual(t, tag, b.call(line, "", "TraceID: "+traceID, "Accept: application/fhir+xml").Header().Get("ETag"))
	}
	tag := b.call(careTeam, "", "TraceID: "+traceID).Header().Get("ETag")
	b.desk.flags = flags(t)[1:]
	assert.Equal(t, 200, b.call(careTeam, "", "TraceID: "+traceID, "If-None-Match: "+tag).Code, "a flag that is gone is told")
	b.desk.err = io.ErrUnexpectedEOF
	assert.Empty(t, b.call(careTeam, "").Header().Get("ETag"), "an error has none")
}

func TestGzip(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	b := newBench(t)
	b.desk.flags = flags(t)
	plain := b.call(careTeam, "", "TraceID: "+traceID)
	for range 3 { // writers are used again
		w := b.call(careTeam, "", "TraceID: "+traceID, "Accept-Encoding: gzip")
		assert.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		assert.Equal(t, fmt.Sprint(w.Body.Len()), w.Header().Get("Content-Length"))
		assert.Equal(t, plain.Header().Get("ETag"), w.Header().Get("ETag"))
		z, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		raw, err := io.ReadAll(z)
		require.NoError(t, err)
		assert.Equal(t, plain.Body.String(), string(raw))
	}
	assert.Empty(t, b.call("GET /CareTeam?patient=1", "", "Accept-Encoding: gzip").Header().Get("Content-Encoding"), "what is short stays as it is")
	assert.Contains(t, plain.Header().Get("Vary"), "Accept-Encoding")

	zip := func(body []byte) string {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(body)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return out.String()
	}
	w := b.call("POST /$process-message", zip(sample), "Content-Type: application/fhir+json", "Content-Encoding: gzip")
	require.Less(t, w.Code, 300, "%s", w.Body)
	assert.Equal(t, sample, b.desk.messages[0].Body)
	bomb := zip(bytes.Repeat([]byte{' '}, 4<<20))
	require.Less(t, len(bomb), 1<<17)
	w = b.call("POST /$process-message", bomb, "Content-Type: application/fhir+json", "Content-Encoding: gzip")
	assert.Equal(t, 413, w.Code)
	members := strings.Repeat(zip(nil), 1<<16)
	w = b.call("POST /$process-message", members, "Content-Type: application/fhir+json", "Content-Encoding: gzip")
	assert.Equal(t, 413, w.Code, "empty members without end")
	w = b.call("POST /$process-message", zip(sample)[:200], "Content-Type: application/fhir+json", "Content-Encoding: gzip")
	assert.Equal(t, 400, w.Code)
	assert.Equal(t, 200, b.call("POST /CareTeam/_search", zip([]byte("patient="+child)), formed, "Content-Encoding: gzip").Code)
	w = b.call("POST /CareTeam/_search", bomb, formed, "Content-Encoding: gzip")
	assert.Equal(t, 413, w.Code)
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) {
			c.Limits, c.Strangers = limit.Config{PerSecond: 1, Burst: 3, Names: 10}, limit.Config{PerSecond: 1, Burst: 2, Names: 10}
		})
		for range 3 {
			assert.Equal(t, 200, b.call(careTeam, "").Code)
		}
		for _, line := range []string{careTeam, "GET /Nothing"} {
			w := b.call(line, "")
			assert.Equal(t, 429, w.Code)
			assert.Equal(t, "1", w.Header().Get("Retry-After"))
			assert.Equal(t, "throttled", values(t, sound(t, w), "OperationOutcome.issue.code"))
		}
		assert.Len(t, b.desk.accesses, 3, "what is not answered is not recorded")
		assert.Equal(t, 200, b.call(careTeam, "", "Authorization: Bearer query").Code, "another client has calls of its own")
		assert.Equal(t, 200, b.call("GET /metadata", "").Code)
		for _, want := range []int{401, 401, 429, 429} {
			assert.Equal(t, want, b.call(careTeam, "", "Authorization: Bearer wrong").Code)
		}
		b.now = b.now.Add(time.Second)
		assert.Equal(t, 200, b.call(careTeam, "").Code)
		assert.Equal(t, 401, b.call(careTeam, "", "Authorization: Bearer wrong").Code)
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.desk.wait = true
		start := time.Now()
		w := b.call(careTeam, "")
		assert.Equal(t, b.cfg.Timeout, time.Since(start))
		assert.Equal(t, http.StatusGatewayTimeout, w.Code)
		assert.Equal(t, "timeout", values(t, sound(t, w), "OperationOutcome.issue.code"))
		assert.Equal(t, "10", w.Header().Get("Retry-After"))
	})
}

// TestStatedSearchesAnswer asks for everything that the statement says can be searched for.
func TestStatedSearchesAnswer(t *testing.T) {
	b := newBench(t)
	doc := sound(t, b.call("GET /metadata", "", "Authorization: "))
	stated := strings.Fields(values(t, doc, "CapabilityStatement.rest.resource.type"))
	for path, r := range b.routes {
		if r.says.resource != "" {
			params := values(t, doc, "CapabilityStatement.rest.resource.where(type = '"+r.says.resource+"').searchParam.name")
			assert.Equal(t, params, names(r.says.params), path)
		}
	}
	for _, kind := range stated {
		found := false
		for path, r := range b.routes {
			if r.says.resource != kind {
				continue
			}
			found = true
			body, headers := "", []string{}
			if r.method == http.MethodPost {
				body, headers = "patient="+child, []string{formed}
			}
			line := r.method + " " + strings.TrimPrefix(path, b.cfg.BasePath)
			if r.method == http.MethodGet {
				line += "?patient=" + child
			}
			assert.Equal(t, 200, b.call(line, body, headers...).Code, line)
		}
		assert.True(t, found, kind)
	}
	assert.Equal(t, "application/fhir+json application/fhir+xml", values(t, doc, "CapabilityStatement.format"))
}

func names(params []parameter) string {
	var out []string
	for _, p := range params {
		out = append(out, p.name)
	}
	return strings.Join(out, " ")
}

func FuzzSearch(f *testing.F) {
	for _, line := range []string{careTeam, auditEvent, patientFlag} {
		_, query, _ := strings.Cut(line, "?")
		f.Add(query, query)
	}
	f.Add("_page=abc", "_format=xml&patient="+child)
	b := newBench(f)
	f.Fuzz(func(t *testing.T, query, form string) {
		for path, r := range b.routes {
			if r.says.resource == "" {
				continue
			}
			request := httptest.NewRequest(r.method, path, strings.NewReader(form))
			request.URL.RawQuery = query
			request.Header.Set("Authorization", "Bearer "+token)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			b.log.Reset()
			w := httptest.NewRecorder()
			b.ServeHTTP(w, request)
			if w.Code >= 500 || strings.Contains(b.log.String(), "panic") {
				t.Fatalf("%d: %s", w.Code, b.log)
			}
			if w.Code != 200 && len(query) > 5 && strings.Contains(w.Body.String(), child) {
				t.Error("an error holds the number")
			}
		}
	})
}
