package meshserver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// maxAdminBody bounds the JSON of an administration call, in bytes.
const maxAdminBody = 1 << 20

// addAdmin adds the administration calls of the NHS mesh-sandbox. They ask for no token, and stand before the calls of
// mailboxes, so no mailbox is to be called ADMIN or MAILBOX.
func addAdmin(add func(method, path string, handle func(*exchange))) {
	for _, root := range []string{"admin", "messageexchange/admin"} {
		add(http.MethodDelete, root+"/reset", (*exchange).reset)
		add(http.MethodDelete, root+"/reset/{}", (*exchange).reset)
		add(http.MethodPost, root+"/clock", (*exchange).advance)
		add(http.MethodPost, root+"/report", (*exchange).addReport)
		add(http.MethodPost, root+"/message/{}/event", (*exchange).addEvent)
		add(http.MethodGet, root+"/message/{}", (*exchange).messageDetails)
		add(http.MethodGet, root+"/mailbox/{}", (*exchange).mailboxDetails)
	}
	add(http.MethodGet, "messageexchange/mailbox/{}", (*exchange).mailboxDetails)
}

var faultNoMailbox = wire.Fault{Text: "mailbox does not exist"}

// reset forgets all messages, or those of one mailbox.
func (x *exchange) reset() {
	if x.s.cfg.Canned {
		x.detail(http.StatusMethodNotAllowed, "reset not supported for this store mode")
		return
	}
	mailbox, text := "", "all mailboxes reset"
	if len(x.params) > 0 {
		mailbox = strings.ToUpper(x.params[0])
		if _, known := x.s.mailboxes[mailbox]; !known {
			x.fail(http.StatusNotFound, "", faultNoMailbox)
			return
		}
		text = "mailbox " + mailbox + " reset"
	}
	if err := x.s.spool.Delete(x.s.spool.Belonging(mailbox)...); err != nil && !errors.Is(err, spool.ErrNotFound) {
		x.broken("reset", err)
		return
	}
	if mailbox == "" {
		x.s.ahead.Store(0)
	}
	x.json(http.StatusOK, wire.MediaJSON, map[string]string{"message": text})
}

// advance lets time pass for messages: {"advance": "120h"}. The sandbox has no such call.
func (x *exchange) advance() {
	in, ok := x.text("advance")
	if !ok {
		return
	}
	d, err := time.ParseDuration(in["advance"])
	if err != nil || d < 0 {
		x.invalid([]problem{{Loc: []string{"body", "advance"}, Msg: "want a duration such as 120h", Type: "value_error"}})
		return
	}
	x.json(http.StatusOK, wire.MediaJSON, map[string]string{"now": x.s.Advance(d).Format(isoTime)})
}

// text reads the fields of a JSON object that holds nothing but text, and answers with what is missing of those asked for.
func (x *exchange) text(required ...string) (map[string]string, bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxAdminBody))
	var fields map[string]*string
	if err != nil || json.Unmarshal(raw, &fields) != nil {
		x.invalid([]problem{{Loc: []string{"body"}, Msg: "value is not a valid dict", Type: "type_error.dict"}})
		return nil, false
	}
	out := map[string]string{}
	for name, value := range fields {
		if value != nil {
			out[name] = *value
		}
	}
	var problems []problem
	for _, name := range required {
		if fields[name] == nil {
			problems = append(problems, missing("body", name))
		}
	}
	return out, !x.invalid(problems)
}

// addReport puts a report into a mailbox. An undeliverable one is a non-delivery report, whatever code is asked for.
func (x *exchange) addReport() {
	in, ok := x.text("mailbox_id", "code", "description", "workflow_id")
	if !ok {
		return
	}
	status := in["status"]
	if status == "" {
		status = wire.StatusUndeliverable
	}
	if status != wire.StatusUndeliverable && status != wire.StatusError {
		x.invalid([]problem{{Loc: []string{"body", "status"}, Msg: "want error or undeliverable", Type: "value_error"}})
		return
	}
	r := Report{
		To: in["mailbox_id"], Code: in["code"], Event: "SEND", Description: in["description"], LinkedMessageID: in["linked_message_id"],
		WorkflowID: in["workflow_id"], LocalID: in["local_id"], Subject: in["subject"], FileName: in["file_name"],
	}
	if x.lax(laxReportEvent) {
		r.Event = "TRANSFER"
	}
	if status == wire.StatusUndeliverable {
		f := faultNotCollected
		r.Code, r.Event, r.Description, r.FileName = f.Code, f.Event, f.Text, ""
		r.Subject = strings.TrimSuffix("NDR: "+r.Subject, ": ")
	}
	if _, known := x.s.mailboxes[strings.ToUpper(r.To)]; !known {
		x.fail(http.StatusNotFound, "", faultNoMailbox)
		return
	}
	id := x.s.newID(x.s.now()) // of a report that nobody will find, in the canned store
	if err := x.change(func() (err error) { id, err = x.s.PutReport(r); return err }); err != nil {
		x.broken("report", err)
		return
	}
	x.json(http.StatusOK, wire.MediaJSON, sentV2{id})
}

