package store

import (
	"context"
	"time"

	"signalbox/engine"
)

// Upload is an authority's file by the number that it gave itself.
type Upload struct {
	Message     engine.MessageID
	Authority   string // ODS code
	FileID      string // as sent
	Received    time.Time
	FullRefresh bool              // it was taken as one
	Absent      []engine.Envelope // of a full refresh: the flag events that stood and were not in it
}

// NoteUpload keeps the number of a file. A message is noted once.
func (tx *Tx) NoteUpload(u Upload) error {
	n, err := tx.changed(`INSERT INTO upload (message, la, file_id, received, asked) VALUES (?,?,?,?,?) ON CONFLICT (message) DO NOTHING`,
		string(u.Message), u.Authority, u.FileID, micros(u.Received), number(u.FullRefresh))
	if err != nil || n == 0 {
		return err
	}
	for _, e := range u.Absent {
		seq, err := tx.seqOf(eventKey{e.Origin.Message, engine.KindFlag, e.Origin.Position})
		if err != nil {
			return err
		}
		if err := tx.exec(`INSERT INTO upload_absent (message, nhs, plan, event) VALUES (?,?,?,?) ON CONFLICT (message, nhs, plan) DO NOTHING`,
			string(u.Message), e.Flag.Subject.NHSNumber.Reveal(), string(e.Flag.Plan.Type), seq); err != nil {
			return err
		}
	}
	return nil
}

// FlagsOf returns the newest flag event of each person and plan type of an authority, by NHS number. It reads the whole register.
func (tx *Tx) FlagsOf(authority string) ([]engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM flag f JOIN event e ON e.seq = f.event WHERE f.la = ? ORDER BY f.nhs, f.plan`, authority)
	if err != nil {
		return nil, err
	}
	return envelopes(rows)
}

// UploadOf returns what was noted of a message's file, without the flags that were absent, and how many they were. found is false for files
// without a number, and for those that were refused.
func (s *Store) UploadOf(ctx context.Context, id engine.MessageID) (u Upload, absent int, found bool, err error) {
	rows, err := s.rows(ctx, `SELECT message, la, file_id, received, asked, (SELECT count(*) FROM upload_absent a WHERE a.message = u.message)
		FROM upload u WHERE message = ?`, string(id))
	if err != nil {
		return u, 0, false, unavailable("upload", err)
	}
	defer rows.Close()
	for rows.Next() {
		var received, asked int64
		if err := rows.Scan(&u.Message, &u.Authority, &u.FileID, &received, &asked, &absent); err != nil {
			return u, 0, false, unavailable("upload", err)
		}
		u.Received, u.FullRefresh, found = fromMicros(received), asked == 1, true
	}
	return u, absent, found, unavailable("upload", rows.Err())
}

// FileIDBefore returns the number of the file that the authority had sent last before the given time of receipt, or "" when there is none.
func (s *Store) FileIDBefore(ctx context.Context, authority string, received time.Time) (string, error) {
	rows, err := s.rows(ctx, `SELECT file_id FROM upload WHERE la = ? AND received < ? ORDER BY received DESC, message LIMIT 1`, authority, micros(received))
	if err != nil {
		return "", unavailable("upload", err)
	}
	defer rows.Close()
	id := ""
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return "", unavailable("upload", err)
		}
	}
	return id, unavailable("upload", rows.Err())
}

// Absences returns an authority's newest full refresh, with the flag events that stood and were not in it. found is false when it never sent one.
func (s *Store) Absences(ctx context.Context, authority string) (u Upload, found bool, err error) {
	rows, err := s.rows(ctx, `SELECT message, file_id, received FROM upload WHERE la = ? AND asked = 1 ORDER BY received DESC LIMIT 1`, authority)
	if err != nil {
		return u, false, unavailable("upload", err)
	}
	u = Upload{Authority: authority, FullRefresh: true}
	for rows.Next() {
		var received int64
		if err = rows.Scan(&u.Message, &u.FileID, &received); err != nil {
			break
		}
		u.Received, found = fromMicros(received), true
	}
	if err := unavailable("upload", firstOf(err, rows.Err(), rows.Close())); err != nil || !found {
		return u, false, err
	}
	bodies, err := s.rows(ctx, `SELECT e.body FROM upload_absent a JOIN event e ON e.seq = a.event WHERE a.message = ? ORDER BY a.nhs, a.plan`, string(u.Message))
	if err != nil {
		return u, false, unavailable("upload", err)
	}
	u.Absent, err = envelopes(bodies)
	return u, true, err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
