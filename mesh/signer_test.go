package mesh

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSignerIsSharedByCallers signs and checks tokens of different passwords and lengths at once: what one caller leaves in a keyed
// hash that is used again must not come into another's.
func TestSignerIsSharedByCallers(t *testing.T) {
	s, at := NewSigner("TestKey"), time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			password := Secret(strings.Repeat("p", 1+60*w))
			for i := range 200 {
				tok := s.Token("TESTLA01", strings.Repeat("n", 1+i), "0", at, password)
				if tok != NewToken("TESTLA01", strings.Repeat("n", 1+i), "0", at, password, "TestKey") || !s.Verify(tok, password) {
					t.Errorf("caller %d: token %d is not the one that is made alone", w, i)
				}
				if s.Verify(tok, password+"x") || NewSigner("Testkey").Verify(tok, password) {
					t.Errorf("caller %d: token %d passes with another secret", w, i)
				}
			}
		})
	}
	wg.Wait()
}

// TestSignerRefusesWhatIsNoHash must not take a part of a hash, nor more than one.
func TestSignerRefusesWhatIsNoHash(t *testing.T) {
	s := NewSigner("TestKey")
	good := s.Token("TESTLA01", "n", "0", time.Unix(0, 0), "p")
	for _, hash := range []string{"", good.Hash[:63], good.Hash + "0", strings.Repeat("g", 64), "é" + good.Hash[2:]} {
		bad := good
		if bad.Hash = hash; s.Verify(bad, "p") {
			t.Errorf("a hash of %d characters passes", len(hash))
		}
	}
}
