package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"signalbox/engine"
)

// refusedRow says whom a record is about that made no event.
type refusedRow struct {
	position int
	about    engine.About
}

func (tx *Tx) addRefused(message string, refused []refusedRow) error {
	for len(refused) > 0 {
		n := chunk(len(refused))
		args := make([]any, 0, 6*n)
		for _, r := range refused[:n] {
			args = append(args, message, r.position, r.about.Authority, r.about.NHSNumber.Reveal(), r.about.LocalID.Reveal(), r.about.Mark)
		}
		if err := tx.exec(`INSERT INTO refused (message, position, la, nhs, local, mark) VALUES `+values(n, 6)+` ON CONFLICT (message, position) DO NOTHING`, args...); err != nil {
			return err
		}
		refused = refused[n:]
	}
	return nil
}

// refuseEvent notes whom a flag event is about that was given up.
func (tx *Tx) refuseEvent(seq int64) error {
	var body []byte
	if _, err := tx.scan(`SELECT body FROM event WHERE seq = ?`, []any{seq}, &body); err != nil {
		return err
	}
	e, err := engine.DecodeEnvelope(body)
	if err != nil || e.Flag == nil {
		return err
	}
	return tx.addRefused(string(e.Origin.Message), []refusedRow{{e.Origin.Position, *e.Flag.About()}})
}

// ClaimState is how far a record has come on its way to protect a child.
type ClaimState string

// The states of a claim.
const (
	ClaimApplied     ClaimState = "applied"     // it is in the register; whether it stands is for the register to say
	ClaimWaiting     ClaimState = "waiting"     // its event waits to be applied
	ClaimQuarantined ClaimState = "quarantined" // its event could not be applied
	ClaimRefused     ClaimState = "refused"     // it made no event
)

// Claim is what one record of an authority says of a child.
type Claim struct {
	State    ClaimState
	Message  engine.MessageID
	Upstream string // the MESH message id
	Position int
	Received time.Time
	About    engine.About
	Event    *engine.Envelope // nil for ClaimRefused
	Faults   []Fault          // of ClaimRefused
}

// Claims are all that an authority says at a time.
type Claims struct {
	Records []Claim
	Unread  []Claim // whole files, after the last one that could be read: received and not translated, or without any record
	// Suspended are the numbers whose uploads an open task suspends, with the time since when.
	Suspended map[engine.NHSNumber]time.Time
}

// Claims returns what an authority, whose files come from source, says of its children: the rows of the register, what waits to be applied,
// and every record that made no event. With a time it returns what it had said until then, and instead of the register's rows every event
// that counted at that time (Stretch), in its wording of that time.
func (s *Store) Claims(ctx context.Context, la, source string, at time.Time) (Claims, error) {
	until := at
	if at.IsZero() {
		until = s.Now().AddDate(1, 0, 0) // received times can be ahead of the clock
	}
	var out Claims
	err := s.view(ctx, func(v view) error { // one moment for all of them
		claim := v.claimsNow
		if !at.IsZero() {
			claim = v.claimsThen
		}
		if err := claim(&out, la, source, until); err != nil {
			return err
		}
		if err := v.refusedClaims(&out, la, until); err != nil {
			return err
		}
		if err := v.suspended(&out, la, until); err != nil {
			return err
		}
		return v.unreadFiles(&out, source, until)
	})
	return out, err
}

func (v view) claimsNow(out *Claims, la, source string, until time.Time) error {
	if err := v.flagClaims(out, la, until, `SELECT e.body, -1, m.upstream FROM flag f JOIN event e ON e.seq = f.event
		JOIN message m ON m.id = e.message WHERE f.la = ?`, la); err != nil {
		return err
	}
	return v.flagClaims(out, la, until, `SELECT e.body, o.state, m.upstream FROM outbox o JOIN event e ON e.seq = o.seq
		JOIN message m ON m.id = e.message WHERE o.kind = 'flag' AND m.source = ?`, source)
}

// claimsThen tells by the courses of the events what counted at a time, and what had arrived and was still to count.
func (v view) claimsThen(out *Claims, la, source string, at time.Time) error {
	all, err := courses(v.query, `m.source = ? AND m.received <= ?`, source, micros(at))
	if err != nil {
		return err
	}
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		c := all[seq]
		e, counted := c.at(at)
		claim := Claim{State: ClaimApplied}
		switch {
		case counted:
		case !c.later(at):
			continue
		case c.outbox == quarantined:
			claim.State = ClaimQuarantined
		default:
			claim.State = ClaimWaiting
		}
		if e.Flag.Authority.ODSCode == la {
			out.Records = append(out.Records, claim.of(e, c.upstream))
		}
	}
	return nil
}

// of fills a claim from its event.
func (c Claim) of(e engine.Envelope, upstream string) Claim {
	c.Message, c.Position, c.Received, c.Event, c.Upstream = e.Origin.Message, e.Origin.Position, e.Origin.Received, &e, upstream
	c.About = *e.Flag.About()
	return c
}

func (v view) flagClaims(out *Claims, la string, until time.Time, query string, args ...any) error {
	rows, err := v.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var state int
		c := Claim{State: ClaimApplied}
		if err := rows.Scan(&body, &state, &c.Upstream); err != nil {
			return unavailable("claims", err)
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return err
		}
		if e.Flag == nil || e.Flag.Authority.ODSCode != la || e.Origin.Received.After(until) {
			continue
		}
		switch state {
		case toPublish, inFlight:
			c.State = ClaimWaiting
		case quarantined:
			c.State = ClaimQuarantined
		}
		out.Records = append(out.Records, c.of(e, c.Upstream))
	}
	return unavailable("claims", rows.Err())
}

