package app

import (
	"fmt"
	"net"

	"github.com/google/uuid"

	"signalbox/engine"
	"signalbox/fhir/api"
)

// listen opens the address first, so that a taken port is told before anything else starts.
func (e *engineRoom) listen() error {
	var err error
	if e.listener, err = net.Listen("tcp", e.cfg.Listen.FHIR); err != nil {
		return fmt.Errorf("listen.fhir: %w", err)
	}
	opinion, err := e.opinion()
	if err != nil {
		return err
	}
	cfg := api.Default()
	cfg.BasePath, cfg.PublicURL, cfg.Opinion = e.cfg.Listen.BasePath, e.baseURL(), opinion
	if e.cfg.Listen.PublicURL != "" {
		cfg.PublicURL = e.cfg.Listen.PublicURL
	}
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
	face, err := api.New(cfg, e.pipeline, e.opts.Now, uuid.NewString, e.opts.Log.With("room", "fhir"))
	if err != nil {
		return err
	}
	e.handler = e.observer.Requests(face, face.Route)
	return nil
}
