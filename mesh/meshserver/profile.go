package meshserver

import "fmt"

// Profile chooses which server this one behaves like.
type Profile string

// The profiles.
const (
	// Strict behaves as the national service is described.
	Strict Profile = "strict"
	// Sandbox behaves as the NHS mesh-sandbox was observed to.
	Sandbox Profile = "sandbox"
)

// quirk is one thing in which the sandbox differs from the service.
type quirk int

const (
	laxScheme quirk = iota
	laxTime
	laxReplay
	laxInactive
	laxWorkflow
	laxFrom
	laxType
	laxSize
	laxChunks
	laxAcknowledged
	laxSecondAck
	laxExpiry
	laxFailures
	laxPatients
	laxETag
	laxHSTS
	laxIDs
	laxFilter
	laxFilterStar
	laxPageRestart
	laxPageToken
	laxMedia
	laxNull
	laxCharset
	laxVersion3
	laxHead
	laxReportEvent
	laxAdmin
	quirks
)

// Difference is one row of the table of what the profiles do differently.
type Difference struct {
	What            string
	Strict, Sandbox string
	Source          string
	quirk           quirk
}

// Names of the sources of the table.
const (
	srcSpec    = "NHS MESH API specification 2.0.0"
	srcProbed  = "mesh-sandbox 1.0.22, probed"
	srcSandbox = "mesh-sandbox source"
	srcOld     = "MESH HTTP API document of about 2015, server checks"
	srcSeen    = "answers of the service seen in public code (terraform fixtures, NEL.MESH)"
)

// Differences returns the table: every row is a switch in this server, and nothing else tells the profiles apart. The
// source is where the sandbox's side, and after a semicolon the service's, is known from.
func Differences() []Difference {
	return []Difference{
		{"scheme of the token", "NHSMESH and one space", "any case, none at all, or a colon for the space", srcProbed + "; " + srcSpec, laxScheme},
		{"time of the token", "within two hours", "never looked at", srcProbed + "; " + srcOld, laxTime},
		{"token used twice", "403", "passes", srcProbed + "; " + srcSpec, laxReplay},
		{"deactivated mailbox", "403 as sender, 12 as recipient", "like any other", srcSandbox + "; the text of the constant in it", laxInactive},
		{"workflow not registered", "417, codes 16 and 17", "any workflow passes", srcProbed + "; " + srcSpec, laxWorkflow},
		{"Mex-From of another mailbox", "400, code 07", "ignored", srcProbed + "; " + srcSpec, laxFrom},
		{"Mex-MessageType other than DATA", "400, code 11", "ignored", srcProbed + "; " + srcSpec, laxType},
		{"request above 100 MB", "413", "taken", srcSandbox + "; " + srcSpec, laxSize},
		{"chunks", "in order, none missing", "any order; the last completes the message", srcProbed + "; " + srcSpec, laxChunks},
		{"download after the acknowledgement", "410", "200, until the message is deleted", srcProbed + "; " + srcSpec, laxAcknowledged},
		{"acknowledgement of what never was accepted", "410", "200", srcSandbox + "; as for a download", laxSecondAck},
		{"five days in the inbox", "undeliverable, and a report to the sender, code 14", "nothing happens", srcSandbox + "; " + srcSpec, laxExpiry},
		{"refused send", "message id and internal id in the answer, and a report", "no id, no report", srcProbed + "; " + srcSeen, laxFailures},
		{"recipient GPPROVIDER_...", "202, to the mailbox of the practice, or a report with EPL-150 to EPL-154", "417, code 12", srcProbed + "; GP Connect Messaging", laxPatients},
		{"ETag and If-None-Match", "40 hexadecimal digits, 304", "none", srcProbed + "; " + srcSeen, laxETag},
		{"Strict-Transport-Security", "with TLS", "none", srcProbed + "; " + srcSeen, laxHSTS},
		{"message ids", "20200529155357895317_3573F8", "32 hexadecimal digits", srcProbed + "; " + srcSpec, laxIDs},
		{"page with a filter", "cut, then filtered: may be empty and have a next", "filtered, then cut", srcProbed + "; mesh-client, iterate_message_ids", laxFilter},
		{"filter *_ACK without a star at the end", "compared as it is written", "loses its last letter and means contains", srcProbed + "; " + srcSpec, laxFilterStar},
		{"page after a message that waits no more", "goes on behind it", "begins anew", srcProbed + "; none: assumed", laxPageRestart},
		{"page token that is none", "400", "500", srcProbed + "; none: assumed", laxPageToken},
		{"media type of send, count, lookup", "application/vnd.mesh.v2+json", "application/json", srcProbed + "; " + srcSpec, laxMedia},
		{"answer to a chunk, version 2", `{"message_id": ...}`, "null", srcProbed + "; " + srcSpec, laxNull},
		{"content type of a download", "as sent", "in lower case; text gets a charset, even a second one", srcProbed + "; none: assumed", laxCharset},
		{"tracking for version 3", "as version 2", "500", srcProbed + "; none: assumed", laxVersion3},
		{"HEAD by the sender", "while the message waits", "whatever its status", srcSandbox + "; none: assumed", laxHead},
		{"event of an error report", "SEND", "TRANSFER", srcSandbox + "; NHS MESH code list", laxReportEvent},
		{"administration calls", "only when Config.Admin asks for them", "always", srcSandbox + "; not on the service", laxAdmin},
	}
}

// laxness returns the switches of a profile.
func laxness(p Profile) (lax [quirks]bool) {
	for _, d := range Differences() {
		lax[d.quirk] = p == Sandbox
	}
	return lax
}

// ParseProfile reads the name of a profile.
func ParseProfile(name string) (Profile, error) {
	switch p := Profile(name); p {
	case Strict, Sandbox:
		return p, nil
	}
	return "", fmt.Errorf("meshserver: profile: want %s or %s", Strict, Sandbox)
}
