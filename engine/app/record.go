package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"signalbox/engine/store"
)

// Retention says for how long what is no longer needed is kept. 0 is for ever.
type Retention struct {
	Raw Duration `yaml:"raw,omitempty"` // bodies of messages, from their arrival; never one without an outcome, or that the register or an open notice rests on
}

func (s Store) validate(v *validator) {
	cfg := store.Default()
	cfg.Path, cfg.URL = s.Path, s.URL
	if err := cfg.Validate(); err != nil {
		v.errs = append(v.errs, err)
	}
	if !s.Password.IsZero() {
		v.need(s.URL != "", "store.password", "is for a PostgreSQL: set store.url")
		v.secret(s.Password, "store.password")
	}
}

// open opens the record. now is nil for the record's own clock, committed where nobody wants to know.
func (s Store) open(ctx context.Context, now func() time.Time, committed func(int, time.Duration, error)) (*store.Store, error) {
	cfg := store.Default()
	cfg.Path, cfg.URL, cfg.Committed = s.Path, s.URL, committed
	if s.Path != "" {
		if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
			return nil, fmt.Errorf("store folder: %w", err)
		}
	}
	if !s.Password.IsZero() {
		password, err := s.Password.Read()
		if err != nil {
			return nil, fmt.Errorf("store.password: %w", err)
		}
		cfg.Password = password
	}
	return store.Open(ctx, cfg, now)
}

// owner names this process in leases. The stream's consumer name is this process's own and stays the same, so that an engine which comes
// back after a crash need not wait for its own leases to end.
func (c Config) owner() string {
	if c.Stream.Consumer != "" {
		return c.Stream.Consumer
	}
	return uuid.NewString()
}
