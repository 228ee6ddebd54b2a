// Package wire holds the words of the MESH HTTP API that the client and the server must spell alike: media types, header
// names, statuses, codes and the chunk range.
//
// Source: NHS MESH API specification (mesh-api.yaml, version 2.0.0) and the published behaviour of the NHS mesh-sandbox.
package wire

// Media types and content codings of the API. Version 2 is asked for by Accept; the paths are the same for both versions.
const (
	MediaV1     = "application/vnd.mesh.v1+json"
	MediaV2     = "application/vnd.mesh.v2+json"
	MediaJSON   = "application/json"
	MediaBinary = "application/octet-stream"
	Gzip        = "gzip"
)

// Root is the first path element of every call.
const Root = "/messageexchange/"

// Header names in the spelling of the specification. Names are case-insensitive, and servers write them in lower case.
const (
	HeaderTo          = "Mex-To"
	HeaderFrom        = "Mex-From"
	HeaderWorkflowID  = "Mex-WorkflowID"
	HeaderChunkRange  = "Mex-Chunk-Range"
	HeaderTotalChunks = "Mex-Total-Chunks"
	HeaderFileName    = "Mex-FileName"
	HeaderLocalID     = "Mex-LocalID"
	HeaderSubject     = "Mex-Subject"
	HeaderPartnerID   = "Mex-PartnerID"
	HeaderChecksum    = "Mex-Content-Checksum"
	HeaderEncrypted   = "Mex-Content-Encrypted"
	HeaderCompressed  = "Mex-Content-Compressed"
	HeaderContentType = "Mex-Content-Type"
	HeaderMessageID   = "Mex-MessageID"
	HeaderMessageType = "Mex-MessageType"
	HeaderLinkedID    = "Mex-LinkedMsgID"
	HeaderAddressType = "Mex-AddressType"
	HeaderVersion     = "Mex-Version"

	HeaderStatusCode        = "Mex-StatusCode"
	HeaderStatusEvent       = "Mex-StatusEvent"
	HeaderStatusDescription = "Mex-StatusDescription"
	HeaderStatusSuccess     = "Mex-StatusSuccess"
	HeaderStatusTimestamp   = "Mex-StatusTimestamp"

	HeaderClientVersion  = "Mex-ClientVersion"
	HeaderOSName         = "Mex-OSName"
	HeaderOSVersion      = "Mex-OSVersion"
	HeaderOSArchitecture = "Mex-OSArchitecture"
	HeaderJavaVersion    = "Mex-JavaVersion"
)

// TimeStamp is the layout of 14-digit times in headers and version 1 bodies, in UTC.
const TimeStamp = "20060102150405"

// Message types.
const (
	TypeData   = "DATA"
	TypeReport = "REPORT"
)

// Message statuses, in the lower case of version 2.
const (
	StatusUploading     = "uploading"
	StatusAccepted      = "accepted"
	StatusAcknowledged  = "acknowledged"
	StatusUndeliverable = "undeliverable"
	StatusError         = "error"
)

// Limits bounds the length in bytes of the headers of a send, by header name.
func Limits() map[string]int {
	return map[string]int{
		HeaderTo: 100, HeaderWorkflowID: 300, HeaderChunkRange: 20, HeaderFileName: 300, HeaderLocalID: 300,
		HeaderSubject: 500, HeaderPartnerID: 500, HeaderChecksum: 100, HeaderEncrypted: 20, HeaderCompressed: 20,
		HeaderContentType: 100,
	}
}

// A Fault is one entry of the API's code list: what an error answer says.
type Fault struct {
	Event string // phase: SEND, RECEIVE, TRANSFER, COLLECT or empty
	Code  string // may be empty: authorization errors carry none
	Text  string
}

// Faults returns the published code list with the texts that servers are known to send, and the codes of the MESH client's
// control files (the 2013 client library), which reach a sender in reports. Codes that were never seen with an event have none.
func Faults() []Fault {
	return []Fault{
		{"TRANSFER", "00", "Transferred to recipient mailbox"},
		{"COLLECT", "01", "Control file missing or inaccessible"},
		{"COLLECT", "02", "Data file is missing or inaccessible"},
		{"TRANSFER", "03", "Server authentication failure"},
		{"TRANSFER", "04", "Client authentication failure"},
		{"TRANSFER", "05", "Delay report"},
		{"TRANSFER", "06", "Malformed control file"},
		{"SEND", "07", "Invalid From Address"},
		{"SEND", "08", "TO_DTS missing"},
		{"SEND", "09", "Invalid version of the control file"},
		{"SEND", "10", "Invalid address type"},
		{"SEND", "11", "Invalid Message Type for the transfer"},
		{"SEND", "12", "Unregistered to address"},
		{"SEND", "12", "Cannot send messages to internal mailbox"},
		{"SEND", "13", "SMTP delivery failure"},
		{"SEND", "14", "Message not collected by recipient after 5 days"},
		{"", "15", "Bad 'Child Protection - Information Sharing' (CP-IS) File"},
		{"SEND", "16", "Sender is not allowed to send messages of this type"},
		{"SEND", "17", "Workflow ID not registered for mailbox"},
		{"SEND", "18", "ONS Civil Registration for this workflow is not enabled via MESH"},
		{"SEND", "19", "Invalid expiry period"},
		{"RECEIVE", "20", "Message does not exist"},
		{"", "100", "Mailbox not enabled"},
		{"SEND", "EPL-150", "Multiple mailboxes matches"},
		{"SEND", "EPL-151", "No mailbox matched"},
		{"", "EPL-152", "Invalid NHS Number"},
		{"", "EPL-153", "NHS Number not found"},
		{"", "EPL-154", "NHS Number supplied does not match the demographics"},
		{"SEND", "InvalidHeaderChunks", "Invalid chunk values sent in mex-Chunk-Range header"},
		{"SEND", "UnsupportedContentEncoding", "Unsupported content encoding"},
		{"SEND", "Invalid checksum", "Invalid checksum"},
		{"SEND", "Invalid file format", "File Level Error"},
		{"SEND", "Message already accepted", "Message no longer available for download"},
		{"", "", TextAuthHeader},
		{"", "", TextAuthMailbox},
		{"", "", TextAuthInvalid},
		{"", "", TextAuthReplay},
		{"", "", TextInactive},
		{"", "", TextAccept},
		{"", "", TextEncodingChange},
		{"", "", "Forbidden"},
		{"", "", "Not Found"},
		{"", "", "Method Not Allowed"},
		{"", "", "Multiple Choices"},
		{"", "", TextInternal},
	}
}

// Texts of errors that carry no code.
const (
	TextAuthHeader     = "Error reading from Authorization header"
	TextAuthMailbox    = "Mailbox id does not match token"
	TextAuthInvalid    = "Invalid Authentication Token"
	TextAuthReplay     = "Error Duplicated Authentication Token"
	TextInactive       = "Request Received from Inactive Mailbox"
	TextAccept         = "Accept header api format incorrect"
	TextEncodingChange = "cannot change content encoding"
	TextInternal       = "An internal error occurred.\n\nPlease contact support."
)
