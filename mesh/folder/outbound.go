package folder

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/mesh"
	"signalbox/mesh/internal/durable"
)

// phase is how far a pair has come. Each is on disk before the step that it announces.
type phase string

const (
	sending  phase = "sending"  // it may have been sent
	finished phase = "finished" // sent or refused: it goes to SENT or FAILED
)

// record is what is kept of a pair between OUT and SENT or FAILED.
type record struct {
	Phase   phase     `json:"phase"`
	Name    string    `json:"name"`
	Ctl     string    `json:"ctl"`               // digest of the control file and its time stamp
	Dat     fileState `json:"dat"`               // of the payload
	Started time.Time `json:"started"`           // of the first attempt
	LocalID string    `json:"localId"`           // that the message is found by
	Message string    `json:"message,omitempty"` // the service's id, once a part was taken
	Chunks  int       `json:"chunks,omitempty"`  // that were taken
	Target  string    `json:"target,omitempty"`  // folder to go to
	As      string    `json:"as,omitempty"`      // name there
	Control *Control  `json:"control,omitempty"` // as it is written there; nil: as it came
}

// SendReady sends every pair in OUT that is old enough. One that cannot be sent now stays, and does not keep the others; err
// says why. young reports that something is there that is not old enough.
func (b *Bridge) SendReady(ctx context.Context) (sent int, young bool, err error) {
	if err := b.finishAll(); err != nil {
		return 0, false, err
	}
	list, err := pairs(b.dir.out)
	if err != nil {
		return 0, false, err
	}
	var errs []error
	for _, p := range list {
		if ctx.Err() != nil {
			break
		}
		switch {
		case p.young(b.cfg.Now(), b.cfg.MinAge):
			young = true
			continue
		case p.dat == "" && b.cfg.Now().Sub(p.changed) < b.cfg.Patience:
			continue
		}
		if err := b.sendPair(ctx, p); err != nil {
			errs = append(errs, err)
			continue
		}
		sent++
	}
	return sent, young, errors.Join(errs...)
}

// sendPair brings one pair from OUT to SENT or FAILED, from wherever it was left.
func (b *Bridge) sendPair(ctx context.Context, p pair) error {
	control, raw, err := readControl(p.ctl)
	if err != nil && !errors.Is(err, ErrControl) {
		return err
	}
	fresh := record{Phase: sending, Name: p.name, Ctl: digest(raw) + p.changed.UTC().Format(time.RFC3339Nano), Dat: p.datState}
	r, again := b.load(p.name)
	if again = again && r.Ctl == fresh.Ctl && r.Dat == fresh.Dat; !again {
		r = fresh
		r.Started, r.LocalID = b.cfg.Now(), control.LocalID
		if r.LocalID == "" {
			r.LocalID = "folder-" + uuid.NewString()
		}
	}
	if err != nil {
		return b.refuse(p, r, nil, refusal{"TRANSFER", "06", "Malformed control file"})
	}
	m, err := control.outgoing(b.box.MailboxID())
	switch why := (refusal{}); {
	case errors.As(err, &why):
		return b.refuse(p, r, &control, why)
	case p.dat == "" || p.datState.Size == 0:
		return b.refuse(p, r, &control, refusal{"COLLECT", "02", "Data file is missing or inaccessible"})
	}
	m.LocalIDShared = control.LocalID != ""
	m.LocalID = r.LocalID
	if again {
		m.Tried, m.Known = r.Started, mesh.Known{MessageID: r.Message, Chunks: r.Chunks}
	} else if err := b.save(r); err != nil {
		return err
	}
	return b.transmit(ctx, p, r, control, m)
}

func (b *Bridge) transmit(ctx context.Context, p pair, r record, control Control, m mesh.Outgoing) error {
	f, err := os.Open(p.dat)
	if err != nil {
		return durable.Nameless(err)
	}
	defer f.Close()
	if !flag(control.AllowChunking, true) && p.datState.Size > mesh.Default().ChunkSize {
		return b.refuse(p, r, &control, refusal{"TRANSFER", "06", "Message needs chunks and AllowChunking is N"})
	}
	m.Body = f
	m.Keep = func(now mesh.Known) error {
		if now.Chunks == now.Total {
			return nil // the end of it is on record next
		}
		r.Message, r.Chunks = now.MessageID, now.Chunks
		return b.save(r)
	}
	id, err := b.box.SendOnce(ctx, m)
	if err == nil {
		control.DTSID, control.LocalID = id, r.LocalID
		control.Status = sentStatus(b.cfg.Now())
		r.Target = sentName
		b.cfg.Log.Info("message sent", "mesh", id, "bytes", p.datState.Size)
		return b.finish(b.decide(r, &control))
	}
	e, ok := errors.AsType[*mesh.Error](err)
	switch {
	case !ok || ctx.Err() != nil:
		return err
	case e.Kind == mesh.ErrOutcomeUnknown && errors.Is(err, mesh.ErrNotUnique):
		return b.refuse(p, r, &control, refusal{"SEND", "", "Not known whether it was sent: the service has several messages of this LocalId"})
	case e.Kind == mesh.ErrRejected || e.Kind == mesh.ErrInvalid:
		control.DTSID = e.MessageID
		return b.refuse(p, r, &control, reason(e))
	case e.Kind == mesh.ErrNotFound || e.Kind != mesh.ErrOutcomeUnknown && e.MessageID == "":
		return errors.Join(err, b.disk.remove(b.recordFile(r.Name))) // nothing was taken, or it is gone: there is nothing to go on with
	}
	return err
}

