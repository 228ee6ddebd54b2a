package app

import (
	"strings"
	"time"

	"signalbox/engine/notify"
)

// Route is one local authority: where its files come from, how they are read, and what goes back. The workflow ids of CP-IS are not
// public, so none has a default.
type Route struct {
	Name        string          `yaml:"name"`
	Mailbox     string          `yaml:"mailbox"`  // ours
	Sender      string          `yaml:"sender"`   // the authority's mailbox
	Supplier    string          `yaml:"supplier"` // mapping folder
	Authority   Authority       `yaml:"authority"`
	Dialect     string          `yaml:"dialect"` // of its acknowledgements: cpis-xml or csv
	Workflows   Workflows       `yaml:"workflows"`
	Compress    bool            `yaml:"compress,omitempty"`    // gzip what goes to this authority; not every receiver expects it
	Sequence    notify.Sequence `yaml:"sequence,omitempty"`    // what becomes of files whose ids are not in order
	FullRefresh bool            `yaml:"fullRefresh,omitempty"` // each file names every child: absent ones are told, and stay
	Window      Duration        `yaml:"window"`                // accesses are gathered for so long before one notification tells of them
	// Notifications is their dialect: cpis-xml, also when nothing is configured, or csv.
	Notifications string `yaml:"notifications,omitempty"`
	Urgent        bool   `yaml:"urgent,omitempty"` // each access is told at once and by itself; it goes without window
	// EmptyAfter is how long after the last notification one is sent that tells of no access; 0: never.
	EmptyAfter Duration `yaml:"emptyAfter,omitempty"`
	// NotProtected is how often the authority gets the list of its children whom no hospital sees; 0: never. It needs workflows.notProtected.
	NotProtected Duration `yaml:"notProtected,omitempty"`
}

// Workflows are the MESH workflow ids of one authority's messages.
type Workflows struct {
	Upload          string `yaml:"upload"`
	Acknowledgement string `yaml:"acknowledgement"`
	Notification    string `yaml:"notification"`
	NotProtected    string `yaml:"notProtected,omitempty"`
	Pattern         string `yaml:"pattern,omitempty"`  // of the list of visits of a child who was seen across boundaries; empty: it is not sent
	Inactive        string `yaml:"inactive,omitempty"` // of what tells of inactive NHS numbers; empty: it is not sent
}

func (r Route) validate(v *validator, at string, mailboxes map[string]bool) {
	v.need(r.Name != "", at+".name", "is missing")
	v.need(mailboxes[r.Mailbox], at+".mailbox", "is none of mailboxes")
	v.need(r.Sender != "" && r.Sender == strings.ToUpper(r.Sender), at+".sender", "must be the authority's mailbox id, in upper case")
	v.need(r.Supplier != "", at+".supplier", "is missing")
	v.need(r.Authority.ODSCode != "", at+".authority.odsCode", "is missing")
	v.need(r.Authority.Name != "", at+".authority.name", "is missing")
	v.need(r.Authority.EmergencyDuty != "", at+".authority.emergencyDuty", "is missing: the emergency duty telephone is mandatory")
	v.need(isPhone(r.Authority.EmergencyDuty), at+".authority.emergencyDuty", "must be digits, with an optional + in front")
	v.need(isPhone(r.Authority.OfficeHours), at+".authority.officeHours", "must be digits, with an optional + in front")
	v.need(notify.Dialect(r.Dialect).Valid(), at+".dialect", "must be cpis-xml or csv")
	v.need(r.Workflows.Upload != "", at+".workflows.upload", "is missing")
	v.need(r.Workflows.Acknowledgement != "", at+".workflows.acknowledgement", "is missing")
	v.need(r.Workflows.Notification != "", at+".workflows.notification", "is missing")
	v.need(r.Sequence.Validate() == nil, at+".sequence", "each of repeated, skipped and older is warn, refuse or ignore")
	v.need(r.Window >= 0, at+".window", "must not be negative")
	v.need(!r.Urgent || r.Window == 0, at+".urgent", "does not go with window: an urgent authority is told at once")
	v.need(r.Notifications == "" || notify.Dialect(r.Notifications).Valid(), at+".notifications", "must be cpis-xml or csv")
	v.need(r.EmptyAfter == 0 || r.EmptyAfter >= Duration(time.Minute), at+".emptyAfter", "must be a minute or more")
	v.need(r.NotProtected == 0 || r.NotProtected >= Duration(time.Minute), at+".notProtected", "must be a minute or more")
	v.need(r.NotProtected == 0 || r.Workflows.NotProtected != "", at+".workflows.notProtected", "is needed with notProtected")
}
