package pds

import (
	"container/list"
	"sync"
)

// memory keeps the records that were used last, with their ETags.
type memory struct {
	mu    sync.Mutex
	most  int
	items map[string]*list.Element
	order *list.List // of *memorised, the one used last in front
}

type memorised struct {
	key, tag string
	patient  Patient
}

func newMemory(most int) *memory {
	return &memory{most: most, items: map[string]*list.Element{}, order: list.New()}
}

func (m *memory) find(key string) (tag string, p Patient, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.items[key]
	if !ok {
		return "", Patient{}, false
	}
	m.order.MoveToFront(e)
	kept := e.Value.(*memorised)
	return kept.tag, kept.patient, true
}

// keep remembers a record; one without a tag is forgotten.
func (m *memory) keep(key, tag string, p Patient) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.items[key]; ok {
		m.order.Remove(e)
		delete(m.items, key)
	}
	if tag == "" {
		return
	}
	m.items[key] = m.order.PushFront(&memorised{key, tag, p})
	if m.order.Len() > m.most {
		last := m.order.Back()
		m.order.Remove(last)
		delete(m.items, last.Value.(*memorised).key)
	}
}
