package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/engine/app"
	"signalbox/engine/pipeline"
	"signalbox/engine/stream"
)

// processVariable names the configuration file to a test binary that shall be an engine.
const processVariable = "SIGNALBOX_TEST_ENGINE"

// Process is one engine in a process of its own, so that it can be killed and frozen as an operating system would.
type Process struct {
	FHIR string // base URL of its FHIR listener
	Log  *Log
	cmd  *exec.Cmd
	gone sync.Once
}

// profileVariable names the file for a CPU profile of an engine that StartProcess runs, from its beginning to its SIGTERM.
const profileVariable = "SIGNALBOX_TEST_PROFILE"

// Main runs an engine in place of the tests when this process was started by StartProcess, and reports whether it did. TestMain calls it
// first.
func Main() bool {
	path := os.Getenv(processVariable)
	if path == "" {
		return false
	}
	defer profiled()()
	stream.MuteClient() // as the binary does
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := app.ReadConfig(path)
	if err == nil {
		err = app.Run(ctx, cfg, app.Options{
			Log:     slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Version: "test",
			Ready:   func(r app.Running) { fmt.Println(r.FHIR) },
			// A takeover takes seconds in production; a test need not wait for so long.
			Pipeline: func(c *pipeline.Config) { c.Lease, c.Reconcile = 1500*time.Millisecond, 3*time.Second },
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// Profiles reports whether such a profile is wanted.
func Profiles() bool { return os.Getenv(profileVariable) != "" }

// profiled begins the CPU profile that is asked for, and returns what ends it.
func profiled() (end func()) {
	if !Profiles() {
		return func() {}
	}
	f, err := os.Create(os.Getenv(profileVariable))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}
}

// Stop ends the process as an operator does, and waits for it.
func (p *Process) Stop() {
	p.gone.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	})
}

// StartProcess runs an engine with the world's configuration under a name of its own and waits until it is ready. It is killed when the test
// ends.
func (w *World) StartProcess(t testing.TB, name string) *Process {
	t.Helper()
	p := &Process{Log: &Log{}}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), processVariable+"="+w.File(t, name))
	p.cmd.Stderr = p.Log
	out, err := p.cmd.StdoutPipe()
	Must(t, err, p.cmd.Start())
	t.Cleanup(p.Kill)
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- strings.TrimSpace(line)
	}()
	select {
	case p.FHIR = <-ready:
	case <-time.After(patience):
	}
	if p.FHIR == "" {
		p.Kill()
		t.Fatalf("the engine %s is not ready; its log: %s", name, p.Log)
	}
	return p
}

// File puts the world's configuration into a file, with its secrets beside it, and returns its path.
func (w *World) File(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(w.Dir, "process-"+name)
	Must(t, os.MkdirAll(dir, 0o700))
	n := 0
	secret := func(s app.Secret) app.Secret {
		if s.IsZero() {
			return s
		}
		value, err := s.Read()
		n++
		file := filepath.Join(dir, fmt.Sprint("secret", n))
		Must(t, err, os.WriteFile(file, []byte(value), 0o600))
		return app.Secret{File: file}
	}
	c := w.Config
	c.Stream.Consumer = name
	c.Mesh.SharedKey, c.Store.Password = secret(c.Mesh.SharedKey), secret(c.Store.Password)
	c.Mailboxes = append([]app.Mailbox(nil), c.Mailboxes...)
	for i := range c.Mailboxes {
		c.Mailboxes[i].Password = secret(c.Mailboxes[i].Password)
	}
	c.Trusts = append([]app.Trust(nil), c.Trusts...)
	for i := range c.Trusts {
		c.Trusts[i].Token = secret(c.Trusts[i].Token)
	}
	text, err := c.Redacted()
	path := filepath.Join(dir, "signalbox.yaml")
	Must(t, err, os.WriteFile(path, text, 0o600))
	return path
}

// Kill ends the process as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	p.gone.Do(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
}

// Freeze stops the process where it stands, as a paused machine would; Thaw lets it go on.
func (p *Process) Freeze(t testing.TB) { Must(t, p.cmd.Process.Signal(syscall.SIGSTOP)) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw(t testing.TB) { Must(t, p.cmd.Process.Signal(syscall.SIGCONT)) }

// Holds reports the leases that the process has taken, by its log.
func (p *Process) Holds() []string {
	var out []string
	for line := range strings.Lines(p.Log.String()) {
		var entry struct{ Msg, Lease string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "lease taken" {
			out = append(out, entry.Lease)
		}
	}
	return out
}
