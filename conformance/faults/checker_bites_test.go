//go:build unix

package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"signalbox/mesh/cpis"
)

// story is a run without an engine: one authority sent one file of CSV, one child of which was looked at, and everything arrived.
func story(t *testing.T) (*checker, *upload, map[*child][]seen) {
	t.Helper()
	c := newChecker()
	u := c.plan(&world{rng: rand.New(rand.NewPCG(1, 1))}, 1, 8, 0)
	u.sent = time.Now()
	c.arrived(1, "TEST_CPIS_ACK", csvAckOf(u, len(u.records)))
	flags := map[*child][]seen{}
	for _, k := range c.children {
		flags[k] = standing(k)
	}
	c.children[0].due = true
	c.arrived(1, "TEST_CPIS_ACCESS", notificationOf(t, c.children[0].number))
	return c, u, flags
}

func standing(k *child) []seen {
	if k.last.ends {
		return nil
	}
	return []seen{{la: k.la, start: k.last.start().Format(time.DateOnly)}}
}

func csvAckOf(u *upload, stand int) []byte {
	text := "row,status,rule,where,reason\r\n"
	for bit := range digits {
		text += fmt.Sprintf("%d,%s,,,\r\n", bit+1, map[bool]string{true: "skipped", false: "parked"}[u.number>>bit&1 == 1])
	}
	for i := range u.records {
		text += fmt.Sprintf("%d,%s,,,\r\n", digits+i+1, map[bool]string{true: "accepted", false: "rejected"}[i < stand])
	}
	return []byte(text)
}

func notificationOf(t *testing.T, number string) []byte {
	t.Helper()
	var buf bytes.Buffer
	must(t, cpis.EncodeNotification(&buf, cpis.Notification{
		ID: "11111111-1111-4111-8111-111111111111", At: time.Now(), Authority: cpis.Organisation{ODSCode: "998", Name: "NORTHSHIRE COUNTY COUNCIL"},
		Accesses: []cpis.RecordAccess{{FileID: "1", Queries: []cpis.AccessQuery{{ID: "22222222-2222-4222-8222-222222222222", At: time.Now(), NHSNumber: number,
			By: cpis.Author{Device: &cpis.Device{ASID: "999000000002", Organisation: cpis.Organisation{ODSCode: "RXX99", Name: "TEST"}}}}}}},
	}))
	return buf.Bytes()
}

// A checker that counts nothing would pass every run.
func TestTheCheckerBites(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil                      func(t *testing.T, c *checker, u *upload, flags map[*child][]seen)
		lost, duplicate, outOfTurn int
	}{
		"a good run":         {spoil: func(*testing.T, *checker, *upload, map[*child][]seen) {}},
		"no acknowledgement": {func(_ *testing.T, _ *checker, u *upload, _ map[*child][]seen) { u.acks = nil }, 8, 0, 0},
		"two acknowledgements": {func(_ *testing.T, c *checker, u *upload, _ map[*child][]seen) {
			c.arrived(1, "TEST_CPIS_ACK", csvAckOf(u, 8))
		}, 0, 1, 0},
		"a record refused": {func(_ *testing.T, _ *checker, u *upload, _ map[*child][]seen) { u.acks[0].stand--; u.acks[0].refused++ }, 1, 0, 0},
		"a stranger's letter": {func(_ *testing.T, c *checker, _ *upload, _ map[*child][]seen) {
			c.arrived(1, "TEST_CPIS_ACK", []byte("junk"))
		}, 0, 1, 0},
		"an access told twice": {func(t *testing.T, c *checker, _ *upload, _ map[*child][]seen) {
			c.arrived(1, "TEST_CPIS_ACCESS", notificationOf(t, c.children[0].number))
		}, 0, 1, 0},
		"an access told to nobody": {func(_ *testing.T, c *checker, _ *upload, _ map[*child][]seen) { c.children[0].told = 0 }, 1, 0, 0},
		"a scheduled look told": {func(t *testing.T, c *checker, _ *upload, _ map[*child][]seen) {
			c.arrived(1, "TEST_CPIS_ACCESS", notificationOf(t, c.children[1].number))
		}, 0, 1, 0},
		"a flag missing": {func(_ *testing.T, c *checker, _ *upload, f map[*child][]seen) { f[c.children[0]] = nil }, 1, 0, 0},
		"a flag twice": {func(_ *testing.T, c *checker, _ *upload, f map[*child][]seen) {
			f[c.children[0]] = append(standing(c.children[0]), standing(c.children[0])...)
		}, 0, 1, 0},
		"an older state": {func(_ *testing.T, c *checker, _ *upload, f map[*child][]seen) {
			f[c.children[0]] = []seen{{la: 1, start: "2026-01-01"}}
		}, 0, 0, 1},
		"another authority's flag": {func(_ *testing.T, c *checker, _ *upload, f map[*child][]seen) { f[c.children[0]][0].la = 0 }, 0, 0, 1},
		"a withdrawn flag shown":   {func(_ *testing.T, c *checker, _ *upload, f map[*child][]seen) { c.children[0].last.ends = true }, 0, 0, 1},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			c, u, flags := story(t)
			tc.spoil(t, c, u, flags)
			r := c.judge(flags)
			if r.lost != tc.lost || r.duplicate != tc.duplicate || r.outOfOrder != tc.outOfTurn {
				t.Errorf("%s, want lost %d, duplicate %d, out-of-order %d; %v", r, tc.lost, tc.duplicate, tc.outOfTurn, r.notes)
			}
		})
	}
}
