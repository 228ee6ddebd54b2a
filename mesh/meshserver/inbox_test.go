package meshserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type pageBody struct {
	Messages []string          `json:"messages"`
	Links    map[string]string `json:"links"`
	Count    int               `json:"approx_inbox_count"`
}

func (b *bench) page(query string, headers ...string) (pageBody, reply) {
	b.t.Helper()
	r := b.call("GET", trust, "/inbox"+query, "", headers...)
	var p pageBody
	if err := json.Unmarshal([]byte(r.body), &p); err != nil && r.status == 200 {
		b.t.Fatalf("%s: %v", r.body, err)
	}
	return p, r
}

func TestListAnswers(t *testing.T) {
	b := newBench(t)
	if _, r := b.page(""); r.body != `{"messages":[],"links":{"self":"/messageexchange/TESTTR01/inbox"},"approx_inbox_count":0}` {
		t.Errorf("empty, version 2: %s", r.body)
	}
	if _, r := b.page("", "Accept:"); r.body != `{"messages":[]}` {
		t.Errorf("empty, version 1: %s", r.body)
	}
	var ids []string
	for range 23 {
		ids = append(ids, b.send("x"))
	}
	p, _ := b.page("?max_results=10")
	next := p.Links["next"]
	if !slices.Equal(p.Messages, ids[:10]) || p.Count != 23 || p.Links["self"] != "/messageexchange/TESTTR01/inbox?max_results=10" || !strings.HasPrefix(next, p.Links["self"]+"&continue_from=") {
		t.Fatalf("first page %+v", p)
	}
	var got []string
	for next != "" {
		p, r := b.page(strings.TrimPrefix(next, "/messageexchange/TESTTR01/inbox"))
		if r.status != 200 || p.Links["self"] != next {
			t.Fatalf("%s: %d %s", next, r.status, r.body)
		}
		got, next = append(got, p.Messages...), p.Links["next"]
	}
	if !slices.Equal(got, ids[10:]) {
		t.Errorf("further pages: %v", got)
	}
	if p, _ := b.page("", "Accept:"); !slices.Equal(p.Messages, ids) || p.Links != nil {
		t.Errorf("version 1: %+v", p)
	}
	if p, _ := b.page("?max_results=10&continue_from="+ids[9], "Accept:"); !slices.Equal(p.Messages, ids[10:20]) {
		t.Errorf("version 1, after an id: %v", p.Messages)
	}
}

func TestListRefusals(t *testing.T) {
	b := newBench(t)
	id := b.send("x")
	token := b.server.pageToken(trust, 0)
	for query, loc := range map[string]string{
		"?max_results=9": "max_results", "?max_results=5001": "max_results", "?max_results=ten": "max_results", "?max_results=": "max_results",
		"?continue_from=short": "continue_from", "?continue_from=" + repeat("x", 1001): "continue_from",
		"?continue_from=" + repeat("x", 34): "continue_from", "?continue_from=" + id: "continue_from", // ids are version 1's way
		"?continue_from=" + b.server.pageToken(la, 0):  "continue_from", // another mailbox's token
		"?continue_from=" + token[:len(token)-1] + "~": "continue_from",
		"?workflow_filter=x":                           "workflow_filter", "?workflow_filter=" + repeat("x", 256): "workflow_filter",
	} {
		r := b.call("GET", trust, "/inbox"+query, "")
		if r.status != 400 || !strings.Contains(r.body, `"loc":["query","`+loc+`"]`) {
			t.Errorf("%s: %d %s", query[:min(len(query), 30)], r.status, r.body)
		}
	}
	for _, query := range []string{"?max_results=10", "?max_results=5000", "?continue_from=" + token, "?workflow_filter=xx"} {
		b.wantStatus(query, b.call("GET", trust, "/inbox"+query, ""), 200)
	}
	b.wantStatus("version 1, id of another mailbox", b.call("GET", la, "/inbox?continue_from="+id, "", "Accept:"), 400)
}

