package app

import (
	"context"
	"errors"

	"signalbox/adapters"
	"signalbox/engine/pattern"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/replay"
	"signalbox/engine/store"
	"signalbox/mappings"
)

// Desk is the record, the register and the mappings of a configuration, for a person's commands. Nothing runs: what a command makes due is
// done by the engine, which may be running on the same record or be started later.
type Desk struct {
	Store  *store.Store
	Replay replay.Rooms
	config Config
	// Patterns looks at a child's visits as the engine does.
	Patterns *pattern.Watch
}

// OpenDesk opens a desk. Its caller closes it.
func OpenDesk(ctx context.Context, cfg Config) (*Desk, error) {
	loaded, err := openMappings(cfg)
	if err != nil {
		return nil, err
	}
	routes, err := cfg.routes(loaded)
	if err != nil {
		return nil, err
	}
	reg, err := register.New(cfg.Visibility)
	if err != nil {
		return nil, err
	}
	watch, err := pattern.New(cfg.Patterns, cfg.Visibility.Zone)
	if err != nil {
		return nil, err
	}
	s, err := cfg.Store.open(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	formats := adapters.All()
	return &Desk{config: cfg, Store: s, Patterns: watch, Replay: replay.Rooms{Store: s, Register: reg, Routes: routes, Load: func(archive []byte) (pipeline.Mapping, error) {
		m, err := mappings.LoadArchive(archive, formats)
		if err != nil {
			return nil, errors.Join(errors.New("a mapping of the record cannot be loaded by this version"), err)
		}
		return m, nil
	}}}, nil
}

// Close closes the record.
func (d *Desk) Close() error { return d.Store.Close() }
