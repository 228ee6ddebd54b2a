package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// Names of the leases. Work that must be done by one process at a time has one.
const (
	leaseRelay     = "relay"
	leaseReconcile = "reconcile"
	leaseCourier   = "courier"
	leaseRetention = "retention"
	leaseSilence   = "silence"
	leaseMailbox   = "mailbox/" // and the mailbox's id
)

// task is work that one process does alone. It returns when its context ends: that is when the engine stops or the lease is over.
type task func(ctx context.Context, by store.Lease)

// tasks are the loops beside the router, by the lease that each needs.
func (p *Pipeline) tasks() map[string]task {
	all := map[string]task{
		leaseRelay:     p.relayAll,
		leaseReconcile: p.watched(reconcileWorker, p.cfg.Reconcile+stall, p.reconcile),
		leaseCourier:   p.watched(courierWorker, stall, p.courier),
	}
	if p.cfg.RetainRaw > 0 {
		all[leaseRetention] = p.watched(retentionWorker, retentionEvery+stall, p.retention)
	}
	if p.Watcher != nil {
		all[leaseSilence] = p.watched(listenWorker, listenEvery+stall, p.listen)
	}
	for _, m := range p.Mailboxes {
		all[leaseMailbox+m.MailboxID()] = p.watched(collectWorker(m.MailboxID()), p.patience(), func(ctx context.Context, _ store.Lease) { p.collect(ctx, m) })
	}
	return all
}

// watched has a task's beats begin and end with it: a process that does not hold the lease has nothing to be late with.
func (p *Pipeline) watched(name string, within time.Duration, work task) task {
	return func(ctx context.Context, by store.Lease) {
		p.Observer.Beat(name, within)
		defer p.Observer.Rest(name)
		work(ctx, by)
	}
}

func (p *Pipeline) relayAll(ctx context.Context, by store.Lease) {
	var running sync.WaitGroup
	p.relaying.set(true)
	for _, k := range engine.Kinds() {
		work := p.watched(relayWorker(k), stall, func(ctx context.Context, _ store.Lease) { p.relay(ctx, k) })
		running.Go(func() { work(ctx, by) })
	}
	running.Wait()
	p.relaying.set(false)
	for _, k := range engine.Kinds() { // a handler may have beaten for it meanwhile
		p.Observer.Rest(relayWorker(k))
	}
}

// relaying tells whether this process relays.
type relaying struct {
	mu  sync.RWMutex
	now bool
}

func (r *relaying) set(now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
}

// do runs a function if it does, before it ends.
func (r *relaying) do(do func()) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.now {
		do()
	}
}

// alone does a task whenever this process holds its lease, until ctx ends. Whoever holds a lease renews it three times before it would end;
// when the holder dies, another process has the lease after that time and the wait between two of its own tries.
func (p *Pipeline) alone(ctx context.Context, name string, work task) {
	for ctx.Err() == nil {
		l, err := p.Store.Lease(ctx, name, p.Owner, p.cfg.Lease)
		if err == nil {
			p.Log.Debug("lease taken", "lease", name, "fence", l.Fence)
			p.hold(ctx, l, work)
			continue
		}
		if box, ok := strings.CutPrefix(name, leaseMailbox); ok && errors.Is(err, store.ErrHeld) {
			p.Observer.Elsewhere(box)
		}
		if !errors.Is(err, store.ErrHeld) && ctx.Err() == nil {
			p.Log.Error("lease not taken, will try again", "lease", name, "error", err)
		}
		third := p.cfg.Lease / 3
		if !pause(ctx, third/2+rand.N(third/2+1), nil) {
			return
		}
	}
}

// hold works under a lease and renews it. The work's context ends with the lease at the latest, whether or not the database can be reached:
// by then another process may have taken over.
func (p *Pipeline) hold(ctx context.Context, l store.Lease, work task) {
	within, end := context.WithCancel(ctx)
	defer end()
	var until deadline
	until.set(l.Until)
	within = context.WithValue(within, deadlineKey{}, &until)
	over := time.AfterFunc(time.Until(l.Until), end)
	defer over.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		work(within, l)
	}()
	for pause(within, p.cfg.Lease/3, nil) {
		renewed, err := p.Store.Renew(ctx, l, p.cfg.Lease)
		if errors.Is(err, store.ErrHeld) {
			p.Log.Warn("lease lost to another process", "lease", l.Name)
			break
		}
		if err == nil && over.Stop() {
			until.set(renewed.Until)
			over.Reset(time.Until(renewed.Until))
		}
	}
	end()
	<-ended
	if ctx.Err() == nil {
		return
	}
	// What cannot be released in a moment is left to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := p.Store.Release(ctx, l); err != nil {
		p.Log.Warn("lease not released: others wait until it ends", "lease", l.Name, "error", err)
	}
}

// deadline is when a lease ends unless it is renewed. The work's context ends then too, but by a timer: in a process that was frozen past
// it, whatever was about to happen may come first when it thaws. What must not happen late asks the clock.
type deadline struct{ at atomic.Pointer[time.Time] }

type deadlineKey struct{}

func (d *deadline) set(at time.Time) { d.at.Store(&at) }

// errLeaseOver says that the work's lease has ended: another process may have taken over.
var errLeaseOver = errors.New("the lease is over")

// stands returns an error once the work's context, or the lease that it was given with, has ended.
func stands(ctx context.Context) error {
	if d, ok := ctx.Value(deadlineKey{}).(*deadline); ok && !time.Now().Before(*d.at.Load()) && !teeth.Bite("thawed-owner-sends") {
		return errLeaseOver
	}
	return ctx.Err()
}