func TestWorkflowFilter(t *testing.T) {
	for _, test := range []struct {
		filter, id string
		want       bool
	}{
		{"WF", "WF", true}, {"WF", "wf", false}, {"WF", "WF2", false}, {"!WF", "WF", false}, {"!WF", "WF2", true},
		{"WF*", "WF", true}, {"WF*", "WF2", true}, {"WF*", "AWF", false}, {"!WF*", "WF2", false}, {"!WF*", "AWF", true},
		{"*F*", "WF2", true}, {"*X*", "WF2", false}, {"!*F*", "WF2", false}, {"!*X*", "WF2", true}, {"**", "WF", true}, {"!*", "WF", false},
	} {
		if got := workflowFilter(test.filter, false)(test.id); got != test.want {
			t.Errorf("%s on %s: %v", test.filter, test.id, got)
		}
	}
	if workflowFilter("", false) != nil {
		t.Error("no filter is a filter")
	}
	b := newBench(t)
	b.send("x")
	want := b.send("x", "Mex-WorkflowID: TEST A&B")
	p, _ := b.page("?workflow_filter=" + url.QueryEscape("TEST A&B"))
	if !slices.Equal(p.Messages, []string{want}) || p.Count != 2 || p.Links["self"] != "/messageexchange/TESTTR01/inbox?workflow_filter=TEST+A%26B" {
		t.Errorf("%+v", p)
	}
}

// Version 2 cuts first and filters then; version 1 has no link to follow, so it must not.
func TestEmptyPageWithNext(t *testing.T) {
	b := newBench(t)
	for range 11 {
		b.send("x")
	}
	want := b.send("x", "Mex-WorkflowID: TEST_OTHER")
	p, _ := b.page("?max_results=10&workflow_filter=TEST_OTHER")
	if len(p.Messages) != 0 || p.Links["next"] == "" {
		t.Errorf("version 2: %+v", p)
	}
	if p, _ := b.page("?max_results=10&workflow_filter=TEST_OTHER", "Accept:"); !slices.Equal(p.Messages, []string{want}) {
		t.Errorf("version 1: %+v", p)
	}
}

func TestCountAnswers(t *testing.T) {
	b := newBench(t)
	b.send("x")
	if r := b.call("GET", trust, "/count", ""); r.body != `{"count":1}` {
		t.Errorf("version 2: %s", r.body)
	}
	o := b.object(b.call("GET", trust, "/count", "", "Accept:"))
	if o["count"] != 1.0 || o["allResultsIncluded"] != true || o["internalID"] == "" {
		t.Errorf("version 1: %v", o)
	}
}

func TestTrackingAnswers(t *testing.T) {
	b := newBench(t)
	id := b.send("abc", "Mex-LocalID: L 1", "Mex-FileName: f.txt", "Mex-Subject: s", "Content-Encoding: gzip")
	r := b.call("GET", la, "/outbox/tracking?messageID="+id, "")
	want := fmt.Sprintf(`{"expiry_time":"2026-01-06T12:00:00","filename":"f.txt","local_id":"L 1","message_id":"%s","recipient":"TESTTR01","recipient_name":"Testshire Hospitals",`+
		`"recipient_ods_code":"ZZ02","recipient_org_code":"ORG2","recipient_org_name":"Testshire","status":"accepted","status_code":"00","status_description":"Transferred to recipient mailbox",`+
		`"status_event":"TRANSFER","status_success":true,"status_timestamp":"2026-01-01T12:00:00","upload_timestamp":"2026-01-01T12:00:00","workflow_id":"TEST_CPIS_UPLOAD"}`, id)
	if r.status != 200 || r.body != want {
		t.Errorf("version 2\n got %s\nwant %s", r.body, want)
	}
	for _, r := range []reply{
		b.call("GET", la, "/outbox/tracking?messageID="+strings.ToLower(id), "", "Accept:"), b.call("GET", la, "/outbox/tracking/L%201", ""),
	} {
		o := b.object(r)
		for k, want := range map[string]any{
			"dtsId": id, "messageId": id, "status": "Accepted", "statusSuccess": "SUCCESS", "messageType": "Data", "fileSize": 3.0, "chunkCount": 1.0, "contentEncoding": "gzip",
			"uploadTimestamp": "20260101120000", "expiryTime": "20260106120000", "downloadTimestamp": nil, "sender": la, "senderName": "Northshire Council", "checksum": nil,
			"meshRecipientOdsCode": "ZZ02", "addressType": "ALL", "version": "1.0", "recipientSmtp": "", "subject": "s",
		} {
			if o[k] != want {
				t.Errorf("version 1: %s is %v, want %v", k, o[k], want)
			}
		}
	}
	b.wantFault("other mailbox", b.call("GET", trust, "/outbox/tracking?messageID="+id, ""), 404, "", "", "Not Found")
	b.wantFault("unknown", b.call("GET", la, "/outbox/tracking?messageID=NONE", ""), 404, "", "", "Not Found")
	b.wantFault("unknown local id", b.call("GET", la, "/outbox/tracking/other", ""), 404, "", "", "Not Found")
	b.wantFault("local id of another sender", b.call("GET", trust, "/outbox/tracking/L%201", ""), 404, "", "", "Not Found")
	if r := b.call("GET", la, "/outbox/tracking", ""); r.status != 400 || !strings.Contains(r.body, `"loc":["query","messageID"]`) {
		t.Errorf("no id: %d %s", r.status, r.body)
	}
	b.send("x", "Mex-LocalID: L 1")
	b.wantFault("twice", b.call("GET", la, "/outbox/tracking/L%201", ""), 300, "", "", "Multiple Choices")

	part := b.send("x", "Mex-Chunk-Range: 1:2")
	if o := b.object(b.call("GET", la, "/outbox/tracking?messageID="+part, "")); o["status"] != "uploading" {
		t.Errorf("status %v", o["status"])
	}
}

