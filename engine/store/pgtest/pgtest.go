// Package pgtest runs a real PostgreSQL for tests: one server for a test binary, on a free loopback port in a temporary folder, with a
// database of its own for each test. It can be killed and restarted, which is what some of the tests that use it are about.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// startTimeout is how long a server may take to answer: loaded machines are slow, healthy ones take a second.
const startTimeout = time.Minute

// hint is what to do when the server is missing.
const hint = "pgtest: these tests need PostgreSQL's initdb and postgres: install them, e.g. apt-get install postgresql (Debian, Ubuntu) or brew install postgresql"

// Server is one PostgreSQL cluster in a temporary folder.
type Server struct {
	dir, bin, password string
	port               int
	as                 *syscall.Credential // nil: ourselves

	mu  sync.Mutex
	cmd *exec.Cmd
	dbs int
}

// Shared is a server that starts with its first use and serves all tests of a binary. Its owner, TestMain, calls Stop.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Get returns the server, starting it on first use. The test fails when PostgreSQL is not installed.
func (s *Shared) Get(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = Start() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// Stop ends the server, if there is one, and removes its folder.
func (s *Shared) Stop() {
	s.once.Do(func() { s.err = errors.New("pgtest: stopped") })
	if s.server != nil {
		s.server.Stop()
	}
}

// Start makes a cluster and starts its server. PostgreSQL refuses to run as root, so root runs it as another user: postgres, or nobody. The
// cluster's locale sorts text as people do, not by bytes: what relies on an order must say so.
func Start() (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, password: "pgtest-password"}
	if s.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = s.folder(); err != nil {
		return nil, err
	}
	if err = s.initialise(); err == nil {
		for range 5 { // the port may be taken between finding and using it
			if s.port, err = freePort(); err == nil {
				if err = s.Restart(); err == nil {
					return s, nil
				}
			}
		}
	}
	s.Stop()
	return nil, fmt.Errorf("pgtest: start: %w", err)
}

// find looks on the PATH and where Debian and others put the server, the newest version first.
func find() (string, error) {
	if at, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real // beside the real one lie its companions
		}
		return filepath.Dir(at), nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/usr/local/opt/postgresql*/bin/initdb"} {
		at, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, at...)
	}
	if len(found) == 0 {
		return "", errors.New(hint)
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	return filepath.Dir(newest), nil
}

func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("pgtest: PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: run the tests as another user")
}

// folder lies in the system's own place for temporary files: TMPDIR of a test may be closed to other users.
func (s *Server) folder() (string, error) {
	root := ""
	if s.as != nil {
		root = "/tmp"
	}
	dir, err := os.MkdirTemp(root, "signalbox-pgtest-")
	if err == nil && s.as != nil {
		err = os.Chown(dir, int(s.as.Uid), int(s.as.Gid))
	}
	return dir, err
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C.UTF-8", "TZ=UTC"}
	// A process group of its own: an interrupt at the terminal is for the tests, which then stop it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	tie(cmd)
	return cmd
}

func (s *Server) initialise() error {
	file := filepath.Join(s.dir, "password")
	if err := os.WriteFile(file, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if s.as != nil {
		if err := os.Chown(file, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	base := []string{"--pgdata", filepath.Join(s.dir, "data"), "--username", "signalbox", "--pwfile", file, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--no-sync"}
	if err := s.command("initdb", append(base, "--locale-provider=icu", "--icu-locale=en-GB", "--locale=C.UTF-8")...).Run(); err != nil { // a server before version 15, or one without ICU
		_ = os.RemoveAll(filepath.Join(s.dir, "data"))
		if out, err := s.command("initdb", append(base, "--locale=C.UTF-8")...).CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	return nil
}

// Restart starts the server; one that runs is killed first.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(50 * time.Millisecond) {
		err := s.start()
		// The workers of a killed server hold its memory for a moment longer.
		if err == nil || !strings.Contains(err.Error(), "shared memory block") || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *Server) start() error {
	log, err := os.Create(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	// Without fsync a crash of the machine would cost data, a crash of the server does not: the tests are about the latter.
	cmd := s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+s.dir, "-c", "fsync=off", "-c", "max_connections=200", "-c", "deadlock_timeout=100ms",
		"-c", "shared_buffers=64MB", "-c", "logging_collector=off")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	return s.await(log.Name())
}

func (s *Server) await(log string) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := s.run("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || gone(s.cmd.Process) {
			s.kill()
			text, _ := os.ReadFile(log)
			return fmt.Errorf("no answer from postgres: %w; its log: %s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// gone reports whether the process ended by itself (a zombie until it is waited for).
func gone(p *os.Process) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
	if err != nil {
		return false // no such file system here: the deadline decides
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

// Kill ends the server and all its workers as a power cut would, and waits until they are gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

func (s *Server) kill() {
	if s.cmd == nil {
		return
	}
	// Each worker is a process group of its own. They would end by themselves some time after their parent, and hold the data folder until then.
	workers := children(s.cmd.Process.Pid)
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	for _, pid := range workers {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	s.cmd = nil
}

// children are the processes that a process has started (Linux; none elsewhere).
func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var out []int
	for word := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(word); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
	_ = os.RemoveAll(s.dir)
}

// Database makes an empty database and returns its address without the password.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.create(t, "")
}

// Copy makes a database that is like another of the server's and returns its address without the password. PostgreSQL copies only what nobody is
// connected to, and a connection that was closed may take a moment to end: so long it is tried again.
func (s *Server) Copy(t testing.TB, of string) string {
	t.Helper()
	return s.create(t, " TEMPLATE "+of)
}

// Name returns the database's name in an address that Database or Copy returned.
func Name(address string) string {
	name, _, _ := strings.Cut(address[strings.LastIndex(address, "/")+1:], "?")
	return name
}

func (s *Server) create(t testing.TB, like string) string {
	t.Helper()
	s.mu.Lock()
	s.dbs++
	name := fmt.Sprintf("test%d", s.dbs)
	s.mu.Unlock()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := s.run("CREATE DATABASE " + name + like)
		if err == nil {
			return s.url(name)
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != inUse || time.Now().After(deadline) {
			t.Fatalf("pgtest: create database: %v", err)
		}
	}
}

// inUse is the code of a database that somebody is connected to (PostgreSQL, appendix A: object_in_use).
const inUse = "55006"

func (s *Server) url(name string) string {
	return "postgres://signalbox@" + s.Addr() + "/" + name + "?sslmode=disable"
}

// Addr is the server's address as host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Password is that of the user in the addresses that Database returns.
func (s *Server) Password() string { return s.password }

func (s *Server) run(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conf, err := pgx.ParseConfig(s.url("postgres"))
	if err != nil {
		return err
	}
	conf.Password = s.password
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
