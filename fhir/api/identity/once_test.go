package identity

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shelf is a memory that several doors share.
type shelf struct {
	mu    sync.Mutex
	taken map[string]time.Time
	calls int
	err   error
}

func (s *shelf) TakeOnce(_ context.Context, key string, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return false, s.err
	}
	_, known := s.taken[key]
	s.taken[key] = until
	return !known, nil
}

func oneUse(s *shelf) func(*Config) {
	return func(c *Config) {
		c.Issuers[0].OneUse = true
		if s != nil {
			c.Once = s
		}
	}
}

func TestOneUseIsSharedBetweenProcesses(t *testing.T) {
	s := &shelf{taken: map[string]time.Time{}}
	here, there := newDoor(t, oneUse(s)), newDoor(t, oneUse(s))
	token := func(jti string, at time.Time) string {
		return sign(t, "ec", jose.ES256, "ec", changed(person(at), "jti", jti))
	}
	one := token("one", here.now)
	_, refused := here.token(t, one)
	require.Nil(t, refused)
	for name, d := range map[string]*door{"here": here, "there": there, "there again": there} {
		_, refused = d.token(t, one)
		require.NotNil(t, refused, name)
		assert.Equal(t, Replayed, refused.Reason, name)
	}
	assert.Equal(t, 2, s.calls, "what this process knows it need not ask")
	for key, until := range s.taken {
		assert.NotContains(t, key, "one")
		assert.Len(t, key, 64)
		assert.Equal(t, here.now.Add(10*time.Minute+2*Default().Leeway), until.UTC(), "as long as any process may take it, and a while more")
	}
	// A token from before this process's start is fresh where the memory is not this process's own.
	_, refused = there.token(t, token("two", there.now.Add(-time.Minute)))
	assert.Nil(t, refused)
	s.err = errors.New("away")
	_, refused = here.token(t, token("three", here.now))
	require.NotNil(t, refused)
	assert.Equal(t, RecordAway, refused.Reason)
	assert.True(t, refused.Away())
	s.err = nil
	_, refused = here.token(t, token("three", here.now))
	assert.Nil(t, refused, "the record's trouble uses no token up")
}

func TestOneUseManyAtOnce(t *testing.T) {
	s := &shelf{taken: map[string]time.Time{}}
	doors := []*door{newDoor(t, oneUse(s)), newDoor(t, oneUse(s))}
	token := sign(t, "ec", jose.ES256, "ec", person(doors[0].now))
	var let atomic.Int32
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if _, refused := doors[i%2].token(t, token); refused == nil {
				let.Add(1)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, let.Load())
}

// A process with its own memory is full when it is full: to forget would let a replay in. One that shares may forget.
func TestOneUseWhenMemoryIsFull(t *testing.T) {
	small := func(s *shelf) *door {
		return newDoor(t, func(c *Config) {
			oneUse(s)(c)
			c.CacheSize = 2
		})
	}
	s := &shelf{taken: map[string]time.Time{}}
	own, shared := small(nil), small(s)
	for i := range 4 {
		token := sign(t, "ec", jose.ES256, "ec", changed(person(own.now), "jti", strconv.Itoa(i)))
		_, refused := shared.token(t, token)
		assert.Nil(t, refused)
		_, refused = shared.token(t, token)
		require.NotNil(t, refused)
		assert.Equal(t, Replayed, refused.Reason)
		if _, refused = own.token(t, token); i >= 2 {
			require.NotNil(t, refused)
			assert.Equal(t, Crowded, refused.Reason)
		}
	}
	first := sign(t, "ec", jose.ES256, "ec", changed(person(own.now), "jti", "0"))
	_, refused := shared.token(t, first)
	require.NotNil(t, refused)
	assert.Equal(t, Replayed, refused.Reason, "forgotten here, remembered in the record")
}