func TestLookups(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Workflows = []Workflow{{ID: flow, Senders: []string{la}, Receivers: []string{spare, strings.ToLower(trust), idle}}}
	})
	get := func(path string, headers ...string) reply {
		return b.call("GET", path, "", "", append(headers, "Authorization:")...)
	}
	both := `{"results":[{"mailbox_id":"TESTTR01","mailbox_name":"Testshire Hospitals"},{"mailbox_id":"TESTTR02","mailbox_name":"Testshire Clinic"}]}`
	for path, want := range map[string]string{
		"endpointlookup/ZZ02/" + flow: both, "endpointlookup/ZZ01/" + flow: `{"results":[]}`, "endpointlookup/zz02/" + flow: `{"results":[]}`,
		"endpointlookup/ZZ02/OTHER": `{"results":[]}`, "endpointlookup/ZZ03/" + flow: `{"results":[]}`, "workflowsearch/" + flow: both, "workflowsearch/OTHER": `{"results":[]}`,
	} {
		if r := get(path); r.status != 200 || r.body != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := get("workflowsearch/"+flow, "Accept:"); r.body != both {
		t.Errorf("workflow search, version 1: %s", r.body)
	}
	o := b.object(get("endpointlookup/ZZ02/"+flow, "Accept:"))
	if fmt.Sprint(o["results"]) != "[map[address:TESTTR01 description:Testshire Hospitals endpoint_type:MESH] map[address:TESTTR02 description:Testshire Clinic endpoint_type:MESH]]" || o["query_id"] == "" {
		t.Errorf("lookup, version 1: %v", o)
	}
}

func TestRoutes(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"GET", la + "/nothing", 404, "Not Found"}, {"GET", la + "/inbox/", 404, "Not Found"}, {"GET", "", 404, "Not Found"},
		{"GET", la + "/outbox", 405, "Method Not Allowed"}, {"OPTIONS", la + "/inbox", 405, "Method Not Allowed"}, {"DELETE", la, 405, "Method Not Allowed"},
		{"POST", la + "/inbox/x/status/acknowledged", 405, "Method Not Allowed"},
	} {
		r := b.call(test.method, test.path, "", "")
		if r.status != test.status || r.body != `{"detail":"`+test.detail+`"}` {
			t.Errorf("%s %s: %d %s", test.method, test.path, r.status, r.body)
		}
	}
	if r := b.call("GET", "_ping", "", "", "Authorization:"); r.status != 200 || b.object(r)["status"] != "running" {
		t.Errorf("ping: %d %s", r.status, r.body)
	}
}

func TestReportsOnTheWire(t *testing.T) {
	b := newBench(t)
	id, err := b.server.PutReport(Report{
		To: strings.ToLower(la), Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days", LinkedMessageID: "20200529155357895317_3573F8", WorkflowID: flow, LocalID: "L",
	})
	if err != nil {
		t.Fatal(err)
	}
	r := b.call("GET", la, "/inbox/"+id, "", "Accept-Encoding: gzip")
	if r.status != 200 || r.body != "" || r.header.Get("Content-Length") != "0" || r.header.Get("Content-Encoding") != "" {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]string{
		"Mex-MessageType": "REPORT", "Mex-StatusCode": "14", "Mex-StatusEvent": "SEND", "Mex-StatusSuccess": "ERROR", "Mex-LinkedMsgID": "20200529155357895317_3573F8",
		"Mex-LocalID": "L", "Mex-From": "", "Mex-FileName": "", "Mex-WorkflowID": flow, "Mex-To": la,
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := b.server.PutReport(Report{To: "NOBODY"}); err == nil {
		t.Error("report to nobody")
	}
}
