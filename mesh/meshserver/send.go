package meshserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// send takes a message, or the first chunk of one. It checks in the sandbox's order: declared headers, their hygiene,
// recipient present, encoding, chunk range, recipient known, workflow allowed, body not empty.
func (x *exchange) send() {
	if x.invalid(x.sendProblems()) {
		return
	}
	m := x.meta()
	m.ID = x.s.newID(x.s.now())
	if m.FileName == "" {
		m.FileName = m.ID + ".dat"
	}
	x.route(&m)
	total, status, fault := x.checkSend(m)
	if m.Total = total; status != 0 {
		x.refuse(m, status, fault)
		return
	}
	body := x.receive(m.ID, 1)
	if body == nil {
		return
	}
	if body.Size() == 0 {
		x.refuse(m, http.StatusExpectationFailed, wire.Fault{Event: "COLLECT", Code: "02", Text: "Data file is missing or inaccessible"})
		return
	}
	if x.s.cfg.Canned {
		body.Discard()
	}
	if err := x.change(func() error { return x.s.spool.Create(m, x.s.now(), body) }); err != nil {
		x.broken("send", err)
		return
	}
	if !x.befall(m.ID) {
		return
	}
	if x.version < 2 {
		x.json(http.StatusAccepted, wire.MediaJSON, sentV1{m.ID})
		return
	}
	x.json(http.StatusAccepted, x.media2(), sentV2{m.ID})
}

type sentV1 struct {
	MessageID string `json:"messageID"`
}

type sentV2 struct {
	MessageID string `json:"message_id"`
}

// refuse answers an error. The service gives a message that it looked at as a whole an id all the same: it can be tracked,
// and a report about it is put into the sender's inbox. Which refusals that is true for is known for code 12; it is taken
// to be true for all that it answers with 417.
func (x *exchange) refuse(m Meta, status int, f wire.Fault) {
	if status != http.StatusExpectationFailed || x.lax(laxFailures) {
		x.fail(status, "", f)
		return
	}
	now := x.s.now()
	m.StatusCode, m.StatusEvent, m.StatusDescription = f.Code, f.Event, f.Text
	report := x.s.reportOn(m, f, now)
	if err := x.change(func() error { return x.s.spool.Fail(m, now, &report) }); err != nil {
		x.broken("refuse", err)
		return
	}
	x.fail(status, m.ID, f)
}

// befall lets an error come over a message that was accepted: the sender is told by a report and not by the answer. It
// returns false when it has answered.
func (x *exchange) befall(id string) bool {
	if x.doom == "" {
		return true
	}
	m, ok := x.s.spool.Get(id)
	if !ok || m.Status != wire.StatusAccepted {
		return true // not whole so far
	}
	f, now := faultOf(x.doom), x.s.now()
	report := x.s.reportOn(m, f, now)
	err := x.s.spool.End(now, spool.Ending{ID: id, Report: &report, Verdict: spool.Verdict{
		From: wire.StatusAccepted, Status: wire.StatusError, Code: f.Code, Event: f.Event, Text: f.Text,
	}})
	if err != nil && !errors.Is(err, spool.ErrState) { // taken meanwhile: then nothing befell it
		x.broken("befall", err)
		return false
	}
	return true
}

// sendProblems checks the declared headers: two are required, and most are bounded.
func (x *exchange) sendProblems() []problem {
	out := x.requireHeaders(wire.HeaderTo, wire.HeaderWorkflowID)
	limits := wire.Limits()
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if limit := limits[name]; len(x.r.Header.Get(name)) > limit {
			out = append(out, problem{
				Loc: []string{"header", strings.ToLower(name)}, Msg: fmt.Sprintf("ensure this value has at most %d characters", limit),
				Type: "value_error.any_str.max_length", Ctx: map[string]int{"limit_value": limit},
			})
		}
	}
	return out
}

