package meshserver

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func zip(s string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return out.String()
}

func unzip(t *testing.T, s string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestHandshakeAnswers(t *testing.T) {
	b := newBench(t)
	full := []string{"Mex-ClientVersion: v", "Mex-OSName: n", "Mex-OSVersion: v"}
	for _, method := range []string{"POST", "GET"} {
		if r := b.call(method, la, "", "", full...); r.status != 200 || r.body != "" || r.header.Get("Content-Type") != "" {
			t.Errorf("%s version 2: %+v", method, r)
		}
		if r := b.call(method, la, "", "", append(full, "Accept:")...); r.status != 200 || r.body != `{"mailboxId":"TESTLA01"}` {
			t.Errorf("%s version 1: %+v", method, r)
		}
	}
	want := `{"detail":[{"loc":["header","mex-clientversion"],"msg":"field required","type":"value_error.missing"},{"loc":["header","mex-osversion"],"msg":"field required","type":"value_error.missing"}]}`
	if r := b.call("POST", la, "", "", "Mex-OSName: n"); r.status != 400 || r.body != want {
		t.Errorf("missing headers: %d %s", r.status, r.body)
	}
	if r := b.call("GET", la, "/", "", full...); r.status != 307 || r.header.Get("Location") != "/messageexchange/"+la {
		t.Errorf("trailing slash: %+v", r)
	}
}

var idForm = regexp.MustCompile(`^\d{20}_[0-9A-F]{6}$`)

// The rows of the specification's send table and its failures, in both versions.
func TestSendAnswers(t *testing.T) {
	b := newBench(t)
	send := func(body string, headers ...string) reply {
		return b.call("POST", la, "/outbox", body, append([]string{"Mex-To: " + trust, "Mex-WorkflowID: " + flow}, headers...)...)
	}
	if id := b.object(send("x"))["message_id"].(string); !idForm.MatchString(id) {
		t.Errorf("message id %s", id)
	}
	if id := b.object(send("x", "Accept:"))["messageID"].(string); !idForm.MatchString(id) {
		t.Errorf("version 1 message id %s", id)
	}
	for _, test := range []struct {
		name              string
		reply             reply
		status            int
		event, code, text string
	}{
		{"blank recipient", send("x", "Mex-To: \t"), 400, "", "", ""},
		{"unknown recipient", send("x", "Mex-To: NOBODY"), 417, "SEND", "12", "Unregistered to address"},
		{"inactive recipient", send("x", "Mex-To: "+idle), 417, "SEND", "12", "Unregistered to address"},
		{"empty body", send(""), 417, "COLLECT", "02", "Data file is missing or inaccessible"},
		{"encoding", send("x", "Content-Encoding: br"), 422, "SEND", "UnsupportedContentEncoding", "Unsupported content encoding"},
		{"range not a range", send("x", "Mex-Chunk-Range: x"), 417, "SEND", "InvalidHeaderChunks", "Invalid chunk values sent in mex-Chunk-Range header"},
		{"range of another chunk", send("x", "Mex-Chunk-Range: 2:2"), 417, "SEND", "InvalidHeaderChunks", "Invalid chunk values sent in mex-Chunk-Range header"},
		{"checksum", send("x", "Mex-Content-Checksum: a=b"), 400, "SEND", "Invalid checksum", "Invalid checksum"},
		{"recipient an address", send("x", "Mex-To: https://x.test"), 400, "TRANSFER", "06", "Malformed control file"},
		{"tab in a header", send("x", "Mex-Subject: a\tb"), 400, "TRANSFER", "06", "Malformed control file"},
		{"from another", send("x", "Mex-From: "+trust), 400, "SEND", "07", "Invalid From Address"},
		{"report", send("x", "Mex-MessageType: REPORT"), 400, "SEND", "11", "Invalid Message Type for the transfer"},
		{"checksum before recipient", send("", "Mex-Content-Checksum: =", "Mex-To: NOBODY"), 400, "SEND", "Invalid checksum", "Invalid checksum"},
		{"encoding before range", send("", "Content-Encoding: br", "Mex-Chunk-Range: x"), 422, "SEND", "UnsupportedContentEncoding", "Unsupported content encoding"},
		{"range before recipient", send("", "Mex-Chunk-Range: x", "Mex-To: NOBODY"), 417, "SEND", "InvalidHeaderChunks", "Invalid chunk values sent in mex-Chunk-Range header"},
		{"recipient before body", send("", "Mex-To: NOBODY"), 417, "SEND", "12", "Unregistered to address"},
	} {
		if test.text != "" {
			b.wantFault(test.name, test.reply, test.status, test.event, test.code, test.text)
		}
	}
	v1 := regexp.MustCompile(`^{"messageID":"\d{20}_[0-9A-F]{6}","errorEvent":"SEND","errorCode":"12","errorDescription":"Unregistered to address"}$`)
	if r := send("x", "Mex-To: NOBODY", "Accept:"); r.status != 417 || !v1.MatchString(r.body) {
		t.Errorf("version 1: %d %s", r.status, r.body)
	}
	want := `{"detail":[{"loc":["header","mex-workflowid"],"msg":"field required","type":"value_error.missing"},` +
		`{"loc":["header","mex-localid"],"msg":"ensure this value has at most 300 characters","type":"value_error.any_str.max_length","ctx":{"limit_value":300}}]}`
	if r := send("", "Mex-WorkflowID:", "Mex-LocalID: "+repeat("x", 301), "Content-Encoding: br"); r.status != 400 || r.body != want {
		t.Errorf("validation: %d %s", r.status, r.body)
	}
	if n := len(b.server.Inbox(trust)); n != 2 {
		t.Errorf("%d messages, want the two that were accepted", n)
	}
}

// A header that is there but blank is another error than one that is not there.
func TestBlankRecipient(t *testing.T) {
	b := newBench(t)
	req, _ := http.NewRequest("POST", b.http.URL+"/messageexchange/"+la+"/outbox", strings.NewReader("x"))
	req.Header["Mex-To"], req.Header["Mex-Workflowid"] = []string{""}, []string{flow}
	req.Header.Set("Accept", "application/vnd.mesh.v2+json")
	req.Header.Set("Authorization", b.token(la))
	b.wantFault("blank", b.do(req), 400, "SEND", "08", "TO_DTS missing")
}

func TestRequestBound(t *testing.T) {
	for _, declared := range []bool{true, false} {
		b := newBench(t, func(c *Config) { c.MaxRequest, c.InlineBodies = 100_000, 1000 })
		b.send(repeat("x", 100_000))
		req, _ := http.NewRequest("POST", b.http.URL+"/messageexchange/"+la+"/outbox", strings.NewReader(repeat("x", 100_001)))
		if !declared {
			req.ContentLength = -1
		}
		req.Header.Set("Authorization", b.token(la))
		req.Header.Set("Mex-To", trust)
		req.Header.Set("Mex-WorkflowID", flow)
		b.wantStatus(fmt.Sprint("declared ", declared), b.do(req), http.StatusRequestEntityTooLarge)
		if n := len(b.server.Inbox(trust)); n != 1 {
			t.Errorf("%d messages", n)
		}
	}
}

func TestWorkflowRights(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Workflows = []Workflow{{ID: flow, Senders: []string{la}, Receivers: []string{trust}}}
	})
	b.send("x")
	post := func(from, to, workflow string) reply {
		return b.call("POST", from, "/outbox", "x", "Mex-To: "+to, "Mex-WorkflowID: "+workflow)
	}
	b.wantFault("sender", post(trust, la, flow), 417, "SEND", "16", "Sender is not allowed to send messages of this type")
	b.wantFault("receiver", post(la, spare, flow), 417, "SEND", "17", "Workflow ID not registered for mailbox")
	b.wantFault("workflow", post(la, trust, "TEST_OTHER"), 417, "SEND", "17", "Workflow ID not registered for mailbox")
}

