package app

import (
	"fmt"
	"net"

	"github.com/google/uuid"

	"signalbox/fhir/api"
	"signalbox/fhir/oracle"
)

// listen opens the address first, so that a taken port is told before anything else starts.
func (e *engineRoom) listen() error {
	var err error
	if e.listener, err = net.Listen("tcp", e.cfg.Listen.FHIR); err != nil {
		return fmt.Errorf("listen.fhir: %w", err)
	}
	opinion, err := oracle.New()
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
	if cfg.Identity.Development {
		e.opts.Log.Warn("static tokens are taken: fhir.development is for development, not for real children", "room", "fhir")
	}
	face, err := api.New(cfg, e.pipeline, e.opts.Now, uuid.NewString, e.opts.Log.With("room", "fhir"))
	if err != nil {
		return err
	}
	e.handler = e.observer.Requests(face, face.Route)
	return nil
}