// addEvent gives a message another status.
func (x *exchange) addEvent() {
	in, ok := x.text("status")
	if !ok {
		return
	}
	statuses := []string{wire.StatusAccepted, wire.StatusAcknowledged, wire.StatusUndeliverable, wire.StatusError, wire.StatusUploading}
	status := strings.ToLower(in["status"])
	if !slices.Contains(statuses, status) {
		x.invalid([]problem{{Loc: []string{"body", "status"}, Msg: "want one of " + strings.Join(statuses, ", "), Type: "value_error"}})
		return
	}
	ending := spool.Ending{ID: strings.ToUpper(x.params[0]), Verdict: spool.Verdict{
		Status: status, Code: in["code"], Event: in["event"], Text: in["description"], LinkedID: in["linked_message_id"],
	}}
	err := x.change(func() error { return x.s.spool.End(x.s.now(), ending) })
	switch {
	case errors.Is(err, spool.ErrNotFound):
		x.fail(http.StatusNotFound, "", faultUntracked)
	case err != nil:
		x.broken("event", err)
	default:
		x.empty(http.StatusOK)
	}
}

func (x *exchange) mailboxDetails() {
	m, known := x.s.mailboxes[strings.ToUpper(x.params[0])]
	if !known {
		x.fail(http.StatusNotFound, "", faultUntracked)
		return
	}
	x.json(http.StatusOK, wire.MediaJSON, mailboxLine{
		ID: m.ID, Name: m.Name, BillingEntity: m.BillingEntity, ODSCode: m.ODSCode, OrgCode: m.OrgCode, OrgName: m.OrgName, Active: &m.Active,
	})
}

// messageDetails answers all that is known of a message, without keys that have no value.
func (x *exchange) messageDetails() {
	m, ok := x.s.spool.Get(strings.ToUpper(x.params[0]))
	if !ok {
		x.fail(http.StatusNotFound, "", faultUntracked)
		return
	}
	to, from := x.s.mailboxes[m.To], x.s.mailboxes[m.From]
	out := map[string]any{
		"checksum": m.Checksum, "chunk_count": m.Total, "content_encoding": m.Encoding, "expiry_time": since(m).Add(inboxTime).Format(isoTime),
		"filename": m.FileName, "file_size": m.Size, "is_compressed": m.Compressed, "is_encrypted": m.Encrypted, "message_id": m.ID,
		"message_type": titleCase(strings.ToLower(m.Type)), "status": titleCase(m.Status), "status_success": successWord(m),
		"upload_timestamp": m.Created.Format(isoTime), "recipient": m.To, "sender": m.From,
	}
	if !m.Acknowledged.IsZero() {
		out["download_timestamp"] = m.Acknowledged.Format(isoTime)
	}
	optional := map[string]string{
		"linked_msg_id": m.LinkedID, "local_id": m.LocalID, "recipient_name": to.Name, "recipient_ods_code": to.ODSCode,
		"recipient_org_code": to.OrgCode, "recipient_org_name": to.OrgName, "sender_name": from.Name, "sender_ods_code": from.ODSCode,
		"sender_org_code": from.OrgCode, "sender_org_name": from.OrgName, "subject": m.Subject, "workflow_id": m.WorkflowID,
	}
	switch {
	case m.Type == wire.TypeReport:
		optional["status_code"], optional["status_event"], optional["status_description"] = m.StatusCode, m.StatusEvent, m.StatusDescription
		optional["status_timestamp"] = m.Changed.Format(isoTime)
	case failed(m):
		optional["failure_date"], optional["failure_diagnostic"] = m.Changed.Format(isoTime), m.StatusDescription
	}
	for name, value := range optional {
		if value != "" {
			out[name] = value
		}
	}
	x.json(http.StatusOK, wire.MediaJSON, out)
}
