package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/internal/durable"
)

// Box is the application's side of the folders: it reads what a MESH client put into IN and hands over in OUT what that client
// shall send. Its methods are those of a mesh.Client that an application needs, so that it can stand in a client's place.
type Box struct {
	cfg     Config
	mailbox string
	disk    disk
	dir     layout
	drafts  string
	taken   string
}

// NewBox opens the folders of a mailbox. The mailbox id goes into From_DTS.
func NewBox(cfg Config, mailboxID string) (*Box, error) {
	err := cfg.Validate()
	if mailboxID == "" {
		err = errors.Join(err, errors.New("folder: mailbox id: is missing"))
	}
	if err != nil {
		return nil, err
	}
	b := &Box{cfg: cfg, mailbox: strings.ToUpper(mailboxID), dir: newLayout(cfg.Root)}
	b.drafts, b.taken = filepath.Join(cfg.Root, workName, "drafts"), filepath.Join(cfg.Root, workName, "taken")
	return b, makeDirs(b.dir.in, b.dir.out, b.dir.sent, b.dir.failed, b.drafts, b.taken)
}

// MailboxID returns the mailbox whose folders these are.
func (b *Box) MailboxID() string { return b.mailbox }

// Every is how often IN should be listed: a folder is nearer than the service, whose etiquette does not hold here.
func (b *Box) Every() time.Duration { return b.cfg.Scan }

// Handshake checks that the folders are there.
func (b *Box) Handshake(context.Context) error {
	for _, d := range []string{b.dir.in, b.dir.out} {
		if info, err := os.Stat(d); err != nil || !info.IsDir() {
			return box("handshake", mesh.ErrTransport, errors.New("folder is missing"))
		}
	}
	return nil
}

func box(op string, kind mesh.Kind, err error) error {
	return &mesh.Error{Op: op, Kind: kind, Err: err}
}

// List yields the names of the control files in IN that are old enough, oldest first. Of the options only a workflow filter
// without * and ! is understood.
func (b *Box) List(_ context.Context, o mesh.ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if strings.ContainsAny(o.WorkflowFilter, "*!") {
			yield("", box("list", mesh.ErrInvalid, errors.New("workflow filter: only a whole workflow id is understood here")))
			return
		}
		list, err := pairs(b.dir.in)
		if err = errors.Join(err, b.sweep()); err != nil {
			yield("", box("list", mesh.ErrTransport, err))
			return
		}
		for _, p := range list {
			if p.young(b.cfg.Now(), b.cfg.MinAge) || o.WorkflowFilter != "" && !b.ofWorkflow(p, o.WorkflowFilter) {
				continue
			}
			if !yield(p.name, nil) {
				return
			}
		}
	}
}

func (b *Box) ofWorkflow(p pair, workflow string) bool {
	c, _, err := readControl(p.ctl)
	return err == nil && c.WorkflowID == workflow
}

// find returns the pair of a message id. An id that is no plain file name is refused: it would lead out of the folder.
func (b *Box) find(op, dir, id string) (pair, error) {
	if id == "" || id != filepath.Base(id) || strings.HasPrefix(id, ".") {
		return pair{}, box(op, mesh.ErrInvalid, errors.New("message id: is no file name"))
	}
	list, err := pairs(dir)
	if err != nil {
		return pair{}, box(op, mesh.ErrTransport, err)
	}
	for _, p := range list {
		if p.name == id {
			return p, nil
		}
	}
	return pair{}, box(op, mesh.ErrNotFound, errors.New("no such control file"))
}

// Get opens a message in IN. A control file of a report has no payload.
func (b *Box) Get(_ context.Context, messageID string) (*mesh.Incoming, error) {
	const op = "get"
	p, err := b.find(op, b.dir.in, messageID)
	if err != nil {
		return nil, err
	}
	c, _, err := readControl(p.ctl)
	if err != nil {
		return nil, box(op, mesh.ErrProtocol, err)
	}
	h := c.header(p.name)
	if h.IsReport() {
		h.LinkedMessageID = b.linked(c)
		return mesh.NewIncoming(h, io.NopCloser(strings.NewReader(""))), nil
	}
	if p.dat == "" {
		return nil, box(op, mesh.ErrProtocol, errors.New("control file has no payload beside it"))
	}
	f, err := os.Open(p.dat)
	if err != nil {
		return nil, box(op, mesh.ErrTransport, durable.Nameless(err))
	}
	in := mesh.NewIncoming(h, f)
	if b.cfg.MaxMessage > 0 {
		in.SetLimit(b.cfg.MaxMessage)
	}
	return in, nil
}

// linked returns what Send returned for the message that a report is about, where it is one of ours, else the service's id.
func (b *Box) linked(report Control) string {
	if report.LocalID != "" {
		name := safeName(report.LocalID)
		for _, dir := range []string{b.dir.sent, b.dir.failed} {
			if p, err := b.find("get", dir, name); err == nil {
				if c, _, err := readControl(p.ctl); err == nil && (report.DTSID == "" || c.DTSID == report.DTSID) {
					return name
				}
			}
		}
	}
	return report.DTSID
}

