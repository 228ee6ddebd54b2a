package store_test

import (
	"encoding/hex"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// A record of before the events were looked up by their origin opens, and everything in it finds its event again.
func TestRecordOfAnEarlierVersionOpens(t *testing.T) {
	for name, p := range map[string]place{"SQLite": {records.BareSQLite(t)}, "PostgreSQL": {records.BarePostgreSQL(t)}} {
		t.Run(name, func(t *testing.T) {
			m := message("M1", "content")
			m.Received = time.UnixMicro(1_000_000).UTC()
			flag, open, aside, access := flagOf(t, m, 1), flagOf(t, m, 2), flagOf(t, m, 3), accessOf(t, "A1", m.Received)
			writeVersion3(t, p, m, flag, open, aside, access)
			s := p.open(t)
			if a, err := s.Arrival(ctx, m.ID); err != nil || string(a.Message.Body) != "content" || a.Open != 2 {
				t.Fatalf("the message: %+v, %v", a, err)
			}
			if waits := due(t, s, engine.KindFlag); len(waits) != 1 || waits[0].ID != open.ID || waits[0].Key != open.Key() {
				t.Errorf("due: %+v", waits)
			}
			if old, err := s.Revisions(ctx, flag.ID); err != nil || len(old) != 1 || old[0].Body.ID != flag.ID {
				t.Errorf("what the flag was before: %+v, %v", old, err)
			}
			if list, err := s.Quarantine(ctx); err != nil || len(list) != 1 || list[0].ID != string(aside.ID) || list[0].Attempts != 1 {
				t.Errorf("quarantine: %+v, %v", list, err)
			}
			if history, err := s.Attempts(ctx, aside.ID); err != nil || len(history) != 1 || history[0].Reason != "poison" {
				t.Errorf("history: %+v, %v", history, err)
			}
			must(t, s.Write(ctx, func(tx *store.Tx) error {
				flags, err := tx.Flags(flag.Flag.Subject.NHSNumber)
				if must(t, err); len(flags) != 1 || flags[0].ID != flag.ID {
					t.Errorf("flags: %v", flags)
				}
				history, err := tx.History(access.Access.Subject.NHSNumber, 25, "")
				if must(t, err); len(history) != 1 || history[0].ID != access.ID {
					t.Errorf("accesses: %v", history)
				}
				notices, err := tx.OpenNotices("999", 10)
				if must(t, err); len(notices) != 1 || notices[0].Access.ID != access.ID || notices[0].Flag.ID != flag.ID {
					t.Errorf("notices: %v", notices)
				}
				first, err := tx.Resolve(open)
				if must(t, err); !first {
					t.Error("the event that waits had its outcome")
				}
				again, err := tx.Resolve(flag)
				if must(t, err); again {
					t.Error("the event that had its outcome has it again")
				}
				return tx.AddEvent(flag) // there already: nothing is written
			}))
			if ok, err := s.DropEvent(ctx, aside.ID, "not ours"); err != nil || !ok {
				t.Errorf("not dropped: %v", err)
			}
			if done := due(t, s, engine.KindFileDone); len(done) != 1 {
				t.Errorf("%d files are done after their last event", len(done))
			}
			_, err := s.Intake(ctx, message("M2", "more"))
			must(t, err)
			if waits := due(t, s, engine.KindMessage); len(waits) != 1 {
				t.Errorf("a new message makes %d events", len(waits))
			}
		})
	}
}

// writeVersion3 writes what version 3 of the tables held: a flag that stands, one that waits, one in quarantine, and an access to be told of.
func writeVersion3(t *testing.T, p place, m engine.Message, flag, open, aside, access engine.Envelope) {
	t.Helper()
	db, words, err := store.UpTo(ctx, p.cfg, 3)
	must(t, err)
	defer db.Close()
	exec := func(query string, args ...any) {
		t.Helper()
		_, err := db.Exec(words(query), args...)
		must(t, err)
	}
	id := func(e engine.Envelope) []byte {
		raw, err := hex.DecodeString(string(e.ID))
		must(t, err)
		return raw
	}
	exec(`INSERT INTO raw (digest, body, created) VALUES (?,?,1)`, engine.Digest([]byte("content")), []byte("content"))
	exec(`INSERT INTO message (id, source, upstream, sender, workflow, local_id, file_name, digest, received, state, records, accepted, open)
		VALUES (?,?,?,'','','','',?,?,'translated',3,3,2)`, string(m.ID), m.Source, m.Upstream, engine.Digest([]byte("content")), m.Received.UnixMicro())
	for i, e := range []engine.Envelope{flag, open, aside, access} {
		body, err := e.Encode()
		must(t, err)
		exec(`INSERT INTO event (seq, id, kind, message, position, body) VALUES (?,?,?,?,?,?)`, i+1, id(e), string(e.Kind), string(e.Origin.Message), e.Origin.Position, body)
	}
	exec(`INSERT INTO outbox (seq, kind, key, state, due) VALUES (2,'flag',?,0,1)`, open.Key())
	exec(`INSERT INTO outbox (seq, kind, key, state, due, reason) VALUES (3,'flag',?,2,1,'poison')`, aside.Key())
	exec(`INSERT INTO attempt (event, at, verdict, reason) VALUES (?,1,'quarantine','poison')`, id(aside))
	exec(`INSERT INTO flag (nhs, la, plan, version, event) VALUES (?,'999',?,'1',?)`, flag.Flag.Subject.NHSNumber.Reveal(), string(flag.Flag.Plan.Type), id(flag))
	exec(`INSERT INTO access (id, nhs, at, scheduled, event) VALUES (?,?,1,0,?)`, access.Access.ID, access.Access.Subject.NHSNumber.Reveal(), id(access))
	exec(`INSERT INTO notice (la, access, event, flag, created) VALUES ('999',?,?,?,1)`, access.Access.ID, id(access), id(flag))
	body, err := flag.Encode()
	must(t, err)
	exec(`INSERT INTO superseded (event, revision, at, mapping, body) VALUES (?,1,1,'old',?)`, id(flag), body)
	if p.cfg.URL != "" { // the numbers above were given by hand
		exec(`SELECT setval(pg_get_serial_sequence('event', 'seq'), 4)`)
	}
}
