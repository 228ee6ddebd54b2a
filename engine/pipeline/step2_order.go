package pipeline

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

// upload is an authority's file while it is translated: which id it has, and which children it names.
type upload struct {
	*Pipeline
	message engine.Message
	route   Route
	sent    bool // by an authority
	refused bool
	fileID  string
	asked   bool           // the header was looked at
	named   map[child]bool // nil: nobody asks
}

// child is a person with a kind of plan.
type child struct {
	number engine.NHSNumber
	plan   engine.PlanType
}

func (p *Pipeline) uploadOf(m engine.Message) *upload {
	u := &upload{Pipeline: p, message: m}
	if u.route, u.sent = p.Routes.sender(m); u.route.FullRefresh {
		u.named = map[child]bool{}
	}
	return u
}

// ordered gives the records of the file, or the one reason why none counts. Where no file is ever refused for its id, the records are read once.
func (u *upload) ordered(ctx context.Context, mapping Mapping, records iter.Seq[engine.Translated]) (iter.Seq[engine.Translated], error) {
	if u.sent && u.route.Party.Sequence.Refuses() {
		for t := range u.Routes.translate(u.message, mapping) {
			if u.see(t); u.fileID != "" {
				break
			}
		}
		before, err := u.Store.FileIDBefore(ctx, u.route.Party.Authority.ODSCode, u.message.Received)
		if err != nil {
			return nil, err
		}
		fault, refused := u.route.Party.Sequence.Judge(before, u.id())
		if u.refused = refused; refused {
			return slices.Values([]engine.Translated{{Outcome: engine.Rejected, Faults: []*engine.Error{fault}}}), nil
		}
	}
	return func(yield func(engine.Translated) bool) {
		for t := range records {
			if u.see(t); !yield(t) {
				return
			}
		}
	}, nil
}

func (u *upload) see(t engine.Translated) {
	if t.Event == nil || t.Event.Flag == nil {
		return
	}
	if u.fileID == "" {
		u.fileID = t.Event.Flag.FileID
	}
	if u.named != nil {
		u.named[child{t.Event.Flag.Subject.NHSNumber, t.Event.Flag.Plan.Type}] = true
	}
}

// id is the file's id by its events, or, where no record stands, by the header of a CP-IS message.
func (u *upload) id() string {
	if u.fileID == "" && !u.asked && looksLikeXML(u.message) {
		u.asked = true
		d := cpis.NewStreamDecoder(u.message.Reader, cpis.Limits{})
		defer d.Close()
		header, _ := d.Header() //nolint:errcheck // what is wrong with it is the mapping's to say
		u.fileID = header.FileID
	}
	return u.fileID
}

// looksLikeXML reports whether the first of a message that is no white space is a '<'.
func looksLikeXML(m engine.Message) bool {
	body, err := m.Reader()
	if err != nil {
		return false
	}
	defer body.Close()
	head, _ := io.ReadAll(io.LimitReader(body, 1024)) //nolint:errcheck // whoever opened the message knows of it
	return bytes.HasPrefix(bytes.TrimSpace(head), []byte("<"))
}

// note keeps the file's id, and who was absent from a full refresh. It changes no flag.
func (u *upload) note(tx *store.Tx) error {
	if !u.sent || u.refused || u.id() == "" {
		return nil
	}
	noted := store.Upload{Message: u.message.ID, Authority: u.route.Party.Authority.ODSCode, FileID: u.fileID, Received: u.message.Received}
	if len(u.named) > 0 { // a file of which nothing could be read tells of nobody
		standing, err := u.Register.StandingOf(tx, noted.Authority, u.message.Received)
		if err != nil {
			return err
		}
		noted.FullRefresh = true
		noted.Absent = slices.DeleteFunc(standing, func(e engine.Envelope) bool {
			return u.named[child{e.Flag.Subject.NHSNumber, e.Flag.Plan.Type}]
		})
	}
	return tx.NoteUpload(noted)
}
