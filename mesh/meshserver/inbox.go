package meshserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// Bounds of the listing's query.
const (
	defaultResults = 500
	minResults     = 10
	maxResults     = 5000
)

func (x *exchange) handshake() {
	if x.invalid(x.requireHeaders(wire.HeaderClientVersion, wire.HeaderOSName, wire.HeaderOSVersion)) {
		return
	}
	if x.version < 2 {
		x.json(http.StatusOK, wire.MediaJSON, map[string]string{"mailboxId": x.mailbox.ID})
		return
	}
	x.empty(http.StatusOK)
}

func (x *exchange) count() {
	n := x.s.spool.Count(x.mailbox.ID)
	if x.version < 2 {
		x.json(http.StatusOK, wire.MediaJSON, struct {
			Count      int    `json:"count"`
			InternalID string `json:"internalID"`
			All        bool   `json:"allResultsIncluded"`
		}{n, x.s.ids.internal(x.s.now()), true})
		return
	}
	x.json(http.StatusOK, x.media2(), map[string]int{"count": n})
}

// list answers a page of the inbox. Version 2 cuts the page first and filters it then, so a page may be empty and have a
// next one, as on the service; version 1 has no link to follow and therefore filters first.
func (x *exchange) list() {
	q, problems := x.listQuery()
	if x.invalid(problems) {
		return
	}
	after, ok := x.continueFrom(q.from)
	if !ok && x.lax(laxPageToken) {
		x.internal(http.StatusInternalServerError)
		return
	}
	if !ok {
		x.invalid([]problem{{Loc: []string{"query", "continue_from"}, Msg: "value is not a valid continuation", Type: "value_error"}})
		return
	}
	page := x.s.spool.List(spool.Query{
		Mailbox: x.mailbox.ID, After: after, Max: q.max, Match: workflowFilter(q.filter, x.lax(laxFilterStar)), CutFirst: x.version >= 2 && !x.lax(laxFilter),
	})
	if x.version < 2 {
		x.raw(http.StatusOK, wire.MediaJSON, append(appendIDs(nil, page.IDs), '}'))
		return
	}
	next := ""
	if page.More {
		next = q.link(x.mailbox.ID, x.s.pageToken(x.mailbox.ID, page.Last))
	}
	body := appendAround(appendIDs(nil, page.IDs), q.link(x.mailbox.ID, q.from), next, x.s.spool.Count(x.mailbox.ID))
	x.raw(http.StatusOK, wire.MediaV2, body)
}

// appendAround writes what follows the ids of a listing. Links are escaped as addresses, which leaves nothing that JSON would
// escape; an ampersand stays one, as in the service's samples.
func appendAround(to []byte, self, next string, count int) []byte {
	to = append(append(append(to, `,"links":{"self":"`...), self...), '"')
	if next != "" {
		to = append(append(append(to, `,"next":"`...), next...), '"')
	}
	to = append(to, `},"approx_inbox_count":`...)
	return append(strconv.AppendInt(to, int64(count), 10), '}')
}

// appendIDs writes the first key of a listing. Ids are made here, of letters, digits and underscores: nothing in them needs to
// be escaped.
func appendIDs(to []byte, ids []string) []byte {
	to = slices.Grow(to, 200+40*len(ids))
	to = append(to, `{"messages":[`...)
	for i, id := range ids {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(append(append(to, '"'), id...), '"')
	}
	return append(to, ']')
}

type links struct {
	Self string `json:"self"`
	Next string `json:"next,omitempty"`
}

// listQuery is the checked query of a listing.
type listQuery struct {
	max    int
	from   string
	filter string
}

func (x *exchange) listQuery() (listQuery, []problem) {
	if x.r.URL.RawQuery == "" {
		return listQuery{max: defaultResults}, nil
	}
	values := x.r.URL.Query()
	q := listQuery{max: defaultResults, from: values.Get("continue_from"), filter: values.Get("workflow_filter")}
	var out []problem
	q.max, out = numberIn(values, "max_results", q.max, minResults, maxResults)
	out = append(out, lengthProblems(values, "continue_from", 24, 1000)...)
	out = append(out, lengthProblems(values, "workflow_filter", 2, 255)...)
	return q, out
}