func TestChunkAnswers(t *testing.T) {
	b := newBench(t)
	chunk := func(mailbox, id string, n int, rng string, headers ...string) reply {
		return b.call("POST", mailbox, fmt.Sprintf("/outbox/%s/%d", id, n), fmt.Sprint("chunk", n), append([]string{"Mex-Chunk-Range: " + rng}, headers...)...)
	}
	const invalid = "Invalid chunk values sent in mex-Chunk-Range header"
	id := b.send("chunk1", "Mex-Chunk-Range: 1:3")
	for name, rng := range map[string]string{"none": "", "other number": "3:3", "junk": "x", "zero": "0:3", "beyond": "2:1", "three parts": "2:3:4"} {
		r := chunk(la, id, 2, rng)
		b.wantFault(name, r, 417, "SEND", "InvalidHeaderChunks", invalid)
		if !strings.Contains(r.body, id) {
			t.Errorf("%s: the message is not named: %s", name, r.body)
		}
	}
	b.wantFault("encoding", chunk(la, id, 2, "2:3", "Content-Encoding: gzip"), 417, "", "", "cannot change content encoding")
	b.wantFault("unknown", chunk(la, "NONE", 2, "2:3"), 404, "", "", "Not Found")
	b.wantFault("other sender", chunk(trust, id, 2, "2:3"), 403, "", "", "Forbidden")
	if r := chunk(la, id, 4, "4:4"); r.status != 406 || b.object(r)["message"] == nil {
		t.Errorf("above the total: %d %s", r.status, r.body)
	}
	b.wantStatus("not a number", b.call("POST", la, "/outbox/"+id+"/x", "x"), 400)

	b.wantFault("last first", chunk(la, id, 3, "3:3"), 417, "SEND", "InvalidHeaderChunks", invalid)
	if len(b.server.Inbox(trust)) != 0 {
		t.Error("visible with a hole")
	}
	b.wantFault("download with a hole", b.call("GET", trust, "/inbox/"+id, ""), 410, "SEND", "Message already accepted", "Message no longer available for download")
	b.wantStatus("first again", chunk(la, id, 1, "1:3"), 202)
	if r := chunk(la, id, 2, " 2 : 4 "); r.status != 202 || r.body != fmt.Sprintf(`{"message_id":"%s"}`, id) {
		t.Errorf("changed total, spaces: %d %s", r.status, r.body)
	}
	b.wantStatus("again", chunk(la, id, 2, "2:3"), 202)
	b.wantStatus("last", chunk(la, id, 3, "3:3"), 202)
	if len(b.server.Inbox(trust)) != 1 {
		t.Error("not visible although whole")
	}
	if r := chunk(la, id, 2, "2:3"); r.status != 423 || b.object(r)["message"] == nil {
		t.Errorf("after the last: %d %s", r.status, r.body)
	}
	for n, status := range map[int]int{1: 206, 2: 206, 3: 200} {
		r := b.call("GET", trust, fmt.Sprintf("/inbox/%s/%d", id, n), "")
		if r.status != status || r.body != fmt.Sprint("chunk", n) || r.header.Get("Mex-Chunk-Range") != fmt.Sprintf("%d:3", n) || r.header.Get("Mex-Total-Chunks") != "3" {
			t.Errorf("chunk %d: %+v", n, r)
		}
	}
	b.wantFault("beyond", b.call("GET", trust, "/inbox/"+id+"/4", ""), 404, "RECEIVE", "20", "Message does not exist")
	b.wantStatus("zero", b.call("GET", trust, "/inbox/"+id+"/0", ""), 400)
	b.wantStatus("word", b.call("GET", trust, "/inbox/"+id+"/x", ""), 400)

	id = b.send("a", "Mex-Chunk-Range: 1:2")
	if r := b.call("POST", la, "/outbox/"+id+"/2", "", "Mex-Chunk-Range: 2:2", "Accept:"); r.status != 202 || r.body != fmt.Sprintf(`{"messageID":"%s","blockID":2}`, id) {
		t.Errorf("empty chunk, version 1: %d %s", r.status, r.body)
	}
}

