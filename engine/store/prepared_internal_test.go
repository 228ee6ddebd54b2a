package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"signalbox/engine"
)

// A question of ours is prepared once for all readers of an SQLite record, however many ask at a time, and goes with the store.
func TestQuestionsArePreparedOnce(t *testing.T) {
	cfg := Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	s, err := Open(context.Background(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if _, err := s.Standing(context.Background(), "none"); engine.KindOf(err) != engine.NotFound {
				t.Errorf("a message that is not there: %v", err)
			}
			if all, err := s.Faults(context.Background(), "none"); err != nil || len(all) != 0 {
				t.Errorf("%d faults of no message: %v", len(all), err)
			}
		})
	}
	asking.Wait()
	statements := 0
	s.asked.Range(func(any, any) bool { statements++; return true })
	if statements != 2 {
		t.Errorf("two questions made %d statements", statements)
	}
	if rows, err := s.rows(context.Background(), `SELECT nonsense FROM nowhere`); err == nil {
		t.Error(errors.Join(rows.Err(), rows.Close()))
		t.Error("a question that cannot be prepared is answered")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Standing(context.Background(), "none"); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("asked after the close: %v", err)
	}
}
