package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"signalbox/engine"
	"signalbox/engine/store"
)

// What one process makes due wakes the others at once, also after the connection on which they listen broke.
func TestProcessesWakeEachOther(t *testing.T) {
	p := postgres(t)
	one, other := p.open(t), p.open(t)
	n := 0
	event := func(tx *store.Tx) error { return tx.AddEvent(waiting(message(fmt.Sprint("W", n), "a"))) }
	effect := func(tx *store.Tx) error {
		return tx.PlanEffect(store.Effect{ID: fmt.Sprint("E", n), Kind: store.Acknowledgement, Authority: "999", Body: []byte("x"), Due: tx.Now()})
	}
	// Whoever begins to listen is woken once without cause, so it is asked for three times.
	woken := func(what string, wake <-chan struct{}, change func(*store.Tx) error) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for times := 0; times < 3; {
			if time.Now().After(deadline) {
				t.Fatalf("%s made due by one process wakes no other", what)
			}
			select { // what is left from before
			case <-wake:
			default:
			}
			n++
			must(t, one.Write(ctx, change))
			select {
			case <-wake:
				times++
			case <-time.After(time.Second): // it was told before the other listened
			}
		}
	}
	woken("an event", other.Wake(engine.KindMessage), event)
	woken("an effect", other.WakeCourier(), effect)
	db, err := sql.Open("pgx", strings.Replace(p.cfg.URL, "@", ":"+p.cfg.Password+"@", 1))
	must(t, err)
	defer db.Close()
	var broken int
	must(t, db.QueryRow(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`).Scan(&broken))
	if broken != 2 {
		t.Fatalf("%d connections listen, want one of each process", broken)
	}
	woken("after its connection broke, an event", other.Wake(engine.KindMessage), event)
}
