package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"signalbox/engine/hook"
	"signalbox/engine/observe"
	"signalbox/engine/pattern"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/engine/stream"
	"signalbox/fhir/api/subscription"
	"signalbox/fhir/oracle"
	"signalbox/fhir/pds"
	"signalbox/mappings"
	"signalbox/mesh"
	"signalbox/mesh/folder"
)

// Options are what a caller adds to the configuration.
type Options struct {
	Log     *slog.Logger     // nil: discard
	Now     func() time.Time // nil: the record's clock
	Version string
	// Ready is called once, when events flow and the listener answers. It must return soon.
	Ready func(Running)
	// Pipeline may change the pipeline's rhythm before it starts.
	Pipeline func(*pipeline.Config)
	// Reload asks for a look at the suppliers' folders at once; nil: they are looked at when they change.
	Reload <-chan os.Signal
	// Spans takes the spans instead of the configured endpoint.
	Spans observe.Exporter
}

// Running is the engine at work.
type Running struct {
	FHIR       string // base URL of the FHIR listener
	Operations string // base URL of /metrics, /livez and /readyz; empty when not configured
	Store      *store.Store
}

// Run runs the engine until ctx ends, then drains: it stops taking in, finishes what is in hand, and closes the rooms in the order opposite
// to their opening. What was not finished is in the record and goes on at the next start. The error is nil after a drain that ctx asked for.
func Run(ctx context.Context, cfg Config, opts Options) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	e := &engineRoom{cfg: cfg, opts: opts, given: opts.Now}
	e.opts.Now = e.now
	err := e.open(ctx)
	if err == nil {
		err = e.run(ctx)
	}
	return errors.Join(err, e.close())
}

// engineRoom holds the open rooms.
type engineRoom struct {
	given     func() time.Time // the caller's clock; nil: the record's
	cfg       Config
	opts      Options
	store     *store.Store
	transport stream.Transport
	clients   []*mesh.Client
	pipeline  *pipeline.Pipeline
	mappings  map[string]*mappings.Mapping // at the start, by supplier
	hooks     *hook.Poster                 // nil: nobody may subscribe
	listener  net.Listener
	handler   http.Handler

	observer   *observe.Observer
	operations *operations
	pds        *pds.Client    // nil: PDS is not asked
	beside     *oracle.Beside // asks google/fhir; nil when nobody wants that
}

// now is the clock that the caller gave, or else the record's.
func (e *engineRoom) now() time.Time {
	switch {
	case e.given != nil:
		return e.given()
	case e.store != nil:
		return e.store.Now()
	}
	return time.Now()
}

func (e *engineRoom) open(ctx context.Context) error {
	var err error
	if e.mappings, err = openMappings(e.cfg); err != nil {
		return err
	}
	routes, err := e.cfg.routes(e.mappings)
	if err != nil {
		return err
	}
	if err := e.observe(); err != nil {
		return err
	}
	if e.store, err = e.cfg.Store.open(ctx, e.given, e.observer.Committed); err != nil {
		return err
	}
	if e.transport, err = e.cfg.transport(e.opts.Log); err != nil {
		return err
	}
	if err := e.openOperations(); err != nil {
		return err
	}
	return e.connect(routes)
}

func (e *engineRoom) connect(routes *pipeline.Routes) error {
	reg, err := register.New(e.cfg.Visibility)
	if err != nil {
		return err
	}
	watch, err := pattern.New(e.cfg.Patterns, e.cfg.Visibility.Zone)
	if err != nil {
		return err
	}
	rooms := pipeline.Rooms{
		Store: e.store, Register: reg, Transport: e.transport, Routes: routes, Now: e.opts.Now, Log: e.opts.Log,
		Owner: e.cfg.owner(), Observer: e.observer, Patterns: watch,
	}
	if err = e.tracer(&rooms); err != nil {
		return err
	}
	if e.cfg.Silence.Watch {
		if rooms.Watcher, err = e.cfg.watcher(e.store); err != nil {
			return err
		}
	}
	if e.hooks, err = e.poster(); err != nil {
		return err
	}
	// The address comes before everything that starts, so that a taken port is told first; what subscribers are told names it.
	if e.listener, err = net.Listen("tcp", e.cfg.Listen.FHIR); err != nil {
		return fmt.Errorf("listen.fhir: %w", err)
	}
	rooms.Notifications = subscription.Writer{Base: e.publicURL(), Topic: e.cfg.Subscriptions.Topic}
	rooms.Answer = e.answer
	if e.hooks != nil { // a nil *hook.Poster in the interface would not be nil
		rooms.Hooks = e.hooks
	}
	for _, m := range e.cfg.Mailboxes {
		box, err := e.mailbox(m)
		if err != nil {
			return fmt.Errorf("mailbox %s: %w", m.ID, err)
		}
		rooms.Mailboxes = append(rooms.Mailboxes, box)
	}
	rhythm := pipeline.Default()
	rhythm.Poll, rhythm.RetainRaw = time.Duration(e.cfg.Mesh.Poll), time.Duration(e.cfg.Retention.Raw)
	rhythm.Reconcile, rhythm.Lease = time.Duration(e.cfg.Stream.Reconcile), time.Duration(e.cfg.Store.Lease)
	e.cfg.PDS.rhythm(&rhythm.Trace)
	if e.opts.Pipeline != nil {
		e.opts.Pipeline(&rhythm)
	}
	if e.pipeline, err = pipeline.New(rhythm, rooms); err != nil {
		return err
	}
	return e.face()
}