// The encoding table: stored form, what is accepted, version.
func TestDownloadEncodings(t *testing.T) {
	b := newBench(t, func(c *Config) { c.InlineBodies = 1000 })
	plain := repeat("synthetic ", 50)
	for _, size := range []string{"inline", "file"} {
		if size == "file" {
			plain = repeat(plain, 200)
		}
		identity := b.send(plain, "Content-Type: text/csv")
		zipped := b.send(zip(plain), "Content-Encoding: gzip", "Content-Type: text/csv")
		liar := b.send(plain, "Content-Encoding: gzip")
		for _, test := range []struct {
			name, id, accept, version string
			zipped                    bool
		}{
			{"gzip as is", zipped, "gzip, br", "2", true},
			{"gzip as is, version 1", zipped, "gzip", "1", true},
			{"gzip undone", zipped, "", "2", false},
			{"gzip refused", zipped, "gzip;q=0, identity", "2", false},
			{"gzip undone, version 1", zipped, "", "1", false},
			{"compressed on the way", identity, "gzip", "2", true},
			{"as is, version 1", identity, "gzip", "1", false},
			{"as is", identity, "", "2", false},
		} {
			r := b.call("GET", trust, "/inbox/"+test.id, "", "Accept-Encoding: "+test.accept, "Accept: application/vnd.mesh.v"+test.version+"+json")
			if r.status != 200 || (r.header.Get("Content-Encoding") == "gzip") != test.zipped || (r.header.Get("Mex-Content-Compressed") == "Y") != test.zipped {
				t.Errorf("%s, %s: %d %v", size, test.name, r.status, r.header)
				continue
			}
			if test.zipped {
				r.body = unzip(t, r.body)
			}
			if r.body != plain {
				t.Errorf("%s, %s: another body", size, test.name)
			}
			if want := map[string]string{"1": "application/octet-stream", "2": "text/csv"}[test.version]; r.header.Get("Content-Type") != want {
				t.Errorf("%s, %s: type %s", size, test.name, r.header.Get("Content-Type"))
			}
		}
		b.wantStatus("said gzip and is not", b.call("GET", trust, "/inbox/"+liar, ""), 500)
	}
}

