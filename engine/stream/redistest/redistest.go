// Package redistest runs a real redis-server for a test: on a free loopback port, in a temporary folder, stopped when the
// test ends. It can be killed, restarted and wiped, which is what most of the tests that use it are about.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout is how long a server may take to answer: loaded machines are slow, healthy ones take milliseconds.
const startTimeout = 30 * time.Second

// Server is one running redis-server.
type Server struct {
	t    testing.TB
	dir  string
	port int

	binary        string
	before, after []string // arguments before and after the common ones

	mu  sync.Mutex
	cmd *exec.Cmd
}

// Start runs a server without persistence and returns when it answers. Further arguments go to redis-server, e.g.
// Durable() or "--maxmemory", "10mb". The test fails if redis-server is not installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, nil, args)
}

// StartSentinel runs a Sentinel with a configuration file, which it rewrites.
func StartSentinel(t testing.TB, file string) *Server {
	t.Helper()
	return launch(t, []string{file, "--sentinel"}, nil)
}

func launch(t testing.TB, before, after []string) *Server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redistest: these tests need redis-server on PATH: install it, e.g. apt-get install redis-server (Debian, Ubuntu) or brew install redis")
	}
	s := &Server{t: t, dir: t.TempDir(), binary: binary, before: before, after: after}
	t.Cleanup(s.Kill)
	for range 5 { // the port may be taken between finding and using it
		if s.port, err = freePort(); err == nil {
			if err = s.start(); err == nil {
				return s
			}
		}
	}
	t.Fatalf("redistest: start: %v", err)
	return nil
}

// Durable are the arguments for a server that keeps every acknowledged write over Kill and Restart.
func Durable() []string { return []string{"--appendonly", "yes", "--appendfsync", "always"} }

// URL is the server's address as redis://host:port/0.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Addr is the server's address as host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Kill ends the server as kill -9 does and waits until it is gone. A server that is down stays down.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

// Restart kills the server if it runs, and starts it again on the same port and folder.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	if err := s.start(); err != nil {
		s.t.Errorf("redistest: restart: %v", err)
	}
}

// Wipe removes all data, as a failover to an empty server would.
func (s *Server) Wipe() {
	s.t.Helper()
	if _, err := s.Do("FLUSHALL"); err != nil {
		s.t.Errorf("redistest: wipe: %v", err)
	}
}

// Do sends one inline command (words without spaces) and returns the first line of the answer without its type mark.
func (s *Server) Do(words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(startTimeout))
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case err != nil:
		return "", err
	case strings.HasPrefix(line, "-"):
		return "", errors.New(strings.TrimSpace(line[1:]))
	}
	return strings.TrimSpace(line[1:]), nil
}

func (s *Server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *Server) start() error {
	logFile := filepath.Join(s.dir, "redis.log")
	args := slices.Concat(s.before, []string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", logFile,
	}, s.after)
	if s.before == nil {
		args = append(args, "--save", "")
	}
	cmd := exec.Command(s.binary, args...)
	tie(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	deadline := time.Now().Add(startTimeout)
	for {
		// The process id proves that it is this server that answers, and not a stranger on the same port.
		answer, err := s.Do("INFO", "server")
		if err == nil && answer != "" && s.owns(cmd.Process.Pid) {
			return nil
		}
		if time.Now().After(deadline) || exited(cmd.Process) {
			s.kill()
			text, _ := os.ReadFile(logFile)
			return fmt.Errorf("no answer from redis-server; its log: %s", text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// owns reports whether the server's log tells of the process: redis prefixes each line with its id and role.
func (s *Server) owns(pid int) bool {
	text, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	return regexp.MustCompile(fmt.Sprintf(`(?m)^%d:[MSX]`, pid)).Match(text) && s.loaded()
}

// loaded reports whether the data is read back: PING answers LOADING until then.
func (s *Server) loaded() bool {
	answer, err := s.Do("PING")
	return err == nil && answer == "PONG"
}

// exited reports whether the process ended by itself (a zombie until it is waited for).
func exited(p *os.Process) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		return false // no such file system here: the deadline decides
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
