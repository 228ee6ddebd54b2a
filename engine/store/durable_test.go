package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// A commit has to be on the disk when it returns: WAL alone leaves that to the next checkpoint (SQLite, PRAGMA synchronous: 2 is FULL).
func TestEveryCommitReachesTheDisk(t *testing.T) {
	cfg := Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	s, err := Open(context.Background(), cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var level int
	if err := s.row(context.Background(), "PRAGMA synchronous").Scan(&level); err != nil || level != 2 {
		t.Errorf("synchronous is %d, %v", level, err)
	}
	var mode string
	if err := s.row(context.Background(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode is %s, %v", mode, err)
	}
}