func TestAccessAndLifeOfAMessage(t *testing.T) {
	b := newBench(t)
	id := b.send("x", "Mex-Subject: s", "Mex-PartnerID: p", "Mex-Content-Compressed: y")
	lower := strings.ToLower(id)
	b.wantFault("get by a stranger", b.call("GET", spare, "/inbox/"+id, ""), 403, "", "", "Forbidden")
	b.wantFault("get by the sender", b.call("GET", la, "/inbox/"+id, ""), 403, "", "", "Forbidden")
	b.wantStatus("head by the sender", b.call("HEAD", la, "/inbox/"+id, ""), 200)
	b.wantStatus("head by a stranger", b.call("HEAD", spare, "/inbox/"+id, ""), 404)
	b.wantFault("acknowledge by a stranger", b.call("PUT", spare, "/inbox/"+id+"/status/acknowledged", ""), 403, "", "", "Forbidden")
	b.wantFault("get unknown", b.call("GET", trust, "/inbox/NONE", ""), 404, "RECEIVE", "20", "Message does not exist")
	b.wantFault("acknowledge unknown", b.call("PUT", trust, "/inbox/NONE/status/acknowledged", ""), 404, "RECEIVE", "20", "Message does not exist")
	b.wantStatus("get in lower case", b.call("GET", trust, "/inbox/"+lower, ""), 200)
	b.wantStatus("head", b.call("HEAD", trust, "/inbox/"+id, ""), 200)

	r := b.call("GET", trust, "/inbox/"+id, "")
	for name, want := range map[string]string{
		"Mex-MessageID": id, "Mex-From": la, "Mex-To": trust, "Mex-WorkflowID": flow, "Mex-MessageType": "DATA", "Mex-Chunk-Range": "1:1",
		"Mex-FileName": id + ".dat", "Mex-Subject": "s", "Mex-PartnerID": "p", "Mex-Content-Compressed": "Y", "Mex-AddressType": "ALL", "Mex-Version": "1.0",
		"Mex-StatusCode": "00", "Mex-StatusEvent": "TRANSFER", "Mex-StatusSuccess": "SUCCESS", "Mex-StatusTimestamp": "20260101120000",
		"Mex-StatusDescription": "Transferred to recipient mailbox", "Last-Modified": "Thu, 01 Jan 2026 12:00:00 GMT", "Mex-LinkedMsgID": "", "Mex-LocalID": "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	b.pass(time.Minute)
	if r := b.call("PUT", trust, "/inbox/"+id+"/status/acknowledged", "", "Accept:"); r.status != 200 || r.body != fmt.Sprintf(`{"messageId":"%s"}`, id) {
		t.Errorf("acknowledge, version 1: %+v", r)
	}
	if r := b.call("PUT", trust, "/inbox/"+id+"/status/acknowledged", ""); r.status != 200 || r.body != "" {
		t.Errorf("acknowledge again: %+v", r)
	}
	b.wantFault("get acknowledged", b.call("GET", trust, "/inbox/"+id, ""), 410, "SEND", "Message already accepted", "Message no longer available for download")
	b.wantStatus("head acknowledged", b.call("HEAD", trust, "/inbox/"+id, ""), 410)
}

func TestHeaderNamesAreLowerCaseOnTheWire(t *testing.T) {
	b := newBench(t)
	id := b.send("x")
	rec := &headerNames{ResponseWriter: nil, header: http.Header{}}
	req, _ := http.NewRequest("GET", "/messageexchange/"+trust+"/inbox/"+id, nil)
	req.Header.Set("Authorization", b.token(trust))
	b.server.ServeHTTP(rec, req)
	if names := slices.Collect(maps.Keys(rec.header)); !slices.Contains(names, "mex-messageid") || rec.status != 200 {
		t.Errorf("%d %v", rec.status, rec.header)
	}
}

type headerNames struct {
	http.ResponseWriter
	header http.Header
	status int
}

func (h *headerNames) Header() http.Header         { return h.header }
func (h *headerNames) WriteHeader(status int)      { h.status = status }
func (h *headerNames) Write(p []byte) (int, error) { return len(p), nil }
