package redistest

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// orphanVariable makes this test binary the one that is killed.
const orphanVariable = "REDISTEST_ORPHAN"

// A test binary that is killed leaves no server behind.
func TestNoServerOutlivesItsTest(t *testing.T) {
	if os.Getenv(orphanVariable) != "" {
		_, _ = os.Stdout.WriteString("\naddress " + Start(t).Addr() + "\n")
		select {} // until killed
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), orphanVariable+"=1", "TMPDIR="+t.TempDir())
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(pipe); address == "" && lines.Scan(); {
		address, _ = strings.CutPrefix(lines.Text(), "address ")
		if address == lines.Text() {
			address = ""
		}
	}
	answers := func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	if address == "" || !answers() {
		t.Fatal("the other process started no server")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(startTimeout); answers(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server still answers, long after the process that started it was killed")
		}
	}
}
