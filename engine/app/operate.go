package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"signalbox/engine/observe"
)

// Traces says where one OpenTelemetry trace a message goes.
type Traces struct {
	Endpoint string  `yaml:"endpoint,omitempty"` // OTLP over HTTP, such as http://collector:4318; empty: no traces
	Sample   float64 `yaml:"sample"`             // share of the messages that are traced, 0 to 1
}

// observer makes what metrics, health and traces are told through.
func (e *engineRoom) observe() error {
	cfg := observe.Default()
	cfg.Version, cfg.Poll = e.opts.Version, time.Duration(e.cfg.Mesh.Poll)
	cfg.Traces = observe.Traces{Endpoint: e.cfg.Traces.Endpoint, Sample: e.cfg.Traces.Sample, Exporter: e.opts.Spans}
	for _, m := range e.cfg.Mailboxes {
		cfg.Mailboxes = append(cfg.Mailboxes, m.ID)
	}
	var err error
	e.observer, err = observe.New(cfg, e.opts.Now, e.opts.Log)
	return err
}

// operations is the listener for operators; nil when none is configured.
type operations struct {
	listener net.Listener
	server   *http.Server
	served   chan error
}

// openOperations opens the operators' address. It answers from now on until close, so that it tells of the start and of the drain too.
func (e *engineRoom) openOperations() error {
	e.observer.Bind(e.store, e.transport)
	if e.cfg.Listen.Operations == "" {
		return nil
	}
	listener, err := net.Listen("tcp", e.cfg.Listen.Operations)
	if err != nil {
		return fmt.Errorf("listen.operations: %w", err)
	}
	o := &operations{listener: listener, served: make(chan error, 1), server: &http.Server{
		Handler: e.observer.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(e.opts.Log.With("room", "operations").Handler(), slog.LevelWarn),
	}}
	go func() { o.served <- o.server.Serve(listener) }()
	e.operations = o
	return nil
}

// base is the URL of the operators' listener; empty when there is none.
func (o *operations) base() string {
	if o == nil {
		return ""
	}
	return "http://" + o.listener.Addr().String()
}

func (o *operations) close() error {
	if o == nil {
		return nil
	}
	within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := o.server.Shutdown(within)
	if served := <-o.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("operations listener: %w", served))
	}
	return err
}

// closeObserver sends the last spans. A collector that does not answer holds the end up for a few seconds and no longer.
func (e *engineRoom) closeObserver() {
	if e.observer == nil {
		return
	}
	within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.observer.Close(within); err != nil {
		e.opts.Log.Warn("the last spans were not sent", "error", err)
	}
}
