package meshserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// get asks for something of a mailbox without a network.
func (b *bench) get(mailbox, path, accept string) (status int, body string) {
	req, err := http.NewRequest("GET", "/messageexchange/"+mailbox+path, nil)
	if err != nil {
		return 0, ""
	}
	req.Header = http.Header{"Authorization": {b.token(mailbox)}, "Accept": {accept}}
	status, body, _ = ask(b.server, req)
	return status, body
}

// post sends without a network.
func (b *bench) post(path, chunks string, body []byte) (status int, answer string) {
	req, err := http.NewRequest("POST", "/messageexchange/"+la+path, bytes.NewReader(body))
	if err != nil {
		return 0, ""
	}
	req.Header = http.Header{
		"Authorization": {b.token(la)}, "Accept": {"application/vnd.mesh.v2+json"}, "Mex-To": {trust}, "Mex-Workflowid": {flow}, "Mex-Chunk-Range": {chunks},
	}
	status, answer, _ = ask(b.server, req)
	return status, answer
}

// Whatever a listing is asked for, it is a page of the inbox or a refusal: no token that was not given for this mailbox goes
// anywhere, and no page has more than was asked for.
func FuzzListing(f *testing.F) {
	b := fuzzed(f, Strict)
	for range 12 {
		if status, body := b.post("/outbox", "1:1", []byte("x")); status != 202 {
			f.Fatal(status, body)
		}
	}
	_, first := b.get(trust, "/inbox?max_results=10", "application/vnd.mesh.v2+json")
	var page struct {
		Messages []string
		Links    struct{ Next string }
	}
	if err := json.Unmarshal([]byte(first), &page); err != nil || len(page.Messages) != 10 {
		f.Fatal(err, first)
	}
	next, err := url.Parse(page.Links.Next)
	if err != nil {
		f.Fatal(err)
	}
	token := next.Query().Get("continue_from")
	foreign := b.server.pageToken(la, 3)
	f.Add("10", token, "", true)
	f.Add("10", foreign, "!*x*", true)
	f.Add("5000", page.Messages[3], "TEST*", false)
	f.Add("", strings.Repeat("A", 32), "**", true)
	f.Add("-1", token+"=", "!", false)
	f.Fuzz(func(t *testing.T, most, from, filter string, v2 bool) {
		accept := map[bool]string{true: "application/vnd.mesh.v2+json", false: "application/json"}[v2]
		query := url.Values{"max_results": {most}, "continue_from": {from}, "workflow_filter": {filter}}
		status, body := b.get(trust, "/inbox?"+query.Encode(), accept)
		if status == 400 {
			return
		}
		var got struct{ Messages []string }
		if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil {
			t.Fatalf("%d %s", status, body)
		}
		if n, err := strconv.Atoi(most); err != nil || len(got.Messages) > n {
			t.Errorf("%d messages for %q", len(got.Messages), most)
		}
		_, known := b.server.spool.Get(strings.ToUpper(from))
		if _, ours := b.server.readPageToken(trust, from); from != "" && !ours && (v2 || !known) {
			t.Errorf("goes on after %q", from)
		}
	})
}

// Whatever order chunks come in, and however often, a message is there when all are, never before, and is what was cut.
func FuzzChunks(f *testing.F) {
	b := fuzzed(f, Strict)
	f.Add(uint8(3), []byte{2, 3})
	f.Add(uint8(3), []byte{3, 2, 2, 1, 3, 4, 0})
	f.Add(uint8(1), []byte{1, 2})
	f.Add(uint8(5), []byte{2, 4, 3, 3, 5, 4, 5, 5})
	f.Fuzz(func(t *testing.T, total uint8, order []byte) {
		if total = total%8 + 1; len(order) > 64 {
			return
		}
		part := func(n int) string { return fmt.Sprintf("part %d;", n) }
		status, body := b.post("/outbox", fmt.Sprintf("1:%d", total), []byte(part(1)))
		if status != 202 {
			t.Fatal(status, body)
		}
		id := strings.Split(body, `"`)[3]
		have := 1
		for _, n := range order {
			n := int(n % 10)
			want := 202
			switch {
			case n == 0:
				want = 400
			case have == int(total):
				want = 423
			case n > int(total), n > have+1: // a range that contradicts itself, or a hole
				want = 417
			}
			status, body := b.post(fmt.Sprintf("/outbox/%s/%d", id, n), fmt.Sprintf("%d:%d", n, total), []byte(part(n)))
			if status != want {
				t.Fatalf("chunk %d of %d after %d: %d %s, want %d", n, total, have, status, body, want)
			}
			if status == 202 {
				have = max(have, n)
			}
			if status, _ := b.get(trust, "/inbox/"+id, "application/json"); (status != 410) != (have == int(total)) {
				t.Fatalf("%d while %d of %d are there", status, have, total)
			}
		}
		for n := 1; have == int(total) && n <= have; n++ {
			if _, body := b.get(trust, fmt.Sprintf("/inbox/%s/%d", id, n), "application/json"); body != part(n) {
				t.Fatalf("chunk %d: %q", n, body)
			}
		}
	})
}