// numberIn reads a bounded number of the query.
func numberIn(values url.Values, name string, absent, least, most int) (int, []problem) {
	if !values.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(values.Get(name))
	p := problem{Loc: []string{"query", name}}
	switch {
	case err != nil:
		p.Msg, p.Type = "value is not a valid integer", "type_error.integer"
	case n < least:
		p.Msg, p.Type, p.Ctx = fmt.Sprintf("ensure this value is greater than or equal to %d", least), "value_error.number.not_ge", map[string]int{"limit_value": least}
	case n > most:
		p.Msg, p.Type, p.Ctx = fmt.Sprintf("ensure this value is less than or equal to %d", most), "value_error.number.not_le", map[string]int{"limit_value": most}
	default:
		return n, nil
	}
	return n, []problem{p}
}

func lengthProblems(values url.Values, name string, least, most int) []problem {
	n := len(values.Get(name))
	switch {
	case !values.Has(name) || n >= least && n <= most:
		return nil
	case n < least:
		return []problem{{
			Loc: []string{"query", name}, Msg: fmt.Sprintf("ensure this value has at least %d characters", least),
			Type: "value_error.any_str.min_length", Ctx: map[string]int{"limit_value": least},
		}}
	}
	return []problem{{
		Loc: []string{"query", name}, Msg: fmt.Sprintf("ensure this value has at most %d characters", most),
		Type: "value_error.any_str.max_length", Ctx: map[string]int{"limit_value": most},
	}}
}

// link writes a relative link that leaves out default values.
func (q listQuery) link(mailbox, from string) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+url.QueryEscape(value))
		}
	}
	if q.max != defaultResults {
		add("max_results", strconv.Itoa(q.max))
	}
	add("workflow_filter", q.filter)
	add("continue_from", from)
	link := wire.Root + url.PathEscape(mailbox) + "/inbox"
	if len(parts) > 0 {
		link += "?" + strings.Join(parts, "&")
	}
	return link
}

// continueFrom reads where to go on: a page token, or in version 1 the id of the last message of the page before, which
// may have been acknowledged meanwhile.
func (x *exchange) continueFrom(value string) (after uint64, ok bool) {
	if value == "" {
		return 0, true
	}
	after, ok = x.s.readPageToken(x.mailbox.ID, value)
	if !ok && x.version < 2 {
		var m Meta
		m, ok = x.s.spool.Get(strings.ToUpper(value))
		after, ok = m.Seq, ok && m.To == x.mailbox.ID && m.Seq > 0
	}
	if x.lax(laxPageRestart) && (x.version < 2 || ok) && !x.s.spool.Waits(x.mailbox.ID, after) {
		return 0, true
	}
	return after, ok
}

// workflowFilter reads WF, WF*, *WF* and the same with ! in front; nil matches all.
func workflowFilter(filter string, lax bool) func(string) bool {
	if filter = strings.TrimSpace(filter); filter == "" {
		return nil
	}
	want, negate := strings.CutPrefix(filter, "!")
	if body, star := strings.CutPrefix(want, "*"); star && lax && !strings.HasSuffix(body, "*") && body != "" {
		want = "*" + body[:len(body)-1] + "*"
	}
	match := func(id string) bool { return id == want }
	if body, star := strings.CutSuffix(want, "*"); star {
		match = func(id string) bool { return strings.HasPrefix(id, body) }
		if inner, both := strings.CutPrefix(body, "*"); both {
			match = func(id string) bool { return strings.Contains(id, inner) }
		}
	}
	return func(id string) bool { return match(id) != negate }
}

// acknowledge answers when the acknowledgement is durable. A second time is answered like the first.
func (x *exchange) acknowledge() {
	id := strings.ToUpper(x.params[0])
	m, ok := x.s.spool.Get(id)
	switch {
	case !ok:
		x.fail(http.StatusNotFound, "", faultNotFound)
		return
	case m.To != x.mailbox.ID:
		x.fail(http.StatusForbidden, "", faultForbidden)
		return
	}
	err := x.change(func() error { return x.s.spool.Acknowledge(id, x.s.now()) })
	if errors.Is(err, spool.ErrState) && x.lax(laxSecondAck) {
		err = nil
	}
	switch {
	case errors.Is(err, spool.ErrState):
		x.fail(http.StatusGone, id, faultGone)
	case err != nil:
		x.broken("acknowledge", err)
	case x.version < 2:
		x.json(http.StatusOK, wire.MediaJSON, map[string]string{"messageId": id})
	default:
		x.empty(http.StatusOK)
	}
}
