package meshserver

import (
	"net/http"
	"strings"
	"time"

	"signalbox/mesh/internal/wire"
)

const isoTime = "2006-01-02T15:04:05"

// trackByID tells the sender where a message stands. To others it does not exist.
func (x *exchange) trackByID() {
	id := strings.ToUpper(x.r.URL.Query().Get("messageID"))
	if id == "" {
		x.invalid([]problem{missing("query", "messageID")})
		return
	}
	m, ok := x.s.spool.Get(id)
	if !ok || m.From != x.mailbox.ID {
		x.fail(http.StatusNotFound, "", faultUntracked)
		return
	}
	switch {
	case x.version < 2:
		x.json(http.StatusOK, wire.MediaJSON, x.s.trackingV1(m))
		return
	case x.version > 2 && x.lax(laxVersion3):
		x.internal(http.StatusInternalServerError)
		return
	}
	x.json(http.StatusOK, wire.MediaV2, x.s.trackingV2(m))
}

// trackByLocalID answers the version 1 shape whatever was asked for.
func (x *exchange) trackByLocalID() {
	found := x.s.spool.ByLocalID(x.mailbox.ID, x.params[0])
	switch len(found) {
	case 0:
		x.fail(http.StatusNotFound, "", faultUntracked)
	case 1:
		x.json(http.StatusOK, wire.MediaJSON, x.s.trackingV1(found[0]))
	default:
		x.fail(http.StatusMultipleChoices, "", wire.Fault{Text: "Multiple Choices"})
	}
}

// failed reports whether the message did not arrive and will not.
func failed(m Meta) bool { return m.Status == wire.StatusError || m.Status == wire.StatusUndeliverable }

// since is when a message began to wait, or to be uploaded.
func since(m Meta) time.Time {
	if m.Accepted.IsZero() {
		return m.Created
	}
	return m.Accepted
}

func (s *Server) trackingV2(m Meta) map[string]any {
	to := s.mailboxes[m.To]
	out := map[string]any{"message_id": m.ID, "status_success": !failed(m)}
	for k, v := range map[string]string{
		"local_id": m.LocalID, "workflow_id": m.WorkflowID, "filename": m.FileName, "recipient": m.To,
		"recipient_name": to.Name, "recipient_ods_code": to.ODSCode, "recipient_org_code": to.OrgCode, "recipient_org_name": to.OrgName,
		"upload_timestamp": m.Created.Format(isoTime), "expiry_time": since(m).Add(inboxTime).Format(isoTime),
		"status": m.Status, "status_event": m.StatusEvent, "status_code": m.StatusCode, "status_description": m.StatusDescription,
		"status_timestamp": m.Changed.Format(isoTime),
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// trackingV1 writes every key, null where there is nothing to say.
func (s *Server) trackingV1(m Meta) map[string]any {
	to, from := s.mailboxes[m.To], s.mailboxes[m.From]
	text := func(v string) any {
		if v == "" {
			return nil
		}
		return v
	}
	stamp := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.Format(wire.TimeStamp)
	}
	yes := map[bool]string{true: "Y"}
	var failure time.Time
	diagnostic := ""
	if failed(m) {
		failure, diagnostic = m.Changed, m.StatusDescription
	}
	return map[string]any{
		"addressType": "ALL", "checksum": text(m.Checksum), "chunkCount": m.Total, "compressFlag": nil, "contentEncoding": text(m.Encoding),
		"downloadTimestamp": stamp(m.Acknowledged), "dtsId": m.ID, "encryptedFlag": text(yes[m.Encrypted]),
		"expiryTime": stamp(since(m).Add(inboxTime)), "failureDate": stamp(failure), "failureDiagnostic": text(diagnostic), "fileName": text(m.FileName),
		"fileSize": m.Size, "isCompressed": text(yes[m.Compressed]), "linkedMsgId": text(m.LinkedID), "localId": text(m.LocalID),
		"meshRecipientOdsCode": text(to.ODSCode), "messageId": m.ID, "messageType": "Data", "partnerId": text(m.PartnerID),
		"recipient": m.To, "recipientName": text(to.Name), "recipientOrgCode": text(to.OrgCode), "recipientOrgName": text(to.OrgName), "recipientSmtp": "",
		"sender": m.From, "senderName": text(from.Name), "senderOdsCode": text(from.ODSCode), "senderOrgCode": text(from.OrgCode),
		"senderOrgName": text(from.OrgName), "senderSmtp": "", "status": titleCase(m.Status), "statusCode": text(m.StatusCode),
		"statusDescription": text(m.StatusDescription), "statusEvent": text(m.StatusEvent), "statusSuccess": successWord(m),
		"statusTimestamp": stamp(m.Changed), "subject": text(m.Subject), "uploadTimestamp": stamp(m.Created), "version": "1.0",
		"workflowId": text(m.WorkflowID),
	}
}

func titleCase(status string) string {
	if status == "" {
		return ""
	}
	return strings.ToUpper(status[:1]) + status[1:]
}
