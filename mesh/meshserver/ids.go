package meshserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// idMaker makes ids in the form of the service's own: a time in microseconds, an underscore, random digits. Times never
// repeat, so ids do not either and sort by age.
type idMaker struct {
	mu   sync.Mutex
	last time.Time
}

// message returns an id like 20200529155357895317_3573F8.
func (m *idMaker) message(now time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now = now.Truncate(time.Microsecond)
	if !now.After(m.last) {
		now = m.last.Add(time.Microsecond)
	}
	m.last = now
	return micros(now) + "_" + strings.ToUpper(random(3))
}

// internal returns an id like 20240821092056761123_487199b9, by which an answer is found in the log.
func (m *idMaker) internal(now time.Time) string { return micros(now) + "_" + random(4) }

func micros(t time.Time) string {
	return strings.Replace(t.Format("20060102150405.000000"), ".", "", 1)
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// pageToken says where a listing goes on. It is signed with the shared key, so that it is opaque, bound to its mailbox, and
// good after a restart.
func (s *Server) pageToken(mailbox string, seq uint64) string {
	raw := binary.BigEndian.AppendUint64(nil, seq)
	return base64.RawURLEncoding.EncodeToString(append(raw, s.pageSum(mailbox, raw)...))
}

func (s *Server) readPageToken(mailbox, token string) (seq uint64, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 24 || !hmac.Equal(raw[8:], s.pageSum(mailbox, raw[:8])) {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw), true
}

func (s *Server) pageSum(mailbox string, raw []byte) []byte {
	mac := hmac.New(sha256.New, []byte(string(s.cfg.SharedKey)))
	mac.Write([]byte("page:" + mailbox + ":"))
	mac.Write(raw)
	return mac.Sum(nil)[:16]
}
