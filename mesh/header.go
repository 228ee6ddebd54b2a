package mesh

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/mesh/internal/wire"
)

// MessageType tells data from reports.
type MessageType string

// The types of message.
const (
	// Data is a message of another mailbox.
	Data MessageType = wire.TypeData
	// Report tells that a message could not be delivered. Its body is empty; the header says which message and why.
	Report MessageType = wire.TypeReport
)

// Header is what the service says of a message in the inbox. Texts come as the sender wrote them: FileName is not fit to
// be a path.
type Header struct {
	MessageID   string
	From        string // empty on reports
	To          string
	WorkflowID  string
	MessageType MessageType
	FileName    string
	LocalID     string // on a report: of the message that failed
	Subject     string
	PartnerID   string
	Checksum    string
	ContentType string // Mex-Content-Type, or Content-Type when there is none
	Encrypted   bool
	Compressed  bool // the sender's statement, or that the transfer was compressed; the body is decompressed for the latter only
	TotalChunks int  // 1 when the service does not say

	StatusCode        string // 00 is success
	StatusEvent       string
	StatusDescription string
	StatusSuccess     bool
	StatusTime        time.Time // zero when absent or not readable

	// LinkedMessageID is, on a report, the message that failed.
	LinkedMessageID string
}

// IsReport reports whether the message is a report.
func (h Header) IsReport() bool { return h.MessageType == Report }

// parseHeader reads the headers of a download or a HEAD. id stands in when the service does not name the message.
func parseHeader(id string, h http.Header) Header {
	out := Header{
		MessageID:         h.Get(wire.HeaderMessageID),
		From:              h.Get(wire.HeaderFrom),
		To:                h.Get(wire.HeaderTo),
		WorkflowID:        h.Get(wire.HeaderWorkflowID),
		MessageType:       messageType(h.Get(wire.HeaderMessageType)),
		FileName:          h.Get(wire.HeaderFileName),
		LocalID:           h.Get(wire.HeaderLocalID),
		Subject:           h.Get(wire.HeaderSubject),
		PartnerID:         h.Get(wire.HeaderPartnerID),
		Checksum:          h.Get(wire.HeaderChecksum),
		ContentType:       h.Get(wire.HeaderContentType),
		Encrypted:         wire.Truthy(h.Get(wire.HeaderEncrypted)),
		Compressed:        wire.Truthy(h.Get(wire.HeaderCompressed)),
		TotalChunks:       totalChunks(h),
		StatusCode:        h.Get(wire.HeaderStatusCode),
		StatusEvent:       h.Get(wire.HeaderStatusEvent),
		StatusDescription: h.Get(wire.HeaderStatusDescription),
		StatusSuccess:     strings.EqualFold(h.Get(wire.HeaderStatusSuccess), "SUCCESS"),
		StatusTime:        parseTime(h.Get(wire.HeaderStatusTimestamp)),
		LinkedMessageID:   h.Get(wire.HeaderLinkedID),
	}
	if out.MessageID == "" {
		out.MessageID = id
	}
	if out.ContentType == "" {
		out.ContentType = h.Get("Content-Type")
	}
	return out
}

// messageType reads either spelling; what is not named is data.
func messageType(s string) MessageType {
	if s = strings.ToUpper(strings.TrimSpace(s)); s != "" {
		return MessageType(s)
	}
	return Data
}

func totalChunks(h http.Header) int {
	if n, err := strconv.Atoi(h.Get(wire.HeaderTotalChunks)); err == nil && n >= 1 {
		return n
	}
	if r, err := wire.ParseChunkRange(h.Get(wire.HeaderChunkRange)); err == nil {
		return r.Total
	}
	return 1
}

// parseTime reads the forms in which the service has been seen to write a time: 14 digits, or ISO 8601 with or without
// a zone; without one it is UTC. Anything else is the zero time.
func parseTime(s string) time.Time {
	for _, layout := range []string{wire.TimeStamp, time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.ParseInLocation(layout, s, time.UTC); err == nil {
			return at
		}
	}
	return time.Time{}
}
