package store

import (
	"context"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// Notice says that an authority has to be told of an access, and which of its flags makes it responsible.
type Notice struct {
	Authority string // ODS code
	Access    engine.Envelope
	Flag      engine.Envelope
}

// PutNotice writes a notice. One access is told to one authority once.
func (tx *Tx) PutNotice(n Notice) error {
	access, err := tx.seqOf(keyOf(n.Access))
	if err != nil {
		return err
	}
	flag, err := tx.seqOf(keyOf(n.Flag))
	if err != nil {
		return err
	}
	tx.post = true
	if teeth.Bite("notice-without-key") {
		n.Access.Access.ID += tx.now.String()
	}
	return tx.exec(`INSERT INTO notice (la, access, event, flag, created) VALUES (?,?,?,?,?) ON CONFLICT (la, access) DO NOTHING`,
		n.Authority, n.Access.Access.ID, access, flag, micros(tx.now))
}

// OldestNotice returns when the oldest notice was written that no notification tells of yet, by authority.
func (s *Store) OldestNotice(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.rows(ctx, `SELECT la, min(created) FROM notice WHERE effect = '' GROUP BY la`)
	if err != nil {
		return nil, unavailable("notices", err)
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var la string
		var at int64
		if err := rows.Scan(&la, &at); err != nil {
			return nil, unavailable("notices", err)
		}
		out[la] = fromMicros(at)
	}
	return out, unavailable("notices", rows.Err())
}

// OpenNotices returns up to limit notices of an authority that no notification tells of yet, oldest first, and keeps others from gathering
// them until the commit: who comes second finds none of them open.
func (tx *Tx) OpenNotices(la string, limit int) ([]Notice, error) {
	rows, err := tx.query(`SELECT a.body, f.body FROM notice n JOIN event a ON a.seq = n.event JOIN event f ON f.seq = n.flag
		WHERE n.la = ? AND n.effect = '' ORDER BY n.created, n.access LIMIT ? {lock n}`, la, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Notice
	for rows.Next() {
		var access, flag []byte
		if err := rows.Scan(&access, &flag); err != nil {
			return nil, unavailable("notices", err)
		}
		n := Notice{Authority: la}
		if n.Access, err = engine.DecodeEnvelope(access); err != nil {
			return nil, err
		}
		if n.Flag, err = engine.DecodeEnvelope(flag); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, unavailable("notices", rows.Err())
}

// TellNotice notes that the effect tells the authority of the access. One that is told already is an error: it would be told twice.
func (tx *Tx) TellNotice(la, access, effect string) error {
	n, err := tx.changed(`UPDATE notice SET effect = ? WHERE la = ? AND access = ? AND effect = ''`, effect, la, access)
	if err == nil && n != 1 {
		err = &engine.Error{Op: "tell notice", Kind: engine.Internal, Text: "the access is told already"}
	}
	return err
}