// meta reads what the headers say of the message.
func (x *exchange) meta() Meta {
	h := x.r.Header
	m := Meta{
		From:        x.mailbox.ID,
		To:          strings.ToUpper(strings.TrimSpace(h.Get(wire.HeaderTo))),
		WorkflowID:  h.Get(wire.HeaderWorkflowID),
		Type:        wire.TypeData,
		FileName:    h.Get(wire.HeaderFileName),
		LocalID:     h.Get(wire.HeaderLocalID),
		Subject:     h.Get(wire.HeaderSubject),
		PartnerID:   h.Get(wire.HeaderPartnerID),
		Checksum:    h.Get(wire.HeaderChecksum),
		ContentType: h.Get(wire.HeaderContentType),
		Encoding:    strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))),
		Encrypted:   wire.Truthy(h.Get(wire.HeaderEncrypted)),
		Compressed:  wire.Truthy(h.Get(wire.HeaderCompressed)),

		StatusCode: "00", StatusEvent: "TRANSFER", StatusDescription: "Transferred to recipient mailbox",
	}
	if m.ContentType == "" {
		m.ContentType = h.Get("Content-Type")
	}
	return m
}

// checkSend returns the number of chunks, or the status and the fault to refuse with.
func (x *exchange) checkSend(m Meta) (total, status int, fault wire.Fault) {
	if fault, bad := x.unclean(); bad {
		return 0, http.StatusBadRequest, fault
	}
	if m.To == "" {
		return 0, http.StatusBadRequest, wire.Fault{Event: "SEND", Code: "08", Text: "TO_DTS missing"}
	}
	if m.Encoding != "" && m.Encoding != wire.Gzip {
		return 0, http.StatusUnprocessableEntity, faultEncoding
	}
	total = 1
	if value := x.r.Header.Get(wire.HeaderChunkRange); value != "" {
		r, err := wire.ParseChunkRange(value)
		if err != nil || r.Number != 1 {
			return 0, http.StatusExpectationFailed, faultChunks
		}
		total = r.Total
	}
	if x.unrouted {
		return total, 0, wire.Fault{}
	}
	// What a deactivated recipient gets one told is not published; here its address is as good as unknown.
	if to, known := x.s.mailboxes[m.To]; !known || !to.Active && !x.lax(laxInactive) {
		return total, http.StatusExpectationFailed, faultUnknownTo
	}
	if fault, bad := x.s.forbidden(m); bad && !x.lax(laxWorkflow) {
		return total, http.StatusExpectationFailed, fault
	}
	return total, 0, wire.Fault{}
}

// unclean finds headers that a control file could not hold.
func (x *exchange) unclean() (wire.Fault, bool) {
	h := x.r.Header
	malformed := wire.Fault{Event: "TRANSFER", Code: "06", Text: "Malformed control file"}
	for _, values := range h {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 }) {
				return malformed, true
			}
		}
	}
	for _, name := range []string{wire.HeaderTo, wire.HeaderWorkflowID, wire.HeaderChecksum} {
		if v := h.Get(name); strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") {
			return malformed, true
		}
	}
	if !wire.ChecksumText(h.Get(wire.HeaderChecksum)) {
		return wire.Fault{Event: "SEND", Code: "Invalid checksum", Text: "Invalid checksum"}, true
	}
	if from := h.Get(wire.HeaderFrom); !x.lax(laxFrom) && from != "" && !strings.EqualFold(from, x.mailbox.ID) {
		return wire.Fault{Event: "SEND", Code: "07", Text: "Invalid From Address"}, true
	}
	if kind := h.Get(wire.HeaderMessageType); !x.lax(laxType) && kind != "" && !strings.EqualFold(kind, wire.TypeData) {
		return wire.Fault{Event: "SEND", Code: "11", Text: "Invalid Message Type for the transfer"}, true
	}
	return wire.Fault{}, false
}

// forbidden applies the workflow list, where there is one.
func (s *Server) forbidden(m spool.Meta) (wire.Fault, bool) {
	if len(s.workflows) == 0 {
		return wire.Fault{}, false
	}
	rights, known := s.workflows[m.WorkflowID]
	switch {
	case known && !rights.send[m.From]:
		return wire.Fault{Event: "SEND", Code: "16", Text: "Sender is not allowed to send messages of this type"}, true
	case !known || !rights.receive[m.To]:
		return wire.Fault{Event: "SEND", Code: "17", Text: "Workflow ID not registered for mailbox"}, true
	}
	return wire.Fault{}, false
}

