package identity

import (
	"crypto/sha256"
	"sync"
	"time"
)

type digest = [sha256.Size]byte

// memory remembers values until a time, no more than size of them.
type memory[V any] struct {
	mu   sync.RWMutex
	size int
	held map[digest]remembered[V]
}

type remembered[V any] struct {
	value V
	until time.Time
}

func newMemory[V any](size int) *memory[V] {
	return &memory[V]{size: size, held: map[digest]remembered[V]{}}
}

func (m *memory[V]) get(key digest, now time.Time) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	one, ok := m.held[key]
	if !ok || !now.Before(one.until) {
		var none V
		return none, false
	}
	return one.value, true
}

// put remembers a value. When the memory is full, what has run out goes first, and then anything: forgetting costs work and nothing else.
func (m *memory[V]) put(key digest, value V, now, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.held) >= m.size {
		m.purge(now)
	}
	for other := range m.held {
		if len(m.held) < m.size {
			break
		}
		delete(m.held, other)
	}
	m.held[key] = remembered[V]{value: value, until: until}
}

// once remembers a key and reports whether it is new. When the memory is full of keys that count still, ok is false: here forgetting would
// let a replay in.
func (m *memory[V]) once(key digest, now, until time.Time) (fresh, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one, known := m.held[key]; known && now.Before(one.until) {
		return false, true
	}
	if len(m.held) >= m.size {
		m.purge(now)
	}
	if len(m.held) >= m.size {
		return false, false
	}
	m.held[key] = remembered[V]{until: until}
	return true, true
}

func (m *memory[V]) purge(now time.Time) {
	for key, one := range m.held {
		if !now.Before(one.until) {
			delete(m.held, key)
		}
	}
}
