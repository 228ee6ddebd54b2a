package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/mesh/internal/wire"
)

// TrackingStatus is where a sent message stands.
type TrackingStatus string

// The statuses of a sent message.
const (
	Uploading     TrackingStatus = wire.StatusUploading     // chunks are missing: the recipient does not see it
	Accepted      TrackingStatus = wire.StatusAccepted      // in the recipient's inbox
	Acknowledged  TrackingStatus = wire.StatusAcknowledged  // taken out of it by the recipient
	Undeliverable TrackingStatus = wire.StatusUndeliverable // not collected in time
	Failed        TrackingStatus = wire.StatusError
)

// Tracking is what the service says of a message that this mailbox sent. What the service leaves out is empty or zero. It is
// not a business acknowledgement.
type Tracking struct {
	MessageID  string
	LocalID    string
	WorkflowID string
	FileName   string

	Recipient        string // mailbox id
	RecipientName    string
	RecipientODSCode string
	RecipientOrgCode string
	RecipientOrgName string

	Status            TrackingStatus // lower case whatever the version of the answer
	StatusSuccess     bool
	StatusEvent       string
	StatusCode        string
	StatusDescription string
	StatusTime        time.Time
	Uploaded          time.Time
	Expires           time.Time

	// Of version 1 answers alone, which is what the call by local id gets.
	Sender          string
	Subject         string
	LinkedMessageID string
	FileSize        int64
	ChunkCount      int
}

// Track looks up a message that this mailbox sent. It is ErrNotFound for other mailboxes' messages too. The service asks
// that it be used sparingly.
func (c *Client) Track(ctx context.Context, messageID string) (Tracking, error) {
	if messageID == "" {
		return Tracking{}, invalid("track", "message id: is missing")
	}
	return c.track(ctx, call{path: []string{"outbox", "tracking"}, query: url.Values{"messageID": {messageID}}})
}

// TrackByLocalID looks up a message by the sender's own reference: the way to settle an ErrOutcomeUnknown. It is
// ErrNotFound when there is none, and ErrNotUnique when more than one message has this local id. The service calls it
// deprecated.
func (c *Client) TrackByLocalID(ctx context.Context, localID string) (Tracking, error) {
	if localID == "" {
		return Tracking{}, invalid("track", "local id: is missing")
	}
	return c.track(ctx, call{path: []string{"outbox", "tracking", localID}})
}

func (c *Client) track(ctx context.Context, r call) (Tracking, error) {
	r.op, r.method = "track", http.MethodGet
	var b trackingBody
	if err := c.getJSON(ctx, r, &b); err != nil {
		return Tracking{}, err
	}
	t := b.tracking()
	if t.MessageID == "" {
		return Tracking{}, protocol(r.op, http.StatusOK, "answer names no message id")
	}
	return t, nil
}

// trackingBody reads both versions: their keys differ in every field but three.
type trackingBody struct {
	trackingV2
	trackingV1

	Recipient text `json:"recipient"`
	Status    text `json:"status"`
	Subject   text `json:"subject"`
}

type trackingV2 struct {
	MessageID   text `json:"message_id"`
	LocalID     text `json:"local_id"`
	WorkflowID  text `json:"workflow_id"`
	FileName    text `json:"filename"`
	Expires     text `json:"expiry_time"`
	Uploaded    text `json:"upload_timestamp"`
	Name        text `json:"recipient_name"`
	ODSCode     text `json:"recipient_ods_code"`
	OrgCode     text `json:"recipient_org_code"`
	OrgName     text `json:"recipient_org_name"`
	Success     text `json:"status_success"`
	Event       text `json:"status_event"`
	Code        text `json:"status_code"`
	Description text `json:"status_description"`
	At          text `json:"status_timestamp"`
}

type trackingV1 struct {
	V1MessageID   text  `json:"messageId"`
	V1DTSID       text  `json:"dtsId"`
	V1LocalID     text  `json:"localId"`
	V1WorkflowID  text  `json:"workflowId"`
	V1FileName    text  `json:"fileName"`
	V1Expires     text  `json:"expiryTime"`
	V1Uploaded    text  `json:"uploadTimestamp"`
	V1Name        text  `json:"recipientName"`
	V1ODSCode     text  `json:"meshRecipientOdsCode"`
	V1OrgCode     text  `json:"recipientOrgCode"`
	V1OrgName     text  `json:"recipientOrgName"`
	V1Success     text  `json:"statusSuccess"`
	V1Event       text  `json:"statusEvent"`
	V1Code        text  `json:"statusCode"`
	V1Description text  `json:"statusDescription"`
	V1At          text  `json:"statusTimestamp"`
	V1Sender      text  `json:"sender"`
	V1Linked      text  `json:"linkedMsgId"`
	V1Size        int64 `json:"fileSize"`
	V1Chunks      int   `json:"chunkCount"`
}

func (b trackingBody) tracking() Tracking {
	either := func(v ...text) string {
		for _, s := range v {
			if s != "" {
				return string(s)
			}
		}
		return ""
	}
	success := either(b.Success, b.V1Success)
	return Tracking{
		MessageID:         either(b.MessageID, b.V1MessageID, b.V1DTSID),
		LocalID:           either(b.LocalID, b.V1LocalID),
		WorkflowID:        either(b.WorkflowID, b.V1WorkflowID),
		FileName:          either(b.FileName, b.V1FileName),
		Recipient:         string(b.Recipient),
		RecipientName:     either(b.Name, b.V1Name),
		RecipientODSCode:  either(b.ODSCode, b.V1ODSCode),
		RecipientOrgCode:  either(b.OrgCode, b.V1OrgCode),
		RecipientOrgName:  either(b.OrgName, b.V1OrgName),
		Status:            status(string(b.Status)),
		StatusSuccess:     strings.EqualFold(success, "SUCCESS") || success == "true",
		StatusEvent:       either(b.Event, b.V1Event),
		StatusCode:        either(b.Code, b.V1Code),
		StatusDescription: either(b.Description, b.V1Description),
		StatusTime:        parseTime(either(b.At, b.V1At)),
		Uploaded:          parseTime(either(b.Uploaded, b.V1Uploaded)),
		Expires:           parseTime(either(b.Expires, b.V1Expires)),
		Sender:            string(b.V1Sender),
		Subject:           string(b.Subject),
		LinkedMessageID:   string(b.V1Linked),
		FileSize:          b.V1Size,
		ChunkCount:        b.V1Chunks,
	}
}

// status reads either version's spelling.
func status(s string) TrackingStatus { return TrackingStatus(strings.ToLower(strings.TrimSpace(s))) }

// text reads a string, and takes a boolean, a number or null for its spelling: status_success is documented as a
// boolean and described as a word.
type text string

// UnmarshalJSON never fails: a field of an unexpected form is not worth losing the answer.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	if len(raw) > 0 && raw[0] != '{' && raw[0] != '[' && !bytes.Equal(raw, []byte("null")) {
		*t = text(raw)
	}
	return nil
}
