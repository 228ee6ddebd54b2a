// Package demo walks the whole job in one process over real HTTP: a MESH server, two local authorities, a trust and the engine.
//
// It looks at the engine from outside only: what it prints is read from the files that the authorities received and the answers that the
// trust got. The engine is the same app.Run that the binary's run command calls, with a configuration file that is left in the folder.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"signalbox/engine/app"
	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// Options are the command line's.
type Options struct {
	Dir     string // where files are left; must be empty or not exist
	Keep    bool   // stay up until the context ends
	Stream  string // redis URL; empty: in process
	Out     io.Writer
	Version string
}

// patience is how long the demo waits for any one thing before it gives up and says for what.
const patience = 60 * time.Second

// stage is the running demonstration.
type stage struct {
	Options
	story   story
	heard   hearsay
	mesh    *http.Server
	meshURL string
	logFile *os.File
	engine  chan error // what app.Run returned
	stop    context.CancelFunc
	running app.Running
	north   *authority // sends CSV
	test    *authority // sends CP-IS XML
	trust   *trust
}

// Run walks the seven steps and returns nil when each did what it should.
func Run(ctx context.Context, o Options) error {
	if err := emptyDir(o.Dir); err != nil {
		return err
	}
	s := &stage{Options: o, story: story{out: o.Out}}
	err := s.open(ctx)
	if err == nil {
		err = s.walk(ctx)
	}
	if err == nil && o.Keep {
		s.printCommands()
		<-ctx.Done()
	}
	return errors.Join(err, s.close())
}

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("--dir: the folder is not empty")
	}
	return err
}

func (s *stage) open(ctx context.Context) error {
	if err := s.openMesh(); err != nil {
		return err
	}
	config, err := s.writeConfig()
	if err != nil {
		return err
	}
	for _, a := range []struct {
		to      **authority
		mailbox string
		name    string
	}{{&s.test, testshireMailbox, "Testshire"}, {&s.north, northshireMailbox, "Northshire"}} {
		if *a.to, err = s.openAuthority(a.mailbox, a.name); err != nil {
			return err
		}
	}
	return s.startEngine(ctx, config)
}

// openMesh starts the MESH server on a free loopback port.
func (s *stage) openMesh() error {
	server, err := meshserver.New(meshserver.Config{
		Dir: filepath.Join(s.Dir, "mesh"), SharedKey: sharedKey,
		Mailboxes: []meshserver.Mailbox{
			{ID: engineMailbox, Password: password, Name: "Signalbox", Active: true},
			{ID: testshireMailbox, Password: password, Name: "Testshire County Council", ODSCode: "999", Active: true},
			{ID: northshireMailbox, Password: password, Name: "Northshire County Council", ODSCode: "998", Active: true},
		},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, server.Close())
	}
	s.meshURL = "http://" + listener.Addr().String()
	s.mesh = &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		// Serve ends when close calls Shutdown; the server's files are closed after that.
		_ = s.mesh.Serve(listener)
		_ = server.Close()
	}()
	return nil
}

func (s *stage) startEngine(ctx context.Context, config string) error {
	cfg, err := app.ReadConfig(config)
	if err != nil {
		return err
	}
	if s.logFile, err = os.OpenFile(filepath.Join(s.Dir, "engine.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	// The engine drains when the demo says so, not when ctx ends: close calls stop.
	within, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.engine = stop, make(chan error, 1)
	ready := make(chan app.Running, 1)
	go func() {
		s.engine <- app.Run(within, cfg, app.Options{
			Log:     slog.New(observer{Handler: slog.NewJSONHandler(s.logFile, &slog.HandlerOptions{Level: slog.LevelDebug}), heard: &s.heard}),
			Version: s.Version, Ready: func(r app.Running) { ready <- r },
		})
	}()
	select {
	case s.running = <-ready:
	case err := <-s.engine:
		s.engine <- nil
		return fmt.Errorf("the engine did not start: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
	s.trust = newTrust(s.running.FHIR, s.Dir)
	return nil
}

func (s *stage) close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		errs = append(errs, <-s.engine)
	}
	for _, a := range []*authority{s.test, s.north} {
		if a != nil {
			a.client.Close()
		}
	}
	if s.trust != nil {
		s.trust.client.CloseIdleConnections()
	}
	if s.mesh != nil {
		within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, s.mesh.Shutdown(within))
	}
	if s.logFile != nil {
		errs = append(errs, s.logFile.Close())
	}
	return errors.Join(errs...)
}

func (s *stage) openAuthority(mailbox, name string) (*authority, error) {
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Application = s.meshURL, mailbox, password, sharedKey, "demo-"+name
	client, err := mesh.New(cfg)
	if err != nil {
		return nil, err
	}
	a := &authority{name: name, client: client, sent: filepath.Join(s.Dir, "sent", mailbox), inbox: filepath.Join(s.Dir, "la", mailbox)}
	return a, errors.Join(os.MkdirAll(a.sent, 0o700), os.MkdirAll(a.inbox, 0o700))
}
