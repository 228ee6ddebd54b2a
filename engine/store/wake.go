package store

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"signalbox/engine"
)

// wakeChannel is where processes that share a PostgreSQL tell each other what has become due (LISTEN, NOTIFY). What is told holds kinds of
// events and no datum. It only spares waiting: whoever misses it finds the same work when it looks by itself.
const wakeChannel = "signalbox_wake"

// courierWord is told where an effect is due; kinds of events are told by their names.
const courierWord = "courier"

// The rhythm of telling and listening.
const (
	tellPause   = 5 * time.Millisecond // between two notifications: each passes through a lock that all who notify share
	tellTimeout = 5 * time.Second
	listenPause = time.Second // before a connection that broke is opened again
)

// neighbours tells other processes what this one has made due, and hears what they have.
type neighbours struct {
	voice   string // this process's name among them, to know its own words by
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	words map[string]bool // to tell
	some  chan struct{}
}

// meet begins to tell and to listen. It needs a connection of its own: one that listens does nothing else.
func (s *Store) meet(conf *pgx.ConnConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	n := &neighbours{voice: rand.Text(), cancel: cancel, words: map[string]bool{}, some: make(chan struct{}, 1)}
	s.neighbours = n
	n.running.Go(func() { s.tellAll(ctx) })
	n.running.Go(func() {
		for ctx.Err() == nil {
			s.listen(ctx, conf)
			wait(ctx, listenPause)
		}
	})
}

// part ends what meet began.
func (s *Store) part() {
	if s.neighbours != nil {
		s.neighbours.cancel()
		s.neighbours.running.Wait()
	}
}

// tell has the word told soon. It never waits.
func (n *neighbours) tell(word string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.words[word] = true
	n.mu.Unlock()
	signal(n.some)
}

// tellAll tells what has gathered, in transactions of its own: one that notifies waits at its commit for all others that do.
func (s *Store) tellAll(ctx context.Context) {
	n := s.neighbours
	for ctx.Err() == nil {
		select {
		case <-n.some:
		case <-ctx.Done():
			return
		}
		n.mu.Lock()
		words := []string{n.voice}
		for w := range n.words {
			words = append(words, w)
			delete(n.words, w)
		}
		n.mu.Unlock()
		within, cancel := context.WithTimeout(ctx, tellTimeout)
		// An error is a word that is not heard; nobody depends on it.
		_, _ = s.read.ExecContext(within, `SELECT pg_notify($1, $2)`, wakeChannel, strings.Join(words, " "))
		cancel()
		wait(ctx, tellPause)
	}
}

// listen hears the others until the connection breaks or ctx ends.
func (s *Store) listen(ctx context.Context, conf *pgx.ConnConfig) {
	conn, err := pgx.ConnectConfig(ctx, conf.Copy())
	if err != nil {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(closing) // there is nothing that a failure would change
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+wakeChannel); err != nil {
		return
	}
	for _, k := range engine.Kinds() { // what was told before is not told again
		s.hear(string(k))
	}
	s.hear(courierWord)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return
		}
		words := strings.Fields(n.Payload)
		if len(words) == 0 || words[0] == s.neighbours.voice {
			continue
		}
		for _, w := range words[1:] {
			s.hear(w)
		}
	}
}

// hear wakes who waits for what the word names. A word that this version does not know is for another.
func (s *Store) hear(word string) {
	switch {
	case word == courierWord:
		signal(s.post)
	case slices.Contains(engine.Kinds(), engine.Kind(word)):
		signal(s.wake[engine.Kind(word)])
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
