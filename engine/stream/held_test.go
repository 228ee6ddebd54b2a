package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHeldBoundsAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, stop := newHeld(2), make(chan struct{})
		assert.Equal(t, 2, h.room(100, stop))
		assert.Equal(t, 1, h.room(1, stop), "no more than asked for")
		require.Len(t, h.add(&entry{id: "1-0"}), 1)
		require.Empty(t, h.add(&entry{id: "1-0"}), "held already")
		require.Len(t, h.add(&entry{id: "2-0"}), 1)
		got := make(chan int, 1)
		go func() { got <- h.room(100, stop) }()
		synctest.Wait()
		require.Empty(t, got, "full")
		h.remove([]string{"1-0", "2-0"})
		assert.Equal(t, 2, <-got)
		require.Len(t, h.add(&entry{id: "3-0"}), 1)
		require.Len(t, h.add(&entry{id: "4-0"}), 1)
		go func() { got <- h.room(100, stop) }()
		synctest.Wait()
		close(stop)
		assert.Zero(t, <-got, "stopped while full")
	})
}

// An acknowledgement confirmed while an older answer about pending entries is on its way must not bring the entry back.
func TestHeldRemembersDuringALook(t *testing.T) {
	h := newHeld(10)
	require.Len(t, h.add(&entry{id: "1-0"}), 1)
	require.Len(t, h.add(&entry{id: "2-0"}), 1)
	h.remove([]string{"1-0"})
	assert.False(t, h.known("1-0"))
	end := h.look()
	h.remove([]string{"2-0"})
	assert.True(t, h.known("2-0"), "let go since the look began")
	assert.Empty(t, h.add(&entry{id: "2-0"}))
	assert.Equal(t, 10, h.room(10, nil), "but it takes no room")
	end()
	assert.False(t, h.known("2-0"))
}

func TestHeldTellsWhatToRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(10)
		h.add(&entry{id: "old"})
		time.Sleep(time.Minute)
		h.add(&entry{id: "new"})
		assert.Equal(t, []string{"old"}, h.older(time.Minute))
		assert.Empty(t, h.older(time.Minute), "counted as renewed")
		time.Sleep(time.Minute)
		assert.ElementsMatch(t, []string{"old", "new"}, h.older(time.Minute))
	})
}
