package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"sync"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// State is how far a raw message has come.
type State string

// The states of a raw message.
const (
	Received    State = "received"    // durable, not yet translated
	Translated  State = "translated"  // every record has an event or a fault
	Complete    State = "complete"    // every event has its outcome
	Quarantined State = "quarantined" // no mapping could be applied; kept for a person
	Report      State = "report"      // a MESH report about a message of ours; never translated
)

// Arrival is a raw message with how far it has come.
type Arrival struct {
	Message  engine.Message
	State    State
	Digest   string // of the raw bytes
	Mapping  string // digest of the mapping that translated it
	Records  int
	Accepted int
	Open     int // events without an outcome

	trouble *trouble // of reading the bytes piece by piece
}

// Intake makes a raw message durable together with the event that will have it translated. It reports whether the message is new: the
// same Source and Upstream are taken once. Acknowledge upstream only after Intake has returned without an error.
//
// The time of receipt orders what one source says, and the later word wins: so it never goes back, whatever the clock does, and no two
// messages of a source share it.
func (s *Store) Intake(ctx context.Context, m engine.Message) (fresh bool, err error) {
	return s.intake(ctx, m, s.pack(m.Body))
}

// IntakeSpool is Intake for a message whose body was written to a spool.
func (s *Store) IntakeSpool(ctx context.Context, m engine.Message, body *Spool) (fresh bool, err error) {
	raw, err := body.pack()
	if err != nil {
		return false, err
	}
	return s.intake(ctx, m, raw)
}

func (s *Store) intake(ctx context.Context, m engine.Message, raw packed) (fresh bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		m := m
		if m.Received, err = tx.after(m.Source, m.Received); err != nil {
			return err
		}
		if fresh, err = tx.addMessage(m, raw, Received); err != nil || !fresh {
			return err
		}
		return tx.AddEvent(engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: m.Source, Message: m.ID, Received: m.Received}))
	})
	return fresh, err
}

// after returns the time given, or the first that is later than every receipt from the source.
func (tx *Tx) after(source string, at time.Time) (time.Time, error) {
	rows, err := tx.query(`SELECT max(received) FROM message WHERE source = ?`, source)
	if err != nil {
		return at, err
	}
	defer rows.Close()
	var last sql.NullInt64
	for rows.Next() {
		if err := rows.Scan(&last); err != nil {
			return at, unavailable("store read", err)
		}
	}
	if last.Valid && micros(at) <= last.Int64 && !teeth.Bite("order-by-clock") {
		at = fromMicros(last.Int64 + 1)
	}
	return at, unavailable("store read", rows.Err())
}

// KeepReport makes a MESH report durable. A report has no body to translate.
func (s *Store) KeepReport(ctx context.Context, m engine.Message) error {
	raw := s.pack(m.Body)
	return s.Write(ctx, func(tx *Tx) error {
		_, err := tx.addMessage(m, raw, Report)
		return err
	})
}

