package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"signalbox/conformance/harness"
)

// onTerminal runs a command on a pseudo-terminal of a width and returns its exit code and all that the terminal got, line ends made plain.
func onTerminal(t *testing.T, width uint16, args ...string) (int, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	harness.Must(t, err)
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	harness.Must(t, err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: width}))
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	harness.Must(t, err)
	read := make(chan string, 1)
	go func() {
		raw, _ := io.ReadAll(master) // ends with EIO when nobody holds the terminal any more
		read <- string(raw)
	}()
	code := execute(context.Background(), args, terminal, terminal)
	harness.Must(t, terminal.Close())
	return code, strings.ReplaceAll(<-read, "\r\n", "\n")
}

// On a terminal a command writes in colour and within the width; with NO_COLOR, or TERM=dumb, within the width and plain; in a pipe plain and on
// one line.
func TestColourAndWidthAreForTerminals(t *testing.T) {
	sample := filepath.Join(t.TempDir(), "sample.csv")
	harness.Must(t, os.WriteFile(sample, []byte(workbenchRows), 0o600))
	args := []string{"mapping", "try", sample, "--mapping", "../../mappings/suppliers/northshire-csv", "--row", "3"}
	const escape, width = "\x1b[", 100
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	code, coloured := onTerminal(t, width, args...)
	if code != exitOK || !strings.Contains(coloured, escape+"33mparked") || !strings.Contains(coloured, escape+"31m") {
		t.Errorf("a terminal gets no colour: exit %d\n%q", code, coloured)
	}
	t.Setenv("NO_COLOR", "1")
	_, plain := onTerminal(t, width, args...)
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	_, dumb := onTerminal(t, width, args...)
	if strings.Contains(plain, escape) || dumb != plain {
		t.Errorf("NO_COLOR and TERM=dumb:\n%q\n%q", plain, dumb)
	}
	for line := range strings.Lines(plain) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
			t.Errorf("%d characters on a terminal of %d: %q", n, width, line)
		}
	}
	piped := want(t, exitOK, args...)
	if strings.Contains(piped, escape) || strings.Count(piped, "\n") >= strings.Count(plain, "\n") || strings.Join(strings.Fields(piped), " ") != strings.Join(strings.Fields(plain), " ") {
		t.Errorf("a pipe gets another text:\n%s\nthan a terminal without colour:\n%s", piped, plain)
	}
}
