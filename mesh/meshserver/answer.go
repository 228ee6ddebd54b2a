package meshserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"signalbox/mesh/internal/wire"
)

// json answers with a JSON body.
func (x *exchange) json(status int, media string, body any) {
	raw, err := json.Marshal(body)
	if err != nil { // only for types that cannot be marshalled at all
		http.Error(x.w, "", http.StatusInternalServerError)
		return
	}
	x.raw(status, media, raw)
}

// raw answers with a body of known length.
func (x *exchange) raw(status int, media string, body []byte) {
	h, values := x.w.Header(), []string{media, strconv.Itoa(len(body))}
	h["Content-Type"], h["Content-Length"] = values[:1:1], values[1:]
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}

// empty answers without a body.
func (x *exchange) empty(status int) { x.w.WriteHeader(status) }

// fail answers with an error of the API, in the shape of the version that was asked for.
func (x *exchange) fail(status int, messageID string, f wire.Fault) {
	if x.version < 2 {
		x.json(status, wire.MediaJSON, struct {
			MessageID string `json:"messageID,omitempty"`
			Event     string `json:"errorEvent"`
			Code      string `json:"errorCode"`
			Text      string `json:"errorDescription"`
		}{messageID, f.Event, f.Code, f.Text})
		return
	}
	type item struct {
		Event string `json:"event"`
		Code  string `json:"code"`
		Msg   string `json:"msg"`
	}
	x.json(status, wire.MediaV2, struct {
		MessageID  string `json:"message_id,omitempty"`
		InternalID string `json:"internal_id,omitempty"`
		Detail     []item `json:"detail"`
	}{messageID, x.internalID(), []item{{f.Event, f.Code, f.Text}}})
}

// internalID returns an id to quote, if the profile gives one.
func (x *exchange) internalID() string {
	if x.lax(laxFailures) {
		return ""
	}
	return x.s.ids.internal(x.s.now())
}

// media2 is the media type of a version 2 answer that the sandbox sends as plain JSON.
func (x *exchange) media2() string {
	if x.lax(laxMedia) {
		return wire.MediaJSON
	}
	return wire.MediaV2
}

// internal answers the shape that says nothing, which the API uses for its own failures and for 406 and 423.
func (x *exchange) internal(status int) {
	x.json(status, wire.MediaJSON, internalBody{wire.TextInternal, x.internalID()})
}

type internalBody struct {
	Message    string `json:"message"`
	InternalID string `json:"internal_id,omitempty"`
}

// broken answers 500 and logs why, under an id that the caller can quote.
func (x *exchange) broken(op string, err error) {
	id := x.s.ids.internal(x.s.now())
	x.log(op, err, id)
	x.json(http.StatusInternalServerError, wire.MediaJSON, internalBody{wire.TextInternal, id})
}

// detail answers the framework's own shape, where detail is a string.
func (x *exchange) detail(status int, text string) {
	x.json(status, wire.MediaJSON, map[string]string{"detail": text})
}

// problem is one entry of a validation answer: a place, and what is wrong with it.
type problem struct {
	Loc  []string       `json:"loc"`
	Msg  string         `json:"msg"`
	Type string         `json:"type"`
	Ctx  map[string]int `json:"ctx,omitempty"`
}

func missing(in, name string) problem {
	return problem{Loc: []string{in, name}, Msg: "field required", Type: "value_error.missing"}
}

// invalid answers 400 with the problems, if there are any, and reports whether it did. The shape is the same for both
// versions.
func (x *exchange) invalid(problems []problem) bool {
	if len(problems) == 0 {
		return false
	}
	x.json(http.StatusBadRequest, wire.MediaJSON, map[string][]problem{"detail": problems})
	return true
}

// faultOf returns the entry of the code list for a code, or one that says nothing but the code.
func faultOf(code string) wire.Fault {
	for _, f := range wire.Faults() {
		if f.Code == code {
			if f.Event == "" {
				f.Event = "SEND"
			}
			return f
		}
	}
	return wire.Fault{Event: "SEND", Code: code}
}

// requireHeaders lists the headers that are absent.
func (x *exchange) requireHeaders(names ...string) []problem {
	var out []problem
	for _, name := range names {
		if len(x.r.Header.Values(name)) == 0 {
			out = append(out, missing("header", strings.ToLower(name)))
		}
	}
	return out
}

// Faults of the code list that more than one call raises.
var (
	faultNotFound  = wire.Fault{Event: "RECEIVE", Code: "20", Text: "Message does not exist"}
	faultForbidden = wire.Fault{Text: "Forbidden"}
	faultUntracked = wire.Fault{Text: "Not Found"}
	faultGone      = wire.Fault{Event: "SEND", Code: "Message already accepted", Text: "Message no longer available for download"}
	faultChunks    = wire.Fault{Event: "SEND", Code: "InvalidHeaderChunks", Text: "Invalid chunk values sent in mex-Chunk-Range header"}
	faultEncoding  = wire.Fault{Event: "SEND", Code: "UnsupportedContentEncoding", Text: "Unsupported content encoding"}
	faultUnknownTo = wire.Fault{Event: "SEND", Code: "12", Text: "Unregistered to address"}

	faultNotCollected = wire.Fault{Event: "SEND", Code: "14", Text: "Message not collected by recipient after 5 days"}
)
