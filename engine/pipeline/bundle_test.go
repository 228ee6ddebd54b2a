package pipeline_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/pipeline"
)

// upto returns lines of so many children, and the number of the n-th.
func upto(n int) (lines []string, last string) {
	for stem := 999000000; len(lines) < n; stem++ {
		sum := 0
		for place, c := range fmt.Sprint(stem) {
			sum += int(c-'0') * (10 - place)
		}
		if check := (11 - sum%11) % 11; check != 10 {
			last = fmt.Sprintf("%d%d", stem, check)
			lines = append(lines, last+" 202609010000 999")
		}
	}
	return lines, last
}

// Within the process many flags travel in one message; the file is done when each has its outcome.
func TestFlagsTravelTogetherWithinTheProcess(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		lines, _ := upto(1500)
		b.upload(t, lines...)
		time.Sleep(time.Minute)
		acks := b.letters(t, "TEST_ACK")
		if len(acks) != 1 || strings.Count(string(acks[0]), "accepted") != len(lines) {
			t.Fatalf("%d acknowledgements", len(acks))
		}
		if n := b.stream.carried[pipeline.Topic(engine.KindFlag)]; n < 2 || n > 20 {
			t.Errorf("%d events travelled in %d messages", len(lines), n)
		}
	})
}

// One event that cannot be applied is tried again by itself; those that travelled with it stand, and the file waits for it.
func TestOneThatFailsLeavesThoseThatTravelledWithIt(t *testing.T) {
	lines, bad := upto(300)
	var db *sql.DB
	inBubble(t, func(b *bench) {
		var err error
		db, err = sql.Open("sqlite", "file:"+b.record+"?_pragma=busy_timeout(10000)")
		must(t, err)
		_, err = db.Exec(`CREATE TRIGGER bad BEFORE INSERT ON flag WHEN NEW.nhs = '` + bad + `' BEGIN SELECT RAISE(ABORT, 'no'); END`)
		must(t, err)
	}, func(t *testing.T, b *bench) {
		defer db.Close()
		b.upload(t, lines...)
		time.Sleep(30 * time.Second)
		waits, err := b.store.Backlog(context.Background())
		if must(t, err); waits.Open[engine.KindFlag] != 1 {
			t.Errorf("%d flags wait, want the one that fails", waits.Open[engine.KindFlag])
		}
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 0 {
			t.Error("the file is acknowledged before its last record")
		}
		_, err = db.Exec(`DROP TRIGGER bad`)
		must(t, err)
		time.Sleep(3 * time.Minute)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 1 || strings.Count(string(acks[0]), "accepted") != len(lines) {
			t.Errorf("%d acknowledgements once it can be applied", len(acks))
		}
	})
}
