package pipeline

import (
	"context"
	"time"

	"signalbox/engine/silence"
	"signalbox/engine/store"
)

// listenEvery is how often it is looked who should have been heard by now.
const listenEvery = time.Minute

// listenWorker is the worker's name in health reports.
const listenWorker = "silence"

// listen notices senders that have stopped: each is told of once when it falls silent and once when it is heard again, and the observer of all
// of them in every round.
func (p *Pipeline) listen(ctx context.Context, _ store.Lease) {
	defer p.Observer.Silence(nil, time.Time{})
	silent, warned := map[silence.Sender]bool{}, 0
	var settled int64 // the newest event of the round before: nothing with a lower number is under way any more
	var tidied time.Time
	for {
		p.Observer.Beat(listenWorker, listenEvery+stall)
		settled = p.hear(ctx, settled)
		now := p.Now()
		if reports, err := p.Watcher.Look(ctx, now); err != nil {
			p.complainOfSilence(ctx, err)
		} else {
			p.Observer.Silence(reports, p.Watcher.CalendarUntil())
			p.tellSilence(reports, silent)
		}
		if year := now.Year(); year != warned && !p.Watcher.CalendarCovers(now) {
			warned = year
			p.Log.Error("the calendar of bank holidays does not cover this year: they are taken for working days; set silence.holidays to a newer file",
				"step", "silence")
		}
		if now.Sub(tidied) >= 24*time.Hour {
			if _, err := p.Store.ForgetHeard(ctx, p.Watcher.Span()); err != nil {
				p.complainOfSilence(ctx, err)
			}
			tidied = now
		}
		if !pause(ctx, listenEvery, nil) {
			return
		}
	}
}

// hear counts the accesses that were recorded before the last round into hours. It returns the newest event of now.
func (p *Pipeline) hear(ctx context.Context, settled int64) int64 {
	newest, err := p.Store.LastEvent(ctx)
	if !p.Store.Shared() { // one writer: numbers are given out in the order of the commits
		settled = newest
	}
	for more := true; err == nil && more && ctx.Err() == nil; {
		p.Observer.Beat(listenWorker, listenEvery+stall)
		more, err = p.Store.HearAccesses(ctx, settled)
	}
	if err != nil {
		p.complainOfSilence(ctx, err)
	}
	return newest
}

func (p *Pipeline) complainOfSilence(ctx context.Context, err error) {
	if ctx.Err() == nil {
		p.Log.Error("cannot look who is silent, will try again", "step", "silence", "error", err)
	}
}

// tellSilence logs what has changed since the last round. silent is who was.
func (p *Pipeline) tellSilence(reports []silence.Report, silent map[silence.Sender]bool) {
	for _, r := range reports {
		switch now := r.State == silence.Silent; {
		case now && !silent[r.Sender]:
			p.Log.Error("a sender is silent", "step", "silence", "kind", string(r.Kind), "sender", r.Name, "why", r.Why)
			silent[r.Sender] = true
		case !now && silent[r.Sender]:
			p.Log.Info("a sender is heard again", "step", "silence", "kind", string(r.Kind), "sender", r.Name)
			delete(silent, r.Sender)
		}
	}
}

// polled returns what notes that a mailbox was listed, once a minute at most.
func (p *Pipeline) polled(ctx context.Context, mailbox string) func() {
	var noted time.Time
	return func() {
		if now := p.Now(); p.Watcher != nil && now.Sub(noted) >= time.Minute {
			noted = now
			if err := p.Store.NotePolled(ctx, mailbox); err != nil {
				p.complainOfSilence(ctx, err)
			}
		}
	}
}