func (tx *Tx) addMessage(m engine.Message, raw packed, state State) (bool, error) {
	if err := tx.keepRaw(raw); err != nil {
		return false, err
	}
	n, err := tx.changed(`INSERT INTO message (id, source, upstream, sender, workflow, local_id, file_name, digest, received, state)
		VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
		string(m.ID), m.Source, m.Upstream, m.From, m.WorkflowID, m.LocalID, m.FileName, raw.digest, micros(m.Received), string(state))
	return n == 1, err
}

// Arrival returns a raw message with its bytes. The error is of kind NotFound when there is none, or when retention has removed its bytes.
func (s *Store) Arrival(ctx context.Context, id engine.MessageID) (Arrival, error) {
	a, raw, err := s.arrival(ctx, id)
	if err != nil {
		return a, err
	}
	a.Message.Body, err = s.unpack(ctx, raw)
	return a, err
}

// ArrivalOpened is Arrival with the bytes of a large message to be read piece by piece, through Message.Open, for as long as ctx lasts. Ask Broken, when all is
// read, whether a reading failed: what was made of the bytes is then worth nothing.
func (s *Store) ArrivalOpened(ctx context.Context, id engine.MessageID) (Arrival, error) {
	a, raw, err := s.arrival(ctx, id)
	if err != nil {
		return a, err
	}
	if raw.spool == "" && raw.size > 0 && raw.size <= heldBytes { // one piece
		a.Message.Body, err = s.unpack(ctx, raw)
		return a, err
	}
	a.trouble = &trouble{}
	a.Message.Size, a.Message.Open = raw.size, func() (io.ReadCloser, error) {
		r, err := s.reader(ctx, raw)
		a.trouble.note(err)
		return &watched{r, a.trouble}, err
	}
	if raw.encoding == removed {
		_, err = s.reader(ctx, raw)
	}
	return a, err
}

// Broken returns why the bytes of a message could not be read to their end, the first time that happened; nil when they could.
func (a Arrival) Broken() error {
	if a.trouble == nil {
		return nil
	}
	a.trouble.mu.Lock()
	defer a.trouble.mu.Unlock()
	return a.trouble.err
}

// trouble is the first failure of all readings of one body.
type trouble struct {
	mu  sync.Mutex
	err error
}

func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && !errors.Is(err, io.EOF) && t.err == nil {
		t.err = err
	}
}

// watched notes the failure of a reading: who reads may take it for the file's.
type watched struct {
	io.ReadCloser
	trouble *trouble
}

// Read gives more of the body.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.trouble.note(err)
	return n, err
}

func (s *Store) arrival(ctx context.Context, id engine.MessageID) (a Arrival, raw packed, err error) {
	var received int64
	m := &a.Message
	err = s.row(ctx, `SELECT m.id, source, upstream, sender, workflow, local_id, file_name, m.digest, received, state, mapping,
		records, accepted, open, body, encoding, size, spool FROM message m JOIN raw r ON r.digest = m.digest WHERE m.id = ?`, string(id)).
		Scan(&m.ID, &m.Source, &m.Upstream, &m.From, &m.WorkflowID, &m.LocalID, &m.FileName, &a.Digest, &received, &a.State, &a.Mapping,
			&a.Records, &a.Accepted, &a.Open, &raw.body, &raw.encoding, &raw.size, &raw.spool)
	if err != nil {
		return a, raw, found("message", err)
	}
	m.Received = fromMicros(received)
	return a, raw, nil
}

// KeepMapping stores a mapping folder under its digest, once.
func (s *Store) KeepMapping(ctx context.Context, digest, supplier string, archive []byte) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO mapping (digest, supplier, archive, created) VALUES (?,?,?,?) ON CONFLICT (digest) DO NOTHING`,
			digest, supplier, archive, micros(tx.now))
	})
}

// Mapping returns the archive of the mapping folder with that digest. The error is of kind NotFound when there is none.
func (s *Store) Mapping(ctx context.Context, digest string) ([]byte, error) {
	var archive []byte
	err := s.row(ctx, `SELECT archive FROM mapping WHERE digest = ?`, digest).Scan(&archive)
	return archive, found("mapping", err)
}

func found(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "no such " + what}
	}
	return unavailable("store read", err)
}

// Standing is how far a message has come, without its bytes.
type Standing struct {
	Source   string
	State    State
	Received time.Time
}

// Standing returns how far a message has come. The error is of kind NotFound when there is none.
func (s *Store) Standing(ctx context.Context, id engine.MessageID) (Standing, error) {
	var out Standing
	var received int64
	err := s.row(ctx, `SELECT source, state, received FROM message WHERE id = ?`, string(id)).Scan(&out.Source, &out.State, &received)
	if err != nil {
		return out, found("message", err)
	}
	out.Received = fromMicros(received)
	return out, nil
}
