package folder

import (
	"strings"
	"time"

	"signalbox/mesh"
)

// refusal is why a pair cannot be sent, in the words of the service's code list.
type refusal struct{ event, code, text string }

// Error names code and text.
func (r refusal) Error() string { return "folder: control file: " + r.code + " " + r.text }

// outgoing checks a control file for sending by mailbox and makes a message of it.
func (c Control) outgoing(mailbox string) (mesh.Outgoing, error) {
	switch {
	case c.Version != "" && c.Version != "1.0":
		return mesh.Outgoing{}, refusal{"SEND", "09", "Invalid version of the control file"}
	case c.AddressType != "" && !strings.EqualFold(c.AddressType, "DTS") && !strings.EqualFold(c.AddressType, "ALL"):
		return mesh.Outgoing{}, refusal{"SEND", "10", "Invalid address type"}
	case c.MessageType != "" && !strings.EqualFold(c.MessageType, "Data"):
		return mesh.Outgoing{}, refusal{"SEND", "11", "Invalid Message Type for the transfer"}
	case c.FromDTS != "" && !strings.EqualFold(c.FromDTS, mailbox):
		return mesh.Outgoing{}, refusal{"SEND", "07", "Invalid From Address"}
	case c.ToDTS == "":
		return mesh.Outgoing{}, refusal{"SEND", "08", "TO_DTS missing"}
	case c.WorkflowID == "":
		return mesh.Outgoing{}, refusal{"TRANSFER", "06", "Malformed control file"}
	}
	return mesh.Outgoing{
		To: c.ToDTS, WorkflowID: c.WorkflowID, LocalID: c.LocalID, Subject: c.Subject, PartnerID: c.PartnerID, Checksum: c.DataChecksum,
		Encrypted: flag(c.Encrypted, false), Compressed: flag(c.IsCompressed, false), Compress: flag(c.Compress, true),
	}, nil
}

func flag(s string, empty bool) bool {
	switch strings.ToLower(s) {
	case "":
		return empty
	case "y", "yes", "true", "1":
		return true
	}
	return false
}

func letter(b bool) string {
	if b {
		return yes
	}
	return no
}

// received makes the control file of a message from the inbox. compressed is what is known of the payload itself.
//
// Assumed: a report carries the id of the message that failed as its DTSId, as that is what the control file in SENT has; the
// report's own id is its file name.
func received(h mesh.Header, compressed bool) Control {
	c := Control{
		Version: "1.0", AddressType: "ALL", MessageType: "Data", WorkflowID: h.WorkflowID, FromDTS: h.From, ToDTS: h.To, Subject: h.Subject,
		LocalID: h.LocalID, DTSID: h.MessageID, Encrypted: letter(h.Encrypted), IsCompressed: letter(compressed), DataChecksum: h.Checksum,
		PartnerID: h.PartnerID,
		Status:    &Status{DateTime: h.StatusTime, Event: h.StatusEvent, Status: "SUCCESS", StatusCode: h.StatusCode, Description: h.StatusDescription},
	}
	if h.IsReport() {
		c.MessageType = "Report"
		c.Status.Status = "ERROR"
		c.Encrypted, c.IsCompressed = "", ""
		if h.LinkedMessageID != "" {
			c.DTSID = h.LinkedMessageID
		}
	}
	return c
}

// header makes of a control file in IN what the service would have said of the message.
func (c Control) header(id string) mesh.Header {
	h := mesh.Header{
		MessageID: id, From: c.FromDTS, To: c.ToDTS, WorkflowID: c.WorkflowID, MessageType: mesh.Data, LocalID: c.LocalID, Subject: c.Subject,
		PartnerID: c.PartnerID, Checksum: c.DataChecksum, Encrypted: flag(c.Encrypted, false), Compressed: flag(c.IsCompressed, false), TotalChunks: 1,
	}
	if s := c.Status; s != nil {
		h.StatusCode, h.StatusEvent, h.StatusDescription, h.StatusTime = s.StatusCode, s.Event, s.Description, s.DateTime
		h.StatusSuccess = strings.EqualFold(s.Status, "SUCCESS")
	}
	if strings.EqualFold(c.MessageType, "Report") {
		h.MessageType, h.LinkedMessageID = mesh.Report, c.DTSID
	}
	return h
}

// status makes the record of a message that was sent or refused.
func sentStatus(at time.Time) *Status {
	return &Status{DateTime: at, Event: "TRANSFER", Status: "SUCCESS", StatusCode: "00", Description: "Transferred to recipient mailbox"}
}

func failedStatus(at time.Time, r refusal) *Status {
	return &Status{DateTime: at, Event: r.event, Status: "ERROR", StatusCode: r.code, Description: r.text}
}
