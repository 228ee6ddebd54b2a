package store

import (
	"context"
	"time"

	"signalbox/engine"
)

// Response is an answer to a message that is to be posted to its sender. A message has one.
type Response struct {
	Message  engine.MessageID
	Client   string // the sender's name in the configuration
	Endpoint string
	State    string // due, sent or failed
	Reason   string // of the last failure
	Attempts int
}

// States of a Response.
const (
	ResponseDue    = "due"
	ResponseSent   = "sent"
	ResponseFailed = "failed"
)

// KeepResponse keeps where the answer to a message goes. Asked again, it is due again: the sender may not have had the first.
func (s *Store) KeepResponse(ctx context.Context, r Response) error {
	return s.Write(ctx, func(tx *Tx) error {
		tx.post = true
		return tx.exec(`INSERT INTO response (message, client, endpoint, state, due) VALUES (?,?,?,'due',?)
			ON CONFLICT (message) DO UPDATE SET endpoint = excluded.endpoint, state = 'due', attempts = 0, due = excluded.due`,
			string(r.Message), r.Client, r.Endpoint, micros(tx.now))
	})
}

// DueResponses returns at most so many responses that can be posted: their time has come, and their message is translated.
func (s *Store) DueResponses(ctx context.Context, most int) ([]Response, error) {
	rows, err := s.rows(ctx, `SELECT r.message, r.client, r.endpoint, r.state, r.reason, r.attempts FROM response r JOIN message m ON m.id = r.message
		WHERE r.state = 'due' AND r.due <= ? AND m.state <> 'received' ORDER BY r.due, r.message LIMIT ?`, micros(s.Now()), most)
	if err != nil {
		return nil, unavailable("responses", err)
	}
	defer rows.Close()
	var out []Response
	for rows.Next() {
		var r Response
		if err := rows.Scan(&r.Message, &r.Client, &r.Endpoint, &r.State, &r.Reason, &r.Attempts); err != nil {
			return nil, unavailable("responses", err)
		}
		out = append(out, r)
	}
	return out, unavailable("responses", rows.Err())
}

// ResponseDone notes that the answer was taken.
func (s *Store) ResponseDone(ctx context.Context, id engine.MessageID) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE response SET state = 'sent', reason = '' WHERE message = ?`, string(id))
	})
}

// ResponseMissed notes that a post came to nothing: it is tried again at that time, or with giveUp not any more.
func (s *Store) ResponseMissed(ctx context.Context, id engine.MessageID, reason string, next time.Time, giveUp bool) error {
	state := ResponseDue
	if giveUp {
		state = ResponseFailed
	}
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE response SET state = ?, reason = ?, attempts = attempts + 1, due = ? WHERE message = ? AND state = 'due'`,
			state, reason, micros(next), string(id))
	})
}