// mailbox opens one of our mailboxes, over HTTP or as the folders that another MESH client serves.
func (e *engineRoom) mailbox(m Mailbox) (pipeline.Mailbox, error) {
	if m.Folder != "" {
		cfg := folder.Default()
		cfg.Scan = min(cfg.Scan, time.Duration(e.cfg.Mesh.Poll))
		cfg.Root, cfg.Now, cfg.Log = m.Folder, e.opts.Now, e.opts.Log.With("room", "folder")
		return folder.NewBox(cfg, m.ID)
	}
	client, err := e.cfg.Mesh.client(m, e.opts)
	if err == nil {
		e.clients = append(e.clients, client)
	}
	return client, err
}

func (e *engineRoom) run(ctx context.Context) error {
	server := &http.Server{
		Handler: e.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(e.opts.Log.With("room", "http").Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	served := make(chan error, 1)
	compared, reloaded := e.runOpinion(ctx), e.runReload(ctx)
	e.observer.Listening(true)
	go func() {
		err := e.serve(server)
		e.observer.Listening(false)
		if !errors.Is(err, http.ErrServerClosed) {
			stop(fmt.Errorf("listener: %w", err))
		}
		served <- nil
	}()
	// The listener stops before the pipeline drains, so that what it took in is handled.
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		e.observer.Draining()
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		drained <- server.Shutdown(within)
	}()
	err := e.pipeline.Run(ctx, func() {
		e.observer.Started()
		if e.opts.Ready != nil {
			e.opts.Ready(Running{FHIR: e.baseURL(), Operations: e.operations.base(), Store: e.store})
		}
	})
	stop(nil)
	<-compared
	<-reloaded
	return errors.Join(err, <-drained, <-served)
}

func (e *engineRoom) serve(server *http.Server) error {
	if e.cfg.Listen.CertFile == "" {
		return server.Serve(e.listener)
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if e.cfg.FHIR.ClientCA != "" {
		// Who signed it is looked at when the request is there, so that a bad certificate gets an answer in FHIR.
		server.TLSConfig.ClientAuth = tls.RequestClientCert
	}
	return server.ServeTLS(e.listener, e.cfg.Listen.CertFile, e.cfg.Listen.KeyFile)
}

func (e *engineRoom) baseURL() string {
	scheme := "http"
	if e.cfg.Listen.CertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + e.listener.Addr().String() + e.cfg.Listen.BasePath
}

// publicURL is the base as clients see it.
func (e *engineRoom) publicURL() string {
	if e.cfg.Listen.PublicURL != "" {
		return e.cfg.Listen.PublicURL
	}
	return e.baseURL()
}

func (e *engineRoom) close() error {
	var errs []error
	if e.listener != nil {
		if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, c := range e.clients {
		c.Close()
	}
	if e.hooks != nil {
		e.hooks.Close()
	}
	if e.pds != nil {
		e.pds.Close()
	}
	if e.transport != nil {
		errs = append(errs, e.transport.Close())
	}
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	errs = append(errs, e.operations.close())
	e.closeObserver()
	return errors.Join(errs...)
}

// transport opens what carries events: this process, or Redis Streams.
func (c Config) transport(log *slog.Logger) (stream.Transport, error) {
	if len(c.Stream.URLs) == 0 {
		local := stream.DefaultLocal()
		local.Lanes, local.Workers, local.Logger = 256, 256, log
		return stream.NewLocal(local)
	}
	r := stream.DefaultRedis()
	r.URLs, r.Consumer, r.Prefix, r.Username, r.Logger = c.Stream.URLs, c.Stream.Consumer, c.Stream.Prefix, c.Stream.Username, log
	r.Lanes, r.MaxInFlight = 512, 4096 // events that are handled at once share a transaction: more of them, fewer transactions
	r.TLS.CAFile = c.Stream.CAFile
	r.ClaimMinIdle, r.ClaimInterval = time.Duration(c.Stream.Claim), time.Duration(c.Stream.Claim)/4
	if !c.Stream.Password.IsZero() {
		password, err := c.Stream.Password.Read()
		if err != nil {
			return nil, fmt.Errorf("stream.password: %w", err)
		}
		r.Password = stream.Secret{Value: password}
	}
	return stream.NewRedis(r)
}

// client opens one of our mailboxes.
func (c Mesh) client(m Mailbox, opts Options) (*mesh.Client, error) {
	password, err := m.Password.Read()
	if err != nil {
		return nil, err
	}
	key, err := c.SharedKey.Read()
	if err != nil {
		return nil, err
	}
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Now = c.URL, m.ID, mesh.Secret(password), mesh.Secret(key), opts.Now
	cfg.Application = "signalbox"
	if opts.Version != "" {
		cfg.Version = opts.Version
	}
	log := opts.Log.With("mailbox", m.ID)
	cfg.OnSkew = func(by time.Duration) {
		log.Error("the clock of MESH is far from ours: tokens are refused at two hours", "by", by.Round(time.Second))
	}
	cfg.TLSFiles = c.tlsFiles()
	return mesh.New(cfg)
}

// tlsFiles names the client certificate and the private authorities of MESH, which the client reads again when they change.
func (c Mesh) tlsFiles() mesh.TLSFiles {
	return mesh.TLSFiles{CertFile: c.CertFile, KeyFile: c.KeyFile, CAFile: c.CAFile}
}
