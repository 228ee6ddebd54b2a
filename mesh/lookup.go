package mesh

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Endpoint is a mailbox that may receive a workflow.
type Endpoint struct {
	MailboxID   string `json:"mailbox_id"`
	MailboxName string `json:"mailbox_name"`
}

// EndpointLookup returns the mailboxes of an organisation that may receive a workflow; none is no error. It says nothing of
// who may send. The call carries no token: only the client certificate tells who asks.
func (c *Client) EndpointLookup(ctx context.Context, odsCode, workflowID string) ([]Endpoint, error) {
	if odsCode == "" || workflowID == "" {
		return nil, invalid("lookup", "ODS code and workflow id: are needed")
	}
	return c.endpoints(ctx, call{op: "lookup", path: []string{"endpointlookup", odsCode, workflowID}})
}

// WorkflowSearch returns all mailboxes that may receive a workflow. The call carries no token.
func (c *Client) WorkflowSearch(ctx context.Context, workflowID string) ([]Endpoint, error) {
	if workflowID == "" {
		return nil, invalid("search", "workflow id: is missing")
	}
	return c.endpoints(ctx, call{op: "search", path: []string{"workflowsearch", workflowID}})
}

// endpoints reads both versions' shapes.
func (c *Client) endpoints(ctx context.Context, r call) ([]Endpoint, error) {
	r.method, r.open = http.MethodGet, true
	var b struct {
		Results []struct {
			Endpoint
			Address     string `json:"address"`
			Description string `json:"description"`
		} `json:"results"`
	}
	if err := c.getJSON(ctx, r, &b); err != nil {
		return nil, err
	}
	out := make([]Endpoint, 0, len(b.Results))
	for _, e := range b.Results {
		if e.MailboxID == "" {
			e.MailboxID, e.MailboxName = e.Address, e.Description
		}
		if e.MailboxID == "" {
			return nil, protocol(r.op, http.StatusOK, "answer has a result without a mailbox")
		}
		out = append(out, e.Endpoint)
	}
	return out, nil
}

// Ping asks whether the service answers. It needs no mailbox and carries no token.
func (c *Client) Ping(ctx context.Context) error {
	resp, err := c.do(ctx, call{op: "ping", method: http.MethodGet, path: []string{"_ping"}, open: true}, http.StatusOK)
	if err != nil {
		return err
	}
	discard(resp)
	return nil
}

// RichMessage is one line of a rich listing, which the published mesh-sandbox knows and the specification does not.
type RichMessage struct {
	MessageID     string
	LocalID       string
	MessageType   MessageType
	Sender        string
	SenderName    string
	Recipient     string
	RecipientName string
	WorkflowID    string
	Status        TrackingStatus
	StatusCode    string
	TotalChunks   int
	Sent          time.Time
	Expires       time.Time
}

// RichOptions narrows a rich listing. The zero value means the service's defaults: 100 messages, the last 30 days.
type RichOptions struct {
	MaxResults int
	Since      time.Time
}

// RichInbox lists what came into the mailbox, newest first, acknowledged messages among it. The specification does not know
// this call.
func (c *Client) RichInbox(ctx context.Context, o RichOptions) ([]RichMessage, error) {
	return c.rich(ctx, "rich inbox", "inbox", o)
}

// RichOutbox lists what the mailbox sent, newest first. The specification does not know this call.
func (c *Client) RichOutbox(ctx context.Context, o RichOptions) ([]RichMessage, error) {
	return c.rich(ctx, "rich outbox", "outbox", o)
}

func (c *Client) rich(ctx context.Context, op, box string, o RichOptions) ([]RichMessage, error) {
	q := url.Values{}
	if o.MaxResults != 0 {
		q.Set("max_results", strconv.Itoa(o.MaxResults))
	}
	if !o.Since.IsZero() {
		q.Set("start_time", o.Since.UTC().Format(time.RFC3339))
	}
	var b struct {
		Messages []richBody `json:"messages"`
	}
	if err := c.getJSON(ctx, call{op: op, method: http.MethodGet, path: []string{box, "rich"}, query: q}, &b); err != nil {
		return nil, err
	}
	out := make([]RichMessage, 0, len(b.Messages))
	for _, m := range b.Messages {
		out = append(out, m.message())
	}
	return out, nil
}

type richBody struct {
	MessageID     text `json:"message_id"`
	Expires       text `json:"expiry_timestamp"`
	LocalID       text `json:"local_id"`
	Type          text `json:"message_type"`
	Recipient     text `json:"recipient"`
	RecipientName text `json:"recipient_name"`
	Sender        text `json:"sender"`
	SenderName    text `json:"sender_name"`
	Sent          text `json:"sent_date"`
	Status        text `json:"status"`
	StatusCode    text `json:"status_code"`
	WorkflowID    text `json:"workflow_id"`
	TotalChunks   text `json:"total_chunks"`
}

func (b richBody) message() RichMessage {
	chunks, _ := strconv.Atoi(string(b.TotalChunks))
	return RichMessage{
		MessageID: string(b.MessageID), LocalID: string(b.LocalID), MessageType: messageType(string(b.Type)), Sender: string(b.Sender),
		SenderName: string(b.SenderName), Recipient: string(b.Recipient), RecipientName: string(b.RecipientName), WorkflowID: string(b.WorkflowID),
		Status: status(string(b.Status)), StatusCode: string(b.StatusCode), TotalChunks: max(chunks, 1),
		Sent: parseTime(string(b.Sent)), Expires: parseTime(string(b.Expires)),
	}
}
