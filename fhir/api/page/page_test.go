package page

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type place struct {
	Number string
	Offset int
}

func TestSealAndOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(nil, time.Minute, time.Now)
		require.NoError(t, err)
		in := place{Number: "9990000018", Offset: 20}
		token, err := s.Seal(in, "testshire-ed", "/CareTeam")
		require.NoError(t, err)
		raw, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(t, err)
		assert.NotContains(t, token+string(raw), in.Number)
		var out place
		require.NoError(t, s.Open(token, "testshire-ed", "/CareTeam", &out))
		assert.Equal(t, in, out)

		assert.ErrorIs(t, s.Open(token, "another", "/CareTeam", &out), ErrUnsound)
		assert.ErrorIs(t, s.Open(token, "testshire-ed", "/AuditEvent", &out), ErrUnsound)
		for i := range token {
			changed := token[:i] + string('A'+(token[i]+1)%26) + token[i+1:]
			if changed != token {
				assert.ErrorIs(t, s.Open(changed, "testshire-ed", "/CareTeam", &out), ErrUnsound)
			}
		}
		for _, bad := range []string{"", "a", "%", token + "A", strings.Repeat("A", 10_000)} {
			assert.ErrorIs(t, s.Open(bad, "testshire-ed", "/CareTeam", &out), ErrUnsound)
		}
		other, err := New(nil, time.Minute, time.Now)
		require.NoError(t, err)
		assert.ErrorIs(t, other.Open(token, "testshire-ed", "/CareTeam", &out), ErrUnsound, "each process has a key of its own")
		time.Sleep(59 * time.Second)
		require.NoError(t, s.Open(token, "testshire-ed", "/CareTeam", &out))
		time.Sleep(time.Second)
		assert.ErrorIs(t, s.Open(token, "testshire-ed", "/CareTeam", &out), ErrUnsound)
	})
}

func TestOneKeyTogether(t *testing.T) {
	key := []byte(strings.Repeat("k", KeySize))
	a, err := New(key, time.Minute, time.Now)
	require.NoError(t, err)
	b, err := New(key, time.Minute, time.Now)
	require.NoError(t, err)
	token, err := a.Seal(place{Offset: 1}, "c", "r")
	require.NoError(t, err)
	var out place
	require.NoError(t, b.Open(token, "c", "r", &out))
	assert.Equal(t, 1, out.Offset)
	assert.Equal(t, a.Tag([]byte("x"), []byte("y")), b.Tag([]byte("x"), []byte("y")))
	assert.NotEqual(t, a.Tag([]byte("x"), []byte("y")), a.Tag([]byte("xy")))
}

func TestNewRefuses(t *testing.T) {
	_, err := New([]byte("short"), time.Minute, time.Now)
	assert.ErrorContains(t, err, "32 bytes")
	_, err = New(nil, 0, time.Now)
	assert.ErrorContains(t, err, "life")
	s, err := New(nil, time.Minute, time.Now)
	require.NoError(t, err)
	_, err = s.Seal(func() {}, "c", "r")
	assert.Error(t, err)
}

func FuzzOpen(f *testing.F) {
	s, err := New([]byte(strings.Repeat("k", KeySize)), time.Minute, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		var out place
		if s.Open(token, "c", "r", &out) == nil {
			t.Error("a token that was not sealed here was opened")
		}
	})
}
