package meshserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
		x.json(http.StatusOK, wire.MediaJSON, map[string]any{
			"count": n, "internalID": x.s.ids.internal(x.s.now()), "allResultsIncluded": true,
		})
		return
	}
	x.json(http.StatusOK, wire.MediaV2, map[string]int{"count": n})
}

// list answers a page of the inbox. Version 2 cuts the page first and filters it then, so a page may be empty and have a
// next one, as on the service; version 1 has no link to follow and therefore filters first.
func (x *exchange) list() {
	q, problems := x.listQuery()
	if x.invalid(problems) {
		return
	}
	after, ok := x.continueFrom(q.from)
	if !ok {
		x.invalid([]problem{{Loc: []string{"query", "continue_from"}, Msg: "value is not a valid continuation", Type: "value_error"}})
		return
	}
	page := x.s.spool.List(spool.Query{
		Mailbox: x.mailbox.ID, After: after, Max: q.max, Match: workflowFilter(q.filter), CutFirst: x.version >= 2,
	})
	if x.version < 2 {
		x.json(http.StatusOK, wire.MediaJSON, map[string]any{"messages": page.IDs})
		return
	}
	links := map[string]string{"self": q.link(x.mailbox.ID, q.from)}
	if page.More {
		links["next"] = q.link(x.mailbox.ID, x.s.pageToken(x.mailbox.ID, page.Last))
	}
	x.json(http.StatusOK, wire.MediaV2, map[string]any{
		"messages": page.IDs, "links": links, "approx_inbox_count": x.s.spool.Count(x.mailbox.ID),
	})
}

// listQuery is the checked query of a listing.
type listQuery struct {
	max    int
	from   string
	filter string
}

func (x *exchange) listQuery() (listQuery, []problem) {
	values := x.r.URL.Query()
	q := listQuery{max: defaultResults, from: values.Get("continue_from"), filter: values.Get("workflow_filter")}
	var out []problem
	if values.Has("max_results") {
		n, err := strconv.Atoi(values.Get("max_results"))
		p := problem{Loc: []string{"query", "max_results"}}
		switch {
		case err != nil:
			p.Msg, p.Type = "value is not a valid integer", "type_error.integer"
		case n < minResults:
			p.Msg, p.Type = fmt.Sprintf("ensure this value is greater than or equal to %d", minResults), "value_error.number.not_ge"
			p.Ctx = map[string]int{"limit_value": minResults}
		case n > maxResults:
			p.Msg, p.Type = fmt.Sprintf("ensure this value is less than or equal to %d", maxResults), "value_error.number.not_le"
			p.Ctx = map[string]int{"limit_value": maxResults}
		}
		if q.max = n; p.Msg != "" {
			out = append(out, p)
		}
	}
	out = append(out, lengthProblems(values, "continue_from", 24, 1000)...)
	out = append(out, lengthProblems(values, "workflow_filter", 2, 255)...)
	return q, out
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
	if seq, ok := x.s.readPageToken(x.mailbox.ID, value); ok {
		return seq, true
	}
	m, ok := x.s.spool.Get(strings.ToUpper(value))
	if !ok || m.To != x.mailbox.ID || m.Seq == 0 || x.version > 1 {
		return 0, false
	}
	return m.Seq, true
}

// workflowFilter reads WF, WF*, *WF* and the same with ! in front; nil matches all.
func workflowFilter(filter string) func(string) bool {
	if filter == "" {
		return nil
	}
	want, negate := strings.CutPrefix(filter, "!")
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
	switch err := x.s.spool.Acknowledge(id, x.s.now()); {
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
