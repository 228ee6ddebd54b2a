//go:build unix

package faults

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"signalbox/engine/stream/redistest"
)

// A reply is lost after its effect: whoever sent the request must not take it for undone, nor do it again unasked.
func TestReplyLost(t *testing.T) {
	w := newWorld(t, setup{redis: redistest.Durable(), postgres: true})
	f := w.traffic(t)
	const ok = "HTTP/1.1 2"
	for _, lose := range []struct {
		name          string
		way           *proxy
		match, answer string
	}{
		{"XADD", w.redisWay, "\r\nxadd\r\n", ""},
		{"XACK", w.redisWay, "\r\nxack\r\n", ""},
		{"SQL commit", w.postgresWay, "", "C\x00\x00\x00\x0bCOMMIT\x00"}, // known by its reply, since the statement is prepared (PostgreSQL, message formats: CommandComplete)
		{"MESH send", w.meshWay, "POST /messageexchange/SIGNALBOX1/outbox HTTP", ok},
		{"MESH acknowledge", w.meshWay, "/status/acknowledged HTTP", ok},
		{"HTTP query", w.fhir, "GET /FHIR/R4/CareTeam", ok},
		{"HTTP message", w.fhir, "POST /FHIR/R4/$process-message", ok},
	} {
		times := figure{20, 500}.size(t)
		if strings.HasPrefix(lose.name, "HTTP") {
			times = (times + 1) / 2 // two calls share the row
		}
		for range times {
			w.checker.hurt()
			before := lose.way.lost()
			if lose.match == "" {
				lose.way.armReply(lose.answer)
			} else {
				lose.way.arm(lose.match, lose.answer)
			}
			f.feed(t, 2*perFile)
			deadline := time.Now().Add(patience)
			for lose.way.lost() == before {
				if time.Now().After(deadline) {
					t.Fatalf("no reply to %s was lost", lose.name)
				}
				time.Sleep(20 * time.Millisecond)
				if acks, _, _ := w.checker.open(); acks == 0 {
					f.feed(t, 2*perFile)
				}
			}
		}
		f.keepUp(t, 10)
	}
	f.finish(t)
}

// The engine is killed around its commits: when the journal of its record has just grown, before or after the change was answered for.
func TestKillAtCommit(t *testing.T) {
	w := newWorld(t, setup{})
	f := w.traffic(t)
	watch, err := fsnotify.NewWatcher()
	must(t, err)
	defer watch.Close()
	must(t, watch.Add(filepath.Join(w.dir, "record")))
	for range (figure{20, 500}).size(t) {
		f.feed(t, 4*perFile)
		w.checker.hurt()
		awaitWrites(t, watch, 1+w.rng.IntN(12))
		w.crash(t)
		f.keepUp(t, 40)
	}
	f.finish(t)
}

// awaitWrites returns at the n-th write to the journal.
func awaitWrites(t testing.TB, watch *fsnotify.Watcher, n int) {
	t.Helper()
	for len(watch.Events) > 0 {
		<-watch.Events // of before
	}
	stop := time.After(2 * time.Second) // the files may all be done: then any instant will do
	for n > 0 {
		select {
		case e := <-watch.Events:
			if e.Has(fsnotify.Write) && strings.HasSuffix(e.Name, "-wal") {
				n--
			}
		case err := <-watch.Errors:
			t.Fatal(err)
		case <-stop:
			return
		}
	}
}
