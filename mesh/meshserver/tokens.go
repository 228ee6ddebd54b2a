package meshserver

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/mesh"
)

// tokenSet remembers which tokens were used, for as long as their time would still let them pass. Each use is also a record
// in a file, one file for each hour of use, so that a restart remembers as well. The records are written before what the call
// changes and before it is answered, those of calls that change something together, and not synced: they outlive the process, and
// are left to the operating system when the machine fails.
type tokenSet struct {
	dir string

	mu      sync.Mutex
	used    map[tokenKey]struct{}
	byMin   map[int64][]tokenKey // keys by the minute in their timestamp
	pending []byte               // records to write
	swept   int64
	hour    int64
	file    *os.File
}

type tokenKey [16]byte

// tokenRecord is the length of a record: the key, and the minute in its timestamp.
const tokenRecord = 16 + 8

// hourFile is the layout of the names of the files.
const hourFile = "2006010215"

// newTokenSet reads what was used before. An empty dir remembers in memory alone.
func newTokenSet(dir string, now time.Time) (*tokenSet, error) {
	s := &tokenSet{dir: dir, used: map[tokenKey]struct{}{}, byMin: map[int64][]tokenKey{}}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("meshserver: tokens: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("meshserver: tokens: %w", err)
	}
	for _, f := range files {
		if err := s.load(filepath.Join(dir, f.Name()), now); err != nil {
			return nil, fmt.Errorf("meshserver: tokens: %w", err)
		}
	}
	return s, nil
}

// load takes in what can still pass. A record that was not written whole was never answered for.
func (s *tokenSet) load(name string, now time.Time) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if torn := len(raw) % tokenRecord; torn > 0 {
		if err := os.Truncate(name, int64(len(raw)-torn)); err != nil {
			return err
		}
	}
	oldest := oldestMinute(now)
	for ; len(raw) >= tokenRecord; raw = raw[tokenRecord:] {
		if minute := int64(binary.BigEndian.Uint64(raw[16:])); minute >= oldest {
			s.remember(tokenKey(raw[:16]), minute)
		}
	}
	return nil
}

func oldestMinute(now time.Time) int64 { return now.Add(-mesh.TokenWindow).Unix() / 60 }

// use reports whether mailbox, nonce and count were not seen together before. Counts are compared as numbers. The use is on record
// after the next flush.
func (s *tokenSet) use(t mesh.Token, made, now time.Time) (first bool, err error) {
	text := make([]byte, 0, 128) // a usual one, and longer when it must
	text = append(append(text, t.MailboxID...), ':')
	text = append(append(append(text, t.Nonce...), ':'), strings.TrimLeft(t.Count, "0")...)
	sum := sha256.Sum256(text)
	key, minute := tokenKey(sum[:16]), made.Unix()/60
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if _, seen := s.used[key]; seen {
		return false, nil
	}
	if err := s.turn(now); err != nil {
		return false, err
	}
	if s.dir != "" {
		s.pending = binary.BigEndian.AppendUint64(append(s.pending, key[:]...), uint64(minute))
	}
	s.remember(key, minute)
	return true, nil
}

// flush writes what is not on record. Nothing is pending when it returns without an error, also what another call has written.
func (s *tokenSet) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write()
}

func (s *tokenSet) write() error {
	if len(s.pending) == 0 {
		return nil
	}
	if s.file == nil {
		return os.ErrClosed
	}
	n, err := s.file.Write(s.pending)
	s.pending = slices.Delete(s.pending, 0, n)
	return err
}

func (s *tokenSet) remember(key tokenKey, minute int64) {
	s.used[key] = struct{}{}
	s.byMin[minute] = append(s.byMin[minute], key)
}

// turn opens the file of the hour.
func (s *tokenSet) turn(now time.Time) error {
	hour := now.Unix() / 3600
	if s.dir == "" || s.file != nil && hour == s.hour {
		return nil
	}
	if err := s.write(); err != nil { // to the hour before, where it belongs
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, now.UTC().Format(hourFile)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.hour = f, hour
	s.prune(now)
	return nil
}

// prune removes the files of hours in which no token was used that can still pass: it may have been made ahead of its use.
func (s *tokenSet) prune(now time.Time) {
	files, _ := os.ReadDir(s.dir)
	for _, f := range files {
		if hour, err := time.Parse(hourFile, f.Name()); err == nil && hour.Add(time.Hour+2*mesh.TokenWindow).Before(now) {
			_ = os.Remove(filepath.Join(s.dir, f.Name()))
		}
	}
}

// sweep forgets, once a minute, the tokens that have become too old to pass.
func (s *tokenSet) sweep(now time.Time) {
	minute := now.Unix() / 60
	if minute == s.swept {
		return
	}
	s.swept = minute
	oldest := oldestMinute(now)
	for m, keys := range s.byMin {
		if m >= oldest {
			continue
		}
		for _, k := range keys {
			delete(s.used, k)
		}
		delete(s.byMin, m)
	}
}

func (s *tokenSet) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.write(), s.file.Close())
	s.file = nil
	return err
}