// receive stages the body of the request, or answers and returns nil.
func (x *exchange) receive(id string, n int) *spool.Body {
	tooLarge := func() { x.detail(http.StatusRequestEntityTooLarge, "Request Entity Too Large") } // the service's answer is not published
	from := &client{r: x.r.Body}
	if !x.lax(laxSize) {
		if x.r.ContentLength > x.s.cfg.MaxRequest {
			tooLarge()
			return nil
		}
		from.r = http.MaxBytesReader(x.w, x.r.Body, x.s.cfg.MaxRequest)
	}
	body, err := x.s.spool.Stage(id, n, from, x.r.ContentLength)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		tooLarge()
		return nil
	}
	switch {
	case from.err != nil:
		x.detail(http.StatusBadRequest, "There was an error parsing the body")
		return nil
	case err != nil:
		x.broken("receive", err)
		return nil
	}
	return body
}

// client remembers that reading failed, so that a caller's broken connection is not taken for a broken disk.
type client struct {
	r   io.Reader
	err error
}

func (c *client) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// sendChunk takes a further chunk. It checks in this order: message known, its sender, not complete, chunk range,
// number within the total, encoding, the chunks before it there.
func (x *exchange) sendChunk() {
	id := strings.ToUpper(x.params[0])
	n, err := strconv.Atoi(x.params[1])
	if err != nil || n < 1 {
		x.invalid([]problem{{Loc: []string{"path", "chunk_number"}, Msg: "value is not a valid integer", Type: "type_error.integer"}})
		return
	}
	m, ok := x.s.spool.Get(id)
	switch {
	case !ok:
		x.fail(http.StatusNotFound, "", faultUntracked)
		return
	case m.From != x.mailbox.ID:
		x.fail(http.StatusForbidden, "", faultForbidden)
		return
	case m.Status != wire.StatusUploading:
		x.internal(http.StatusLocked)
		return
	}
	if r, err := wire.ParseChunkRange(x.r.Header.Get(wire.HeaderChunkRange)); err != nil || r.Number != n {
		x.fail(http.StatusExpectationFailed, id, faultChunks)
		return
	}
	if n > m.Total {
		x.internal(http.StatusNotAcceptable)
		return
	}
	if strings.ToLower(strings.TrimSpace(x.r.Header.Get("Content-Encoding"))) != m.Encoding {
		x.fail(http.StatusExpectationFailed, id, wire.Fault{Text: wire.TextEncodingChange})
		return
	}
	if n > x.s.spool.Missing(id) && !x.lax(laxChunks) { // how the service says this is not published
		x.fail(http.StatusExpectationFailed, id, faultChunks)
		return
	}
	x.storeChunk(id, n, x.lax(laxChunks) && n == m.Total)
}

func (x *exchange) storeChunk(id string, n int, completes bool) {
	body := x.receive(id, n)
	if body == nil {
		return
	}
	switch err := x.s.spool.AddChunk(spool.Added{ID: id, N: n, Body: body, Completes: completes}, x.s.now()); {
	case errors.Is(err, spool.ErrState): // another request completed the message meanwhile
		x.internal(http.StatusLocked)
	case errors.Is(err, spool.ErrNotFound): // deleted meanwhile
		x.fail(http.StatusNotFound, "", faultUntracked)
	case err != nil:
		x.broken("send chunk", err)
	case !x.befall(id):
	case x.version < 2:
		x.json(http.StatusAccepted, wire.MediaJSON, struct {
			MessageID string `json:"messageID"`
			BlockID   int    `json:"blockID"`
		}{id, n})
	case x.lax(laxNull):
		x.json(http.StatusAccepted, wire.MediaJSON, nil)
	default:
		x.json(http.StatusAccepted, wire.MediaV2, sentV2{id})
	}
}
