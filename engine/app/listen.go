package app

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"signalbox/engine"
	"signalbox/fhir/api"
)

// face makes what answers at the listener.
func (e *engineRoom) face() error {
	opinion, err := e.opinion()
	if err != nil {
		return err
	}
	cfg := api.Default()
	cfg.BasePath, cfg.PublicURL, cfg.Opinion, cfg.Wait = e.cfg.Listen.BasePath, e.publicURL(), opinion, time.Duration(e.cfg.Listen.Wait)
	cfg.HL7V3, cfg.SystemID = e.cfg.Listen.HL7V3, e.cfg.SystemID
	for i, t := range e.cfg.Trusts {
		token, err := t.Token.Read()
		if err != nil {
			return fmt.Errorf("trusts[%d].token: %w", i, err)
		}
		cfg.Clients = append(cfg.Clients, api.Client{
			Name: t.Name, ODSCode: t.ODSCode, OrganisationName: t.Display, DeviceID: t.DeviceID, Setting: engine.CareSetting(t.Setting),
			TokenSHA256: api.TokenDigest(token), CanQuery: t.may("query"), CanSend: t.may("send"),
		})
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
