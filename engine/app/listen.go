package app

import (
	"github.com/google/uuid"

	"signalbox/fhir/api"
)

// face makes what answers at the listener.
func (e *engineRoom) face() error {
	opinion, err := e.opinion()
	if err != nil {
		return err
	}
	cfg, err := e.cfg.api()
	if err != nil {
		return err
	}
	if cfg.Opinion = opinion; cfg.PublicURL == "" {
		cfg.PublicURL = e.baseURL()
	}
	if e.store.Shared() { // other engines answer too; where this is the only one its own memory does, without a write
		cfg.Identity.Once = e.store
	}
	if cfg.Identity.Development {
		e.opts.Log.Warn("static tokens are taken: fhir.development is for development, not for real children", "room", "fhir")
	}
	if err := e.receivers(&cfg); err != nil {
		return err
	}
	face, err := api.New(cfg, e.pipeline, e.opts.Now, uuid.NewString, e.opts.Log.With("room", "fhir"))
	if err != nil {
		return err
	}
	e.handler = e.observer.Requests(face, face.Route)
	return nil
}
