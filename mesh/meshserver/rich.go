package meshserver

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// richDays is how far a rich listing looks back when it is not told.
const richDays = 30

// richOutboxMost is how many messages a page of the rich outbox holds, whatever was asked for: as the sandbox was observed.
const richOutboxMost = 100

// richMessage is one message of a rich listing. What is unknown is left out.
type richMessage struct {
	MessageID     string  `json:"message_id"`
	Expiry        string  `json:"expiry_timestamp"`
	LocalID       *string `json:"local_id,omitempty"`
	Type          string  `json:"message_type"`
	Recipient     string  `json:"recipient"`
	RecipientName *string `json:"recipient_name,omitempty"`
	Sender        string  `json:"sender"`
	SenderName    *string `json:"sender_name,omitempty"`
	Sent          string  `json:"sent_date,omitempty"`
	Status        string  `json:"status"`
	StatusCode    *string `json:"status_code,omitempty"`
	WorkflowID    *string `json:"workflow_id,omitempty"`
	TotalChunks   int     `json:"total_chunks,omitempty"`
}

// richInbox lists all that was received, acknowledged messages too, newest first.
func (x *exchange) richInbox() { x.rich("inbox", 1, 2000, 2000) }

// richOutbox lists all that was sent, newest first.
func (x *exchange) richOutbox() { x.rich("outbox", 10, 5000, richOutboxMost) }

func (x *exchange) rich(box string, least, most, cut int) {
	q, problems := x.richQuery(least, most)
	if x.invalid(problems) {
		return
	}
	q.Mailbox, q.Sent = x.mailbox.ID, box == "outbox"
	asked := q.Max
	q.Max = min(q.Max, cut)
	page, more := x.s.spool.History(q)
	messages := make([]richMessage, len(page))
	for i, e := range page {
		messages[i] = x.s.richView(e.Meta, q.Sent)
		q.Before = e.Num
	}
	link := wire.Root + url.PathEscape(x.mailbox.ID) + "/" + box + "/rich?start_time=" + url.QueryEscape(q.Since.Format(isoTime)) +
		"&max_results=" + strconv.Itoa(asked)
	around := links{Self: link}
	if more {
		around.Next = link + "&continue_from=" + x.s.pageToken(x.mailbox.ID+"/"+box, q.Before)
	}
	x.json(http.StatusOK, wire.MediaV2, struct {
		ValidAt  string        `json:"valid_at"`
		Messages []richMessage `json:"messages"`
		Links    links         `json:"links"`
	}{x.s.now().Format(isoTime), messages, around})
}

func (x *exchange) richQuery(least, most int) (spool.HistoryQuery, []problem) {
	values := x.r.URL.Query()
	q := spool.HistoryQuery{Max: 100, Since: x.s.now().AddDate(0, 0, -richDays)}
	max, out := numberIn(values, "max_results", q.Max, least, most)
	q.Max = max
	if text := values.Get("start_time"); text != "" {
		at, ok := isoParse(text)
		if q.Since = at; !ok {
			out = append(out, problem{Loc: []string{"query", "start_time"}, Msg: "invalid datetime format", Type: "value_error.datetime"})
		}
	}
	out = append(out, lengthProblems(values, "continue_from", 24, 1000)...)
	if token := values.Get("continue_from"); token != "" && len(out) == 0 {
		box := "inbox"
		if least > 1 {
			box = "outbox"
		}
		seq, ok := x.s.readPageToken(x.mailbox.ID+"/"+box, token)
		if q.Before = seq; !ok {
			out = append(out, problem{Loc: []string{"query", "continue_from"}, Msg: "value is not a valid continuation", Type: "value_error"})
		}
	}
	return q, out
}

// isoParse reads the usual spellings of an ISO 8601 time; one without a zone is UTC.
func isoParse(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

func (s *Server) richView(m Meta, sent bool) richMessage {
	// The outbox writes empty texts, the inbox leaves them out.
	text := func(v string) *string {
		if v == "" && !sent {
			return nil
		}
		return &v
	}
	r := richMessage{
		MessageID: m.ID, Expiry: since(m).Add(inboxTime).Format(isoTime), LocalID: text(m.LocalID), Type: m.Type, Recipient: m.To,
		RecipientName: text(s.mailboxes[m.To].Name), Sender: m.From, SenderName: text(s.mailboxes[m.From].Name), Status: m.Status,
		WorkflowID: text(m.WorkflowID), Sent: since(m).Format(isoTime),
	}
	if !sent {
		r.TotalChunks = m.Total
	}
	code := ""
	if failed(m) || m.Type == wire.TypeReport {
		code = m.StatusCode
	}
	r.StatusCode = text(code)
	return r
}
