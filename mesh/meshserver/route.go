package meshserver

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"signalbox/mesh/internal/wire"
)

// route is one call of the API. A path element {mb} is the mailbox, and asks for its token; {} is a parameter.
type route struct {
	method string
	path   []string
	handle func(*exchange)
}

func routes(admin bool) []route {
	var out []route
	add := func(method, path string, handle func(*exchange)) {
		out = append(out, route{method, strings.Split(path, "/"), handle})
	}
	for _, path := range []string{"health", "_status", "_ping", "healthcheck", "messageexchange/_ping", "messageexchange/deepping"} {
		add(http.MethodGet, path, (*exchange).ping)
	}
	if admin {
		addAdmin(add)
	}
	add(http.MethodGet, "messageexchange/endpointlookup/{}/{}", (*exchange).endpointLookup)
	add(http.MethodGet, "messageexchange/workflowsearch/{}", (*exchange).workflowSearch)
	add(http.MethodPost, "messageexchange/{mb}", (*exchange).handshake)
	add(http.MethodGet, "messageexchange/{mb}", (*exchange).handshake)
	add(http.MethodPost, "messageexchange/{mb}/update", (*exchange).update)
	add(http.MethodGet, "messageexchange/{mb}/inbox/rich", (*exchange).richInbox)
	add(http.MethodGet, "messageexchange/{mb}/outbox/rich", (*exchange).richOutbox)
	add(http.MethodGet, "messageexchange/{mb}/count", (*exchange).count)
	add(http.MethodGet, "messageexchange/{mb}/inbox", (*exchange).list)
	add(http.MethodGet, "messageexchange/{mb}/inbox/{}", (*exchange).download)
	add(http.MethodHead, "messageexchange/{mb}/inbox/{}", (*exchange).head)
	add(http.MethodGet, "messageexchange/{mb}/inbox/{}/{}", (*exchange).download)
	add(http.MethodPut, "messageexchange/{mb}/inbox/{}/status/acknowledged", (*exchange).acknowledge)
	add(http.MethodPost, "messageexchange/{mb}/outbox", (*exchange).send)
	add(http.MethodGet, "messageexchange/{mb}/outbox/tracking", (*exchange).trackByID)
	add(http.MethodGet, "messageexchange/{mb}/outbox/tracking/{}", (*exchange).trackByLocalID)
	add(http.MethodPost, "messageexchange/{mb}/outbox/{}/{}", (*exchange).sendChunk)
	return out
}

// matches reports whether a path is this route's.
func (rt route) matches(segments []string) bool {
	if len(segments) != len(rt.path) {
		return false
	}
	for i, want := range rt.path {
		if got := segments[i]; want[0] == '{' && got == "" || want[0] != '{' && got != want {
			return false
		}
	}
	return true
}

// params returns the path's parameters, the mailbox first where there is one.
func (rt route) params(segments []string) (params []string, mailbox bool) {
	for i, want := range rt.path {
		if want[0] == '{' {
			mailbox = mailbox || want == "{mb}"
			params = append(params, segments[i])
		}
	}
	return params, mailbox
}

// dispatch finds the call, settles the API version, checks the token and answers, in this order: the version decides the
// shape of all errors that follow.
func (x *exchange) dispatch(segments []string) {
	known := false
	for _, rt := range x.s.routes {
		if !rt.matches(segments) {
			continue
		}
		known = true
		if rt.method != x.r.Method {
			continue
		}
		if !x.negotiate() {
			x.fail(http.StatusBadRequest, "", wire.Fault{Text: wire.TextAccept})
			return
		}
		params, mailbox := rt.params(segments)
		x.params = params
		if mailbox {
			x.params = params[1:]
			if !x.authorise(params[0]) {
				return
			}
			if !x.recordFirst(rt.method) {
				return
			}
			defer x.record()
		}
		rt.handle(x)
		return
	}
	if known {
		x.detail(http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	x.detail(http.StatusNotFound, "Not Found")
}

// recordFirst puts the use of the token on record before a call that only reads. One that changes something does it together with
// the change and with others that do, see Options.Before of the spool.
func (x *exchange) recordFirst(method string) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return true
	}
	err := x.s.tokens.flush()
	if err != nil {
		x.broken("tokens", err)
	}
	return err == nil
}

// record puts the use of the token on record when the call came to no change. The answer is too small to have left before.
func (x *exchange) record() {
	if err := x.s.tokens.flush(); err != nil {
		x.log("tokens", err, "")
	}
}

var mediaType = regexp.MustCompile(`^application/vnd\.mesh\.v(\d+)\+json$`)

// negotiate reads the API version from Accept the way the service does: split at semicolons, and the first part that
// speaks of vnd.mesh must be exact. Versions above 2 are answered as 2.
func (x *exchange) negotiate() bool {
	for part := range strings.SplitSeq(strings.Join(x.r.Header.Values("Accept"), ","), ";") {
		if part == wire.MediaV2 {
			x.version = 2
			return true
		}
		if !strings.Contains(part, "vnd.mesh") {
			continue
		}
		m := mediaType.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return false
		}
		n, err := strconv.Atoi(m[1])
		if x.version = n; err != nil {
			x.version = 2
		}
		return true
	}
	return true
}

// splitPath returns the unescaped elements of a path, so that an element may hold an escaped slash.
func splitPath(escaped string) ([]string, bool) {
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = plain
	}
	return segments, true
}

// update answers the Java client's question for a newer version of itself: there is none.
func (x *exchange) update() { x.empty(http.StatusOK) }

func (x *exchange) ping() {
	x.json(http.StatusOK, wire.MediaJSON, map[string]string{
		"env": "local", "build_label": "signalbox", "status": "running", "outcome": "Yes",
	})
}
