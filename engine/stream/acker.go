package stream

import (
	"context"
	"fmt"
	"time"
)

// acknowledge sends acknowledgements in batches, by count or linger, until acks is closed and empty. An entry stays held
// until Redis has confirmed, so a failed command is repeated (XACK may be) and nothing is handled twice for it.
func (s *subscription) acknowledge() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	batch := make([]string, 0, s.cfg.AckBatch)
	for first := range s.acks {
		batch = s.collect(append(batch[:0], first), timer)
		if err := s.confirm(batch); err != nil {
			left := len(batch) + len(s.acks)
			s.err = fmt.Errorf("stream: close: %d acknowledgements of %s not sent, these will be delivered again: %w", left, s.topic, err)
			return
		}
		s.held.remove(batch)
	}
}

// collect fills a batch for as long as the linger lasts.
func (s *subscription) collect(batch []string, timer *time.Timer) []string {
	timer.Reset(s.cfg.AckLinger)
	for len(batch) < s.cfg.AckBatch {
		select {
		case id, open := <-s.acks:
			if !open {
				return batch
			}
			batch = append(batch, id)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// confirm sends one batch until Redis takes it; it gives up when the subscription is closed for longer than allowed.
func (s *subscription) confirm(ids []string) error {
	delay := backoff{base: s.cfg.RetryDelay, max: s.cfg.RetryMaxDelay}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		err := clean(s.client.XAck(ctx, s.stream, s.group, ids...).Err())
		cancel()
		s.trouble("acknowledge", err)
		if err == nil {
			return nil
		}
		if !pause(context.Background(), s.kill, delay.next()) {
			return err
		}
	}
}
