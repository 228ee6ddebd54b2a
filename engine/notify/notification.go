package notify

import (
	"bytes"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
	"signalbox/mesh/cpis"
)

// maxAccesses is the most accesses that one notification tells of; the rest follow in the next.
const maxAccesses = 1000

// Gather plans one notification of the accesses that the authority has not been told of yet, and reports how many it tells of. Notices and
// ledger row change in one transaction, so no access is told twice and none is left out. With no open notice nothing is planned; more than
// one notification holds, and to an urgent authority more than one, are left for the next.
func Gather(tx *store.Tx, p Party) (int, error) {
	most := maxAccesses
	if p.Urgent {
		most = 1
	}
	notices, err := tx.OpenNotices(p.Authority.ODSCode, most)
	if err != nil || len(notices) == 0 {
		return 0, err
	}
	cause := []string{p.Authority.ODSCode}
	for _, n := range notices {
		cause = append(cause, string(n.Access.ID))
	}
	id := EffectID(store.Notification, strings.Join(cause, "\x00"))
	var marks map[string][]engine.EventID
	if p.Told == CSV { // the XML has no place for them
		if marks, err = tx.MarkedAccesses(p.Authority.ODSCode); err != nil {
			return 0, err
		}
	}
	body, err := notification(p, id, tx.Now(), notices, marks)
	if err != nil {
		return 0, err
	}
	if teeth.Bite("told-again-and-again") {
		notices = notices[:0]
	}
	for _, n := range notices {
		if err := tx.TellNotice(n.Authority, n.Access.Access.ID, id); err != nil {
			return 0, err
		}
	}
	return len(notices), tx.PlanEffect(store.Effect{
		ID: id, Kind: store.Notification, Authority: p.Authority.ODSCode, Body: body, Due: tx.Now(),
	})
}

// GatherNone plans a notification of no access when the authority has not been told anything for so long, and reports whether it did. It
// shows the authority's system that the way is open and that nobody looked; it is no news for a social worker. With an open notice nothing is
// planned: there is something to tell.
func GatherNone(tx *store.Tx, p Party, after time.Duration) (bool, error) {
	last, err := tx.LastTold(p.Authority.ODSCode)
	if err != nil || tx.Now().Sub(last) < after {
		return false, err
	}
	if open, err := tx.OpenNotices(p.Authority.ODSCode, 1); err != nil || len(open) > 0 {
		return false, err
	}
	id := EffectID(store.EmptyNotification, p.Authority.ODSCode+"\x00"+tx.Now().UTC().Format(time.RFC3339Nano))
	body, err := notification(p, id, tx.Now(), nil, nil)
	if err != nil {
		return false, err
	}
	return true, tx.PlanEffect(store.Effect{ID: id, Kind: store.EmptyNotification, Authority: p.Authority.ODSCode, Body: body, Due: tx.Now()})
}

// notification writes what the accesses are told by, in the party's dialect: REPC_MT000004GB01, in which a total of 0 is valid, or our CSV.
func notification(p Party, id string, at time.Time, notices []store.Notice, marks map[string][]engine.EventID) ([]byte, error) {
	if p.Told == CSV {
		return notificationCSV(p, notices, marks)
	}
	message := cpis.Notification{ID: engine.NewUUID(id), At: at, Authority: p.Organisation(), Accesses: byRecord(notices, p.SystemID)}
	var buf bytes.Buffer
	if err := cpis.EncodeNotification(&buf, message); err != nil {
		return nil, &engine.Error{Op: "notify", Kind: engine.Internal, Text: "the notification cannot be written", Err: err}
	}
	return buf.Bytes(), nil
}

// byRecord groups accesses by the flag that makes the authority responsible: one child's accesses stand together.
func byRecord(notices []store.Notice, fallback string) []cpis.RecordAccess {
	index := map[engine.EventID]int{}
	var out []cpis.RecordAccess
	for _, n := range notices {
		i, seen := index[n.Flag.ID]
		if !seen {
			i = len(out)
			index[n.Flag.ID] = i
			out = append(out, cpis.RecordAccess{FileID: fileID(n.Flag)})
		}
		out[i].Queries = append(out[i].Queries, query(n, fallback))
	}
	return out
}

// fileID is the upload that the authority knows; where its format has none, our name of the message.
func fileID(flag engine.Envelope) string {
	if id := Clean(flag.Flag.FileID); id != "" {
		return id
	}
	return string(flag.Origin.Message)
}

func query(n store.Notice, fallback string) cpis.AccessQuery {
	a, f := n.Access.Access, n.Flag.Flag
	q := cpis.AccessQuery{ID: QueryID(a.ID), At: a.At, By: Author(a.By, fallback), NHSNumber: a.Subject.NHSNumber.Reveal(), LocalID: Clean(f.LocalID.Reveal())}
	if q.LocalID != "" {
		q.AssigningAuthority = f.Authority.ODSCode + ":" + f.Authority.Name
	}
	return q
}

// QueryID is the access id as the UUID that the message wants; an id of another form gets a UUID derived from it.
func QueryID(id string) string {
	if isUUID(id) {
		return strings.ToUpper(id)
	}
	return strings.ToUpper(engine.NewUUID(id))
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (c == '-') || !hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return false
		}
	}
	return true
}

// Author says who looked. The message wants a person with user id, role and name, or a device with a twelve-digit ASID; an access that has
// neither in full is told all the same, under the system id configured for that purpose: telling the authority comes first.
func Author(by engine.Actor, fallback string) cpis.Author {
	organisation := cpis.Organisation{ODSCode: Clean(by.Organisation.ODSCode), Name: Clean(by.Organisation.Name)}
	if organisation.Name == "" {
		organisation.Name = organisation.ODSCode
	}
	if p, ok := person(by.Person); ok {
		p.Organisation = organisation
		return cpis.Author{Person: &p}
	}
	if !isASID(by.DeviceID) {
		by.DeviceID = fallback
	}
	return cpis.Author{Device: &cpis.Device{ASID: by.DeviceID, Organisation: organisation}}
}

// person returns a person as the message wants one, and whether nothing that it wants is missing.
func person(p *engine.Person) (cpis.Person, bool) {
	if p == nil {
		return cpis.Person{}, false
	}
	out := cpis.Person{
		UserID: Clean(p.UserID), RoleProfileID: Clean(p.RoleProfile), RoleCode: strings.Join(strings.Fields(Clean(p.RoleCode)), "-"),
		RoleName: Clean(p.RoleName), Name: cpis.PersonName{Text: Clean(p.Name.Reveal())},
	}
	return out, out.UserID != "" && out.RoleCode != "" && out.RoleName != "" && out.Name.Text != ""
}

// isASID reports whether s is an accredited system id as the notification wants it: twelve digits.
func isASID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// Clean leaves out what XML 1.0 cannot carry, and white space around the rest, so that one odd name cannot hold up a notification.
func Clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s))
}
