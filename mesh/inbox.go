package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signalbox/mesh/internal/wire"
)

// maxListBody bounds one page: 5000 ids are under 200 KB.
const maxListBody = 4 << 20

// Handshake checks the mailbox, its password and the shared key, and tells the service which software is calling. The
// service wants it once in 24 hours.
func (c *Client) Handshake(ctx context.Context) error {
	h := http.Header{}
	h.Set(wire.HeaderClientVersion, c.cfg.Application+";signalbox-mesh=="+c.cfg.Version)
	h.Set(wire.HeaderOSName, c.cfg.OSName)
	h.Set(wire.HeaderOSVersion, c.cfg.OSVersion)
	h.Set(wire.HeaderOSArchitecture, c.cfg.OSArchitecture)
	h.Set(wire.HeaderJavaVersion, "N/A")
	resp, err := c.do(ctx, call{op: "handshake", method: http.MethodPost, header: h}, http.StatusOK)
	if err != nil {
		return err
	}
	discard(resp)
	return nil
}

// ListOptions narrows a listing. The zero value lists everything in pages of the service's default size.
type ListOptions struct {
	// MaxResults is the page size, 10 to 5000; 0 means the service's default of 500.
	MaxResults int
	// WorkflowFilter is "WF" equal, "!WF" not equal, "WF*" begins, "*WF*" contains, and the last two with "!" in front.
	WorkflowFilter string
}

// List yields the ids of the messages that wait in the inbox, oldest first, page after page until the service has no
// more; a page may be empty and still not be the last. Messages may be acknowledged while it runs. An error ends it.
//
// The service wants an inbox listed at most every five minutes, and at least once a day.
func (c *Client) List(ctx context.Context, o ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		query := o.query()
		var seen map[string]bool // places of pages; most inboxes have one page
		for {
			page, err := c.listPage(ctx, query)
			if err != nil {
				yield("", err)
				return
			}
			for _, id := range page.Messages {
				if !yield(id, nil) {
					return
				}
			}
			next, more, err := c.nextPage(query, page)
			if !more {
				return
			}
			query = next
			at := query.Get("continue_from")
			if err != nil || seen[at] {
				yield("", protocol("list", http.StatusOK, "links.next does not lead on"))
				return
			}
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[at] = true
		}
	}
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	if o.MaxResults != 0 {
		q.Set("max_results", strconv.Itoa(o.MaxResults))
	}
	if o.WorkflowFilter != "" {
		q.Set("workflow_filter", o.WorkflowFilter)
	}
	return q
}

// defaultPage is the service's page size where none is asked for.
const defaultPage = 500

// nextPage returns the query of the page after this one. Version 2 links to it; version 1 goes on after the last id of a full
// page.
func (c *Client) nextPage(query url.Values, page listPage) (next url.Values, more bool, err error) {
	if page.Links.Next != "" {
		next, err = nextQuery(page.Links.Next)
		return next, true, err
	}
	size := defaultPage
	if n, err := strconv.Atoi(query.Get("max_results")); err == nil {
		size = n
	}
	if c.cfg.APIVersion != 1 || len(page.Messages) < size {
		return nil, false, nil
	}
	next = url.Values{}
	for k, v := range query {
		next[k] = v
	}
	next.Set("continue_from", page.Messages[len(page.Messages)-1])
	return next, true, nil
}

// nextQuery takes the query of links.next alone. The link is relative; even if it were not, a token is never sent to
// another address than the configured one.
func nextQuery(link string) (url.Values, error) {
	u, err := url.Parse(link)
	if err != nil || !strings.HasSuffix(u.Path, "/inbox") {
		return nil, ErrProtocol
	}
	return url.ParseQuery(u.RawQuery)
}

type listPage struct {
	Messages []string `json:"messages"`
	Links    struct {
		Next string `json:"next"`
	} `json:"links"`
}

// decode reads a page. One that is written as services write it, the ids first and in letters that need no decoding, is read at
// a third of the cost.
func (p *listPage) decode(raw []byte) error {
	if ids, rest, ok := plainIDs(raw); ok {
		if err := json.Unmarshal(rest, p); err == nil && p.Messages == nil {
			p.Messages = ids
			return nil
		}
		*p = listPage{}
	}
	return json.Unmarshal(raw, p)
}

// plainIDs takes the ids from the beginning of a page, and returns what is left of it as JSON.
func plainIDs(raw []byte) (ids []string, rest []byte, ok bool) {
	list, ok := strings.CutPrefix(string(raw), `{"messages":["`)
	list, after, closed := strings.Cut(list, `"]`)
	if !ok || !closed {
		return nil, nil, false
	}
	for i := range len(list) {
		if c := list[i]; c < ' ' || c > '~' || c == '\\' {
			return nil, nil, false
		}
	}
	ids = strings.Split(list, `","`)
	return ids, append([]byte(`{"messages":null`), after...), strings.Count(list, `"`) == 2*(len(ids)-1) // none within an id
}

func (c *Client) listPage(ctx context.Context, query url.Values) (listPage, error) {
	var page listPage
	err := c.getJSON(ctx, call{op: "list", method: http.MethodGet, path: []string{"inbox"}, query: query}, &page)
	return page, err
}

// Count returns how many messages wait in the inbox, by the deprecated count call; it may lag behind.
func (c *Client) Count(ctx context.Context) (int, error) {
	var b struct {
		Count *int `json:"count"`
	}
	if err := c.getJSON(ctx, call{op: "count", method: http.MethodGet, path: []string{"count"}}, &b); err != nil {
		return 0, err
	}
	if b.Count == nil {
		return 0, protocol("count", http.StatusOK, "answer has no count")
	}
	return *b.Count, nil
}

// Acknowledge takes the message out of the inbox. Do it only when the message is stored for good: it cannot be downloaded
// again. Repeating it does no harm.
func (c *Client) Acknowledge(ctx context.Context, messageID string) error {
	const op = "acknowledge"
	if messageID == "" {
		return invalid(op, "message id: is missing")
	}
	resp, err := c.do(ctx, call{op: op, method: http.MethodPut, path: []string{"inbox", messageID, "status", "acknowledged"}}, http.StatusOK)
	if err != nil {
		return err
	}
	discard(resp)
	return nil
}

// getJSON fetches a bounded JSON answer. The media type is not checked: servers answer version 2 calls as plain JSON.
func (c *Client) getJSON(ctx context.Context, r call, into any) error {
	resp, err := c.do(ctx, r, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n < maxListBody {
		body.Grow(int(n) + bytes.MinRead)
	}
	_, err = body.ReadFrom(io.LimitReader(resp.Body, maxListBody+1))
	raw := body.Bytes()
	switch {
	case err != nil:
		return &Error{Op: r.op, Kind: ErrTransport, Status: resp.StatusCode, Err: err}
	case len(raw) > maxListBody:
		return protocol(r.op, resp.StatusCode, "answer is longer than %d bytes", maxListBody)
	case decode(raw, into) != nil:
		return protocol(r.op, resp.StatusCode, "answer is not the JSON that was expected")
	}
	return nil
}

func decode(raw []byte, into any) error {
	if page, ok := into.(*listPage); ok {
		return page.decode(raw)
	}
	return json.Unmarshal(raw, into)
}

// chunkPath returns the path of a chunk; the first one is the message itself.
func chunkPath(id string, n int) []string {
	if n == 1 {
		return []string{"inbox", id}
	}
	return []string{"inbox", id, fmt.Sprint(n)}
}