// reason takes of a refusal what is in the published code list.
func reason(e *mesh.Error) refusal {
	if e.Kind == mesh.ErrInvalid {
		return refusal{"TRANSFER", "06", "Malformed control file: " + e.Err.Error()}
	}
	r := refusal{event: "SEND"}
	if r.code, r.text = e.Published(); r.code != "" && e.Event != "" {
		r.event = e.Event
	}
	return r
}

func (b *Bridge) refuse(p pair, r record, control *Control, why refusal) error {
	if control != nil {
		control.Status = failedStatus(b.cfg.Now(), why)
	}
	r.Target = failedName
	b.cfg.Log.Error("message refused, moved to FAILED", "pair", digest([]byte(p.name)), "code", why.code)
	return b.finish(b.decide(r, control))
}

// decide makes the end of a pair durable, with the name that it gets: one that is taken is not written over.
func (b *Bridge) decide(r record, control *Control) (record, error) {
	r.Phase, r.Control, r.As = finished, control, r.Name
	dir := filepath.Join(b.cfg.Root, r.Target)
	if exists(filepath.Join(dir, r.As+".ctl")) || exists(filepath.Join(dir, r.As+".dat")) {
		r.As += "." + uuid.NewString()[:8]
	}
	return r, b.save(r)
}

// finish moves a pair out of OUT: the payload, then the control file, then our record of it. Each step may have been done before.
func (b *Bridge) finish(r record, err error) error {
	if err != nil {
		return err
	}
	p := b.pairOf(r.Name)
	keep := r.Target == failedName || b.cfg.SaveSent
	dir := filepath.Join(b.cfg.Root, r.Target)
	if p.dat != "" && p.datState == r.Dat {
		if keep {
			err = b.disk.rename(p.dat, filepath.Join(dir, r.As+".dat"))
		} else {
			err = b.disk.remove(p.dat)
		}
	}
	if err == nil && keep {
		err = b.publishControl(r, p, filepath.Join(dir, r.As+".ctl"))
	}
	if err == nil && p.ctl != "" && b.same(r, p) {
		err = b.disk.remove(p.ctl)
	}
	if err != nil {
		return err
	}
	return b.disk.remove(b.recordFile(r.Name))
}

func (b *Bridge) publishControl(r record, p pair, to string) error {
	switch {
	case exists(to):
		return nil
	case r.Control != nil:
		return b.disk.publish(filepath.Join(b.dir.sending, digest([]byte(r.Name))+".tmp"), to, r.Control.Bytes())
	case p.ctl != "" && b.same(r, p):
		return b.disk.rename(p.ctl, to) // what cannot be read is kept as it came
	}
	return nil
}

// same reports whether the control file in OUT is still the one that the record is about.
func (b *Bridge) same(r record, p pair) bool {
	_, raw, err := readControl(p.ctl)
	return (err == nil || errors.Is(err, ErrControl)) && r.Ctl == digest(raw)+p.changed.UTC().Format(time.RFC3339Nano)
}

func (b *Bridge) pairOf(name string) pair {
	list, err := pairs(b.dir.out)
	if err == nil {
		for _, p := range list {
			if p.name == name {
				return p
			}
		}
	}
	return pair{name: name}
}

// finishAll goes on with what was sent or refused when the process ended.
func (b *Bridge) finishAll() error {
	list, err := os.ReadDir(b.dir.sending)
	if err != nil {
		return durable.Nameless(err)
	}
	var errs []error
	for _, e := range list {
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		if r, ok := b.read(filepath.Join(b.dir.sending, e.Name())); ok && r.Phase == finished {
			errs = append(errs, b.finish(r, nil))
		}
	}
	return errors.Join(errs...)
}

func (b *Bridge) recordFile(name string) string {
	return filepath.Join(b.dir.sending, digest([]byte(name))+".json")
}

func (b *Bridge) save(r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	name := b.recordFile(r.Name)
	return b.disk.publish(strings.TrimSuffix(name, ".json")+".new", name, raw)
}

func (b *Bridge) load(name string) (record, bool) { return b.read(b.recordFile(name)) }

// read reads a record. They are renamed into place, so one that cannot be read was not written by us.
func (b *Bridge) read(name string) (r record, ok bool) {
	f, err := os.Open(name)
	if err != nil {
		return r, false
	}
	defer f.Close()
	return r, json.NewDecoder(io.LimitReader(f, 4*MaxControl)).Decode(&r) == nil
}