// Acknowledge takes a message out of IN: the control file first, so that what is left by a process that is killed is no message.
// A message that is not there counts as acknowledged.
func (b *Box) Acknowledge(_ context.Context, messageID string) error {
	const op = "acknowledge"
	p, err := b.find(op, b.dir.in, messageID)
	if errors.Is(err, mesh.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	if p.ctl != "" {
		note := []byte(filepath.Base(p.dat))
		if p.dat == "" {
			note = nil
		}
		name := filepath.Join(b.taken, digest([]byte(p.name)))
		// The note says which payload goes, and counts once the control file is gone.
		if err := b.disk.publish(name+".new", name+".note", note); err != nil {
			return box(op, mesh.ErrTransport, err)
		}
		if err := b.disk.remove(p.ctl); err != nil {
			return box(op, mesh.ErrTransport, err)
		}
	}
	if err := b.sweep(); err != nil {
		return box(op, mesh.ErrTransport, err)
	}
	return nil
}

// sweep removes the payloads of messages whose control file has been taken.
func (b *Box) sweep() error {
	list, err := os.ReadDir(b.taken)
	if err != nil {
		return durable.Nameless(err)
	}
	for _, e := range list {
		name := filepath.Join(b.taken, e.Name())
		raw, err := os.ReadFile(name)
		if err != nil || filepath.Ext(name) != ".note" {
			continue
		}
		if dat := string(raw); dat != "" {
			stem := strings.TrimSuffix(dat, filepath.Ext(dat))
			if _, err := b.find("sweep", b.dir.in, stem); err == nil {
				continue // still a message: the note came first and no more
			}
			if err := b.disk.remove(filepath.Join(b.dir.in, dat)); err != nil {
				return err
			}
		}
		if err := b.disk.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// Send hands a message over in OUT and returns the name of the pair, which LocalID decides: the same message handed over twice
// is one pair. The service's own message id is known only when the pair has come to SENT.
func (b *Box) Send(_ context.Context, m mesh.Outgoing) (string, error) {
	const op = "send"
	if m.LocalID == "" || m.To == "" || m.WorkflowID == "" || m.Body == nil {
		return "", box(op, mesh.ErrInvalid, errors.New("recipient, workflow, local id and body: are needed"))
	}
	name := safeName(m.LocalID)
	if exists(filepath.Join(b.dir.out, name+".ctl")) {
		return name, nil
	}
	temp := filepath.Join(b.drafts, name)
	if err := b.disk.write(temp+".dat", m.Body); err != nil {
		return "", box(op, mesh.ErrTransport, err)
	}
	if err := b.disk.rename(temp+".dat", filepath.Join(b.dir.out, name+".dat")); err != nil {
		return "", box(op, mesh.ErrTransport, err)
	}
	c := Control{
		Version: "1.0", AddressType: "DTS", MessageType: "Data", WorkflowID: m.WorkflowID, FromDTS: b.mailbox, ToDTS: m.To, Subject: m.Subject, LocalID: m.LocalID,
		Compress: letter(m.Compress), AllowChunking: yes, Encrypted: letter(m.Encrypted), IsCompressed: letter(m.Compressed), DataChecksum: m.Checksum,
		PartnerID: m.PartnerID,
	}
	if err := b.disk.publish(temp+".ctl", filepath.Join(b.dir.out, name+".ctl"), c.Bytes()); err != nil {
		return "", &mesh.Error{Op: op, Kind: mesh.ErrOutcomeUnknown, Err: err}
	}
	return name, nil
}

// TrackByLocalID tells where a message that was handed over stands: Uploading while it is in OUT, Accepted in SENT, Failed in
// FAILED. MessageID is the name of the pair, as Send returned it.
func (b *Box) TrackByLocalID(_ context.Context, localID string) (mesh.Tracking, error) {
	name := safeName(localID)
	for _, at := range []struct {
		dir    string
		status mesh.TrackingStatus
	}{{b.dir.out, mesh.Uploading}, {b.dir.sent, mesh.Accepted}, {b.dir.failed, mesh.Failed}} {
		p, err := b.find("track", at.dir, name)
		if errors.Is(err, mesh.ErrNotFound) {
			continue
		}
		if err != nil {
			return mesh.Tracking{}, err
		}
		c, _, err := readControl(p.ctl)
		if err != nil {
			return mesh.Tracking{}, box("track", mesh.ErrTransport, fmt.Errorf("in %s: %w", filepath.Base(at.dir), err))
		}
		t := mesh.Tracking{MessageID: name, LocalID: localID, WorkflowID: c.WorkflowID, Recipient: c.ToDTS, Status: at.status, FileSize: p.datState.Size}
		if s := c.Status; s != nil {
			t.StatusCode, t.StatusEvent, t.StatusTime, t.StatusSuccess = s.StatusCode, s.Event, s.DateTime, strings.EqualFold(s.Status, "SUCCESS")
		}
		return t, nil
	}
	return mesh.Tracking{}, box("track", mesh.ErrNotFound, errors.New("no pair of this local id"))
}
