package identity

import (
	"log/slog"
	"slices"

	"signalbox/engine"
)

// Activity is an activity of the national role-based access control.
type Activity string

// The activities of CP-IS (guidance for registration authority managers, since April 2023). Both see flags and history.
const (
	Notifies  Activity = "B0107" // sees flags; the responsible authority is told
	Scheduled Activity = "B0170" // sees flags in scheduled care; nobody is told
)

// Way is how a caller showed who it is.
type Way string

// The ways.
const (
	ByStaticToken Way = "static-token"
	ByToken       Way = "token"
	ByCertificate Way = "certificate"
)

// Caller is who is asking. It is shared between requests and never changed.
type Caller struct {
	Client       *Client
	Person       *engine.Person // nil: the system itself
	Organisation engine.Organisation
	Activities   []Activity // of the person; a system has both when it may query at all
	Way          Way
}

// LogValue shows the client alone.
func (c *Caller) LogValue() slog.Value { return c.Client.LogValue() }

// Actor is the caller as an access names it: a person where one is known, with the device beside it.
func (c *Caller) Actor() engine.Actor {
	return engine.Actor{Person: c.Person, DeviceID: c.Client.DeviceID, Organisation: c.Organisation}
}

// MayQuery reports whether the caller may see flags in scheduled, or in unscheduled, care. B0107 is the right to look and have the authority
// told; B0170 the right to look in scheduled care without telling anybody. Neither stands for the other: with B0107 alone a look cannot be
// called scheduled to keep it from the authority, and with B0170 alone there is none in unscheduled care.
func (c *Caller) MayQuery(scheduled bool) bool {
	if !c.Client.CanQuery {
		return false
	}
	if scheduled {
		return slices.Contains(c.Activities, Scheduled)
	}
	return slices.Contains(c.Activities, Notifies)
}

// device is a client that asks for itself. The configured rights stand for the activities: it is for systems whose users' rights are
// checked by the trust.
func device(c *Client, way Way) *Caller {
	out := &Caller{Client: c, Organisation: engine.Organisation{ODSCode: c.ODSCode, Name: c.OrganisationName}, Way: way}
	if c.CanQuery {
		out.Activities = []Activity{Notifies, Scheduled}
	}
	return out
}
