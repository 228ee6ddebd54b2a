package stream

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// An entry whose handler kills the process comes again after each restart, for ever. MaxDeliveries ends that.
//
// The counter is Redis' own, in the list of pending entries. But Redis counts what is read, and a reader reads ahead: each
// crash would count against every entry that happened to wait beside the poisoned one. So from the third time on the
// count is put back when an entry is read, and goes up when it is handed out; and such entries are handed out one at a
// time, so that the one which was out when the process died is the one that killed it. What is read again while it is
// held, or handed back at a close, is put back likewise.
const careful = 2

// overdue reports the reason for which an entry is not to be handed out again.
func (s *subscription) overdue(e *entry) error {
	if most := s.cfg.MaxDeliveries; most > 0 && e.deliveries > most {
		return fmt.Errorf("handed out %d times and never answered", e.deliveries-1)
	}
	return nil
}

// suspect reports whether an entry has to be alone with a handler.
func (s *subscription) suspect(e *entry) bool {
	return s.cfg.MaxDeliveries > 0 && e.deliveries > careful
}

// alone hands out a suspect after its count went up. It reports notTaken if the subscription stops before that.
func (s *subscription) alone(e *entry, kill <-chan struct{}) verdict {
	s.oneSuspect.Lock()
	defer s.oneSuspect.Unlock()
	delay := backoff{base: s.cfg.RetryDelay, max: s.cfg.RetryMaxDelay}
	for !s.stopped() {
		err := s.claimJustID([]string{e.id}, "retrycount", e.deliveries)
		s.trouble("delivery count", err)
		if err == nil {
			return s.offer(e, kill)
		}
		pause(context.Background(), s.stop, delay.next())
	}
	return notTaken
}

// count notes how often entries that were pending have been delivered, this time included, and puts counts back. Entries
// come in the order of ids. If Redis does not tell, they count as new: a limit must not drop what it knows nothing of.
func (r *reader) count(entries []*entry) {
	if r.cfg.MaxDeliveries == 0 || len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	pending, err := r.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: r.stream, Group: r.group, Consumer: r.cfg.Consumer,
		Start: entries[0].id, End: entries[len(entries)-1].id, Count: int64(len(entries) + r.cfg.MaxInFlight),
	}).Result()
	counts := make(map[string]int, len(pending))
	for _, p := range pending {
		counts[p.ID] = int(p.RetryCount)
	}
	back := make(map[int][]string)
	for _, e := range entries {
		n := counts[e.id]
		if holds, held := r.held.deliveries(e.id); held {
			if n > holds {
				back[holds] = append(back[holds], e.id)
			}
			continue
		}
		if e.deliveries = max(n, 1); e.deliveries > careful && e.deliveries <= r.cfg.MaxDeliveries {
			back[n-1] = append(back[n-1], e.id)
		}
	}
	r.countTrouble(clean(err), r.putBack(back))
}

// countTrouble notes whether counting went well. It is not the reading's failure: entries are handed out all the same.
func (r *reader) countTrouble(count, back error) {
	r.uncounted = count != nil || back != nil
	r.trouble("count deliveries", count)
	r.trouble("put counts back", back)
}

// putBack sets the delivery counts of pending entries.
func (s *subscription) putBack(counts map[int][]string, options ...any) error {
	for n, all := range counts {
		for ids := range chunks(all) {
			if err := s.claimJustID(ids, append(options[:len(options):len(options)], "retrycount", n)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// handBack makes entries that nobody has seen look idle for long enough, so that another consumer takes them at its
// next look, and not after ClaimMinIdle. This consumer, if it returns first, still finds them pending in its own name.
func (s *subscription) handBack() {
	counts := make(map[int][]string)
	for _, e := range s.unused {
		counts[e.deliveries-1] = append(counts[e.deliveries-1], e.id)
	}
	if err := s.putBack(counts, "idle", s.cfg.ClaimMinIdle.Milliseconds()); err != nil {
		s.log.Warn("could not hand entries back: they wait for their time", "count", len(s.unused), "error", err)
	}
}