func (v view) refusedClaims(out *Claims, la string, until time.Time) error {
	rows, err := v.query(`SELECT r.message, m.upstream, r.position, m.received, r.nhs, r.local, r.mark,
		COALESCE((SELECT a.at FROM answered a WHERE a.message = r.message AND a.position = r.position), 0), f.outcome, f.rule, f.path, f.line, f.col, f.text
		FROM refused r JOIN message m ON m.id = r.message JOIN fault f ON f.message = r.message AND f.position = r.position
		WHERE r.la = ? AND m.received <= ? ORDER BY m.received, r.message, r.position, f.number`, la, micros(until))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c := Claim{State: ClaimRefused, About: engine.About{Authority: la}}
		var received, answered int64
		var nhs, local string
		f := Fault{Error: engine.Error{Op: "translate"}}
		if err := rows.Scan(&c.Message, &c.Upstream, &c.Position, &received, &nhs, &local, &c.About.Mark, &answered, &f.Outcome, &f.Error.Rule, &f.Error.Place.Path, &f.Error.Place.Line,
			&f.Error.Place.Column, &f.Error.Text); err != nil {
			return unavailable("claims", err)
		}
		if n := len(out.Records); n > 0 && out.Records[n-1].State == ClaimRefused && out.Records[n-1].Message == c.Message && out.Records[n-1].Position == c.Position {
			out.Records[n-1].Faults = append(out.Records[n-1].Faults, f)
			continue
		}
		if answered > 0 && answered <= micros(until) {
			continue
		}
		if nhs != "" {
			if c.About.NHSNumber, err = engine.ParseNHSNumber(nhs); err != nil {
				return err
			}
		}
		c.About.LocalID, c.Received, c.Faults = engine.Personal(local), fromMicros(received), []Fault{f}
		out.Records = append(out.Records, c)
	}
	return unavailable("claims", rows.Err())
}

// unreadFiles finds the files that no record came of, after the last one of which some did.
func (v view) unreadFiles(out *Claims, source string, until time.Time) error {
	var last int64
	err := v.row(`SELECT COALESCE(max(received), 0) FROM message WHERE source = ? AND received <= ? AND records > 0`, source, micros(until)).Scan(&last)
	if err != nil {
		return unavailable("claims", err)
	}
	rows, err := v.query(`SELECT m.id, m.upstream, m.received, m.state, COALESCE((SELECT min(f.text) FROM fault f WHERE f.message = m.id AND f.position = 0), '')
		FROM message m WHERE m.source = ? AND m.received > ? AND m.received <= ? AND m.records = 0 AND m.state <> 'report' ORDER BY m.received, m.id`,
		source, last, micros(until))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c Claim
		var received int64
		var state State
		var why string
		if err := rows.Scan(&c.Message, &c.Upstream, &received, &state, &why); err != nil {
			return unavailable("claims", err)
		}
		c.State, c.Received = ClaimRefused, fromMicros(received)
		if state == Received {
			c.State = ClaimWaiting
		}
		c.Faults = []Fault{{Outcome: engine.Rejected, Error: engine.Error{Text: why}}}
		out.Unread = append(out.Unread, c)
	}
	return unavailable("claims", rows.Err())
}

// suspended finds the numbers whose uploads were suspended at the time.
func (v view) suspended(out *Claims, la string, until time.Time) error {
	out.Suspended = map[engine.NHSNumber]time.Time{}
	rows, err := v.query(`SELECT nhs, opened FROM task WHERE la = ? AND opened <= ? AND (closed = 0 OR closed > ?) AND kind IN (?,?) ORDER BY opened DESC`,
		la, micros(until), micros(until), string(TaskSuperseded), string(TaskInactive))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var nhs string
		var opened int64
		if err := rows.Scan(&nhs, &opened); err != nil {
			return unavailable("claims", err)
		}
		n, err := engine.ParseNHSNumber(nhs)
		if err != nil {
			return err
		}
		out.Suspended[n] = fromMicros(opened)
	}
	return unavailable("claims", rows.Err())
}

// AnswerNameless takes it that somebody knows what became of a nameless record that was refused, and of every earlier copy of it: it leaves the list of
// children who are not protected. message is the beginning of the message's id. It reports how many records that were; none when no such record
// is open, also when the record names its child: such a child leaves the list only when a flag is shown.
func (s *Store) AnswerNameless(ctx context.Context, la, message string, position int, note string) (n int64, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err = tx.changed(`INSERT INTO answered (message, position, at, note) SELECT r.message, r.position, CAST(? AS {int}), CAST(? AS TEXT) FROM refused r
			WHERE r.la = ? AND r.nhs = '' AND r.local = '' AND (substr(r.message, 1, ?) = ? AND r.position = ? OR r.mark <> '' AND r.mark IN (SELECT o.mark FROM refused o
				WHERE o.la = ? AND o.nhs = '' AND o.local = '' AND substr(o.message, 1, ?) = ? AND o.position = ?))
			ON CONFLICT (message, position) DO NOTHING`, micros(tx.now), note, la, len(message), message, position, la, len(message), message, position)
		return err
	})
	return n, err
}
