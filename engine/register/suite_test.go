package register_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/engine/store/pgtest"
)

// server is the PostgreSQL of this test binary: it starts with the first test that asks for it.
var server pgtest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	server.Stop()
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

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
			cfg := store.Default()
			cfg.Path = filepath.Join(t.TempDir(), "record.db")
			test(t, place{cfg})
		})
	}
}

func TestOnPostgreSQL(t *testing.T) {
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			pg := server.Get(t)
			cfg := store.Default()
			cfg.URL, cfg.Password = pg.Database(t), pg.Password()
			test(t, place{cfg})
		})
	}
}
