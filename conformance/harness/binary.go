package harness

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Binary builds the engine, without what a test binary adds to it, and returns its path. A benchmark gets it as it is shipped: optimised by
// the profile of a load, which a test would wait for longer than it runs.
func Binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signalbox")
	build := []string{"build", "-o", path}
	if _, measures := t.(*testing.B); measures {
		build = append(build, "-pgo", shipped(t))
	}
	if text, err := exec.Command("go", append(build, "signalbox/cmd/signalbox")...).CombinedOutput(); err != nil {
		t.Fatalf("the engine does not build: %v\n%s", err, text)
	}
	return path
}

// shipped is the profile that 'make build' optimises by.
func shipped(t testing.TB) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "signalbox").Output()
	Must(t, err)
	return filepath.Join(strings.TrimSpace(string(root)), "cmd", "signalbox", "load.pgo")
}

// StartBinary runs `signalbox run` with the world's configuration under a name of its own and waits until it is ready. It is killed when the
// test ends.
func (w *World) StartBinary(t testing.TB, binary, name string) *Process {
	t.Helper()
	p := &Process{Log: &Log{}}
	p.cmd = exec.Command(binary, "run", "--config", w.File(t, name))
	p.cmd.Stderr = p.Log
	Must(t, p.cmd.Start())
	t.Cleanup(p.Kill)
	for deadline := time.Now().Add(patience); !strings.Contains(p.Log.String(), `"msg":"ready"`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the engine %s is not ready; its log: %s", name, p.Log)
		}
	}
	return p
}

// Usage is what a process has taken of the machine since it began.
type Usage struct {
	Peak int64         // bytes of memory that were resident at most
	CPU  time.Duration // of user and system, of all its threads
}

// Usage reads what the process has taken (Linux, /proc).
func (p *Process) Usage(t testing.TB) Usage {
	t.Helper()
	dir := fmt.Sprint("/proc/", p.cmd.Process.Pid)
	status, err := os.ReadFile(dir + "/status")
	Must(t, err)
	stat, err := os.ReadFile(dir + "/stat")
	Must(t, err)
	var u Usage
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); n == 1 {
			u.Peak = kib << 10
		}
	}
	// The fields after the name, which may hold anything: state is the first, utime the 12th, stime the 13th, in hundredths of a second.
	_, after, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(after); len(fields) > 12 {
		for _, f := range fields[11:13] {
			ticks, err := strconv.ParseInt(f, 10, 64)
			Must(t, err)
			u.CPU += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	if u.Peak == 0 || u.CPU == 0 {
		t.Fatalf("%s does not tell what the process has taken", dir)
	}
	return u
}
