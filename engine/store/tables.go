package store

import (
	"context"
	"time"
)

// table is what becomes of the rows of one table as they grow old. Each has one of the two.
type table struct {
	name string
	kept string // why they stay for good, or who else removes them
	// old says which rows go when the policy of retention asks for it: those of before a time, which is its one argument, that have their outcome.
	// key names a row.
	old, key string
}

// done is true of a message that has its outcome, and came before the time that is asked for.
const done = `IN (SELECT m.id FROM message m WHERE m.received < ? AND m.state = 'complete' AND m.open = 0)`

// tables lists every table of the record. A new one is named here, or a test fails.
func tables() []table {
	return []table{
		{name: "raw", kept: "RemoveRaw takes the bodies; digests prove what was received"},
		{name: "part", kept: "goes with its body in RemoveRaw, and with what was given up in SweepParts"},
		{name: "message", kept: "a message that comes again is known by it"},
		{name: "mapping", kept: "an event can be derived again"},
		{name: "event", kept: "what was decided, and the history that a hospital is shown"},
		{name: "superseded", kept: "what an event was before a replay"},
		{name: "outbox", kept: "a row leaves with its outcome"},
		{name: "attempt", kept: "the history of what failed"},
		{name: "fault", kept: "why a record made no event"},
		{name: "refused", kept: "a child that nobody protects is listed until a flag of the authority stands"},
		{name: "flag", kept: "the register"},
		{name: "access", kept: "who looked: the history that a hospital is shown"},
		{name: "notice", kept: "an access is told once"},
		{name: "effect", kept: "the ledger: nothing is sent twice"},
		{name: "subscription", kept: "one that is off stays, so that its numbers are not given again"},
		{name: "told", kept: "a receiver may ask for a number again; it holds ids alone"},
		{name: "one_use", kept: "goes by itself when its time is over"},
		{name: "counted", kept: "what a hospital was shown at a time is told by it"},
		{name: "inspection", kept: "who asked about the past, and why"},
		{name: "visit", kept: "a pattern is told once, and lists its visits"},
		{name: "pattern", kept: "a pattern is told once"},
		{name: "answered", kept: "what a person said of a record that names nobody"},
		{name: "heard", kept: "ForgetHeard takes the hours that no habit is learnt from any more"},
		{name: "heard_until", kept: "one row"},
		{name: "polled", kept: "one row a mailbox"},
		{name: "lease", kept: "one row a piece of work"},
		{name: "pulse", kept: "one row"},
		{name: "goose_db_version", kept: "which migrations were carried out"},
		{name: "upload", key: "message", old: `message ` + done + ` AND EXISTS
			(SELECT 1 FROM upload n WHERE n.la = upload.la AND n.asked >= upload.asked AND n.received > upload.received)`}, // the last tells the order, and who was absent
		{name: "upload_absent", key: "message", old: `message ` + done + ` AND NOT EXISTS (SELECT 1 FROM upload u WHERE u.message = upload_absent.message)`},
		{name: "trace", key: "key", old: `at < ?`},
		{name: "task", key: "seq", old: `closed > 0 AND closed < ?`},
		{name: "response", key: "message", old: `state = 'sent' AND message ` + done}, // one that failed is for a person to look at
		{name: "disagreement", key: "digest", old: `seen < ?`},
	}
}

// ClearOld removes the rows that are older than before and have their outcome from every table of which the record need not keep all for good,
// and returns how many. What has no outcome is never removed.
func (s *Store) ClearOld(ctx context.Context, before time.Time) (int64, error) {
	total := int64(0)
	for _, t := range tables() {
		if t.old == "" {
			continue
		}
		for more := true; more; { // others write in between
			var n int64
			err := s.Write(ctx, func(tx *Tx) (err error) {
				n, err = tx.changed(`DELETE FROM `+t.name+` WHERE `+t.key+` IN (SELECT `+t.key+` FROM `+t.name+` WHERE `+t.old+` LIMIT ?) AND `+t.old,
					micros(before), retentionBatch, micros(before))
				return err
			})
			if err != nil {
				return total, err
			}
			total, more = total+n, n > 0 && ctx.Err() == nil
		}
	}
	return total, ctx.Err()
}
