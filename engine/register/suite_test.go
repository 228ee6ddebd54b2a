package register_test

import (
	"context"
	"os"
	"testing"
	"time"

	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
)

// records are the empty records of this test binary.
var records storetest.Records

func TestMain(m *testing.M) { os.Exit(records.Main(m)) }

var ctx = context.Background()

// place is where a test's register is kept.
type place struct{ cfg store.Config }

func (p place) open(t *testing.T) (*register.Register, *store.Store) {
	t.Helper()
	s, err := store.Open(ctx, p.cfg, func() time.Time { return now })
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	r, err := register.New(register.Default())
	must(t, err)
	return r, s
}

// suite is what the register promises, whichever database keeps its rows.
func suite() map[string]func(*testing.T, place) {
	return map[string]func(*testing.T, place){
		"EveryPlanAndEveryAuthorityStandsApart":       testEveryPlanAndEveryAuthorityStandsApart,
		"WithdrawnAndReopened":                        testWithdrawnAndReopened,
		"WithinOneFileTheEntryThatProtectsMoreStands": testWithinOneFileTheEntryThatProtectsMoreStands,
		"AnyOrderAnyCopies":                           testAnyOrderAnyCopies,
		"HistoryHoldsTwentyFiveUnscheduledAccesses":   testHistoryHoldsTwentyFiveUnscheduledAccesses,
		"RepeatedQueryIsRecordedOnce":                 testRepeatedQueryIsRecordedOnce,
		"Responsible":                                 testResponsible,
	}
}

func TestOnSQLite(t *testing.T) {
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			test(t, place{records.SQLite(t)})
		})
	}
}

func TestOnPostgreSQL(t *testing.T) {
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			test(t, place{records.PostgreSQL(t)})
		})
	}
}
