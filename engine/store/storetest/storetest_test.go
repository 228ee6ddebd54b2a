package storetest_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
)

// records are the empty records of this test binary.
var records storetest.Records

func TestMain(m *testing.M) { os.Exit(records.Main(m)) }

// What is written into one record is in no other, and each has its tables.
func TestEachRecordIsItsOwn(t *testing.T) {
	ctx := context.Background()
	for name, fresh := range map[string]func(testing.TB) store.Config{
		"SQLite": records.SQLite, "PostgreSQL": records.PostgreSQL, "bare SQLite": records.BareSQLite, "bare PostgreSQL": records.BarePostgreSQL,
	} {
		t.Run(name, func(t *testing.T) {
			m := engine.Message{ID: "M1", Source: "test", Upstream: "1", Body: []byte("content"), Received: time.Now()}
			for range 3 {
				s, err := store.Open(ctx, fresh(t), nil)
				if err != nil {
					t.Fatal(err)
				}
				isNew, err := s.Intake(ctx, m)
				if err = errors.Join(err, s.Close()); err != nil || !isNew {
					t.Errorf("the record of an earlier test is not empty for the next: new %v, %v", isNew, err)
				}
			}
		})
	}
}

// A copy is at the newest version: opening it makes no table.
func TestTheTablesAreMadeOnce(t *testing.T) {
	before, err := os.ReadFile(records.SQLite(t).Path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := records.SQLite(t)
	s, err := store.Open(context.Background(), cfg, nil)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(cfg.Path)
	if err != nil || len(before) == 0 || len(after) != len(before) {
		t.Errorf("opening a copy changes it: %d bytes, then %d, %v", len(before), len(after), err)
	}
}

// A test is run on both databases.
func TestEach(t *testing.T) {
	seen := map[string]bool{}
	records.Each(t, func(_ *testing.T, cfg store.Config) { seen[cfg.String()] = true })
	if !seen["SQLite"] || !seen["PostgreSQL"] {
		t.Errorf("run on %v", seen)
	}
}
