//go:build unix

package faults

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: a loaded machine is slow, a broken engine never ends.
const patience = 4 * time.Minute

// process is the engine as a child process.
type process struct {
	cmd   *exec.Cmd
	ready chan string // the FHIR base, once
	gone  chan struct{}
	log   *tail
	ahead sync.Map // package -> time.Duration by which the clock that it asked is ahead of ours, of an engine with a wrong clock
}

// tail keeps the last of the engine's log, to be shown when a run fails.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, line); len(l.lines) > 400 {
		l.lines = append([]string(nil), l.lines[200:]...)
	}
}

// troubles returns the last warnings and errors.
func (l *tail) troubles() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.lines {
		if !strings.Contains(line, `"level":"INFO"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out[max(0, len(out)-40):], "\n")
}

func spawn(run seat, log *tail) (*process, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(run.binary, "run", "--config", run.config), ready: make(chan string, 1), gone: make(chan struct{}), log: log}
	p.cmd.Stderr, p.cmd.Env = write, append(os.Environ(), run.env...)
	err = p.cmd.Start()
	_ = write.Close()
	if err != nil {
		_ = read.Close()
		return nil, err
	}
	go p.follow(read)
	return p, nil
}

// follow reads the log until the process has ended, and waits for it.
func (p *process) follow(read io.ReadCloser) {
	defer close(p.gone)
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.log.add(lines.Text())
		var note struct {
			Msg, FHIR, Package string
			Now                int64
		}
		if strings.Contains(lines.Text(), clockAsked) && json.Unmarshal(lines.Bytes(), &note) == nil {
			p.ahead.Store(note.Package, time.Until(time.Unix(note.Now, 0)))
		}
		if strings.Contains(lines.Text(), `"msg":"ready"`) && json.Unmarshal(lines.Bytes(), &note) == nil {
			p.ready <- note.FHIR
		}
	}
	_ = read.Close()
	_ = p.cmd.Wait() // it was killed, mostly
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process as kill -9 does and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.gone
}

// seat is where one engine runs: what it is started with, under which name, and the process that is there now.
type seat struct {
	binary, config string
	env            []string
	engine         *process
	address, path  string // of its FHIR listener
}

// start runs the engine of every seat until it is ready.
func (w *world) start(t testing.TB) {
	t.Helper()
	for _, s := range w.seats {
		w.seat(t, s)
	}
	w.face(w.seats[0])
}

// seat runs the engine of one seat until it is ready. A start that ends by itself is tried again: what it needs may be away on purpose.
func (w *world) seat(t testing.TB, s *seat) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		p, err := spawn(*s, w.log)
		must(t, err)
		select {
		case base := <-p.ready:
			s.address, s.path, _ = strings.Cut(strings.TrimPrefix(base, "http://"), "/")
			s.engine = p
			return
		case <-p.gone:
		case <-time.After(patience):
			p.kill()
		}
		if time.Now().After(deadline) {
			t.Fatalf("the engine does not start; its log:\n%s", w.log.troubles())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// face has the trust talk to the engine of that seat from now on.
func (w *world) face(s *seat) {
	w.fhir.lead(s.address)
	w.trust.at("http://" + w.fhir.addr() + "/" + s.path)
}

// kill ends every engine as kill -9 does.
func (w *world) kill() {
	for _, s := range w.seats {
		if s.engine != nil {
			s.engine.kill()
		}
	}
}

// crash kills every engine and starts them again.
func (w *world) crash(t testing.TB) {
	w.kill()
	w.start(t)
}
