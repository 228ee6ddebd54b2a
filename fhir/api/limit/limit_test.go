package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheBucketEmptiesAndFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, err := New(Config{PerSecond: 2, Burst: 3, Names: 10}, time.Now)
		require.NoError(t, err)
		for range 3 {
			ok, wait := table.Allow("a")
			assert.True(t, ok)
			assert.Zero(t, wait)
		}
		for range 5 { // asking when there is none costs nothing
			ok, wait := table.Allow("a")
			assert.False(t, ok)
			assert.Equal(t, 500*time.Millisecond, wait)
		}
		ok, _ := table.Allow("b")
		assert.True(t, ok, "another name has a bucket of its own")
		time.Sleep(500 * time.Millisecond)
		ok, _ = table.Allow("a")
		assert.True(t, ok, "after the time that was said there is one")
		ok, _ = table.Allow("a")
		assert.False(t, ok)
		time.Sleep(time.Hour)
		for range 3 {
			ok, _ = table.Allow("a")
			assert.True(t, ok)
		}
		ok, _ = table.Allow("a")
		assert.False(t, ok, "it does not fill beyond the burst")
	})
}

func TestTheTableIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	table, err := New(Config{PerSecond: 1, Burst: 1, Names: 4}, func() time.Time { return now })
	require.NoError(t, err)
	for i := range 1000 {
		table.Allow("kept")
		table.Allow(fmt.Sprint(i))
		assert.LessOrEqual(t, len(table.buckets), 4)
		assert.Equal(t, len(table.buckets), table.order.Len())
	}
	ok, _ := table.Allow("kept")
	assert.False(t, ok, "a name that is used keeps its bucket")
}

func TestNoLimit(t *testing.T) {
	table, err := New(Config{Names: 1}, time.Now)
	require.NoError(t, err)
	for range 10_000 {
		ok, _ := table.Allow("a")
		require.True(t, ok)
	}
}

func TestConfig(t *testing.T) {
	require.NoError(t, Default().Validate())
	for want, c := range map[string]Config{
		"PerSecond": {PerSecond: -1, Burst: 1, Names: 1}, "Burst": {PerSecond: 1, Names: 1}, "Names": {PerSecond: 1, Burst: 1},
	} {
		_, err := New(c, time.Now)
		assert.ErrorContains(t, err, want)
	}
}
