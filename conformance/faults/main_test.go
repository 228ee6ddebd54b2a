//go:build unix

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"signalbox/engine/store/pgtest"
)

// binary is the engine as it is shipped, built once: the fault runs kill a real process. It is set before the first test and never after.
var binary string

// server is the PostgreSQL of the rows that run on one; each has a database of its own.
var server pgtest.Shared

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "signalbox-faults")
	if err == nil {
		binary = filepath.Join(dir, "signalbox")
		var out []byte
		if out, err = exec.Command("go", "build", "-tags", os.Getenv("SIGNALBOX_FAULT_TAGS"), "-o", binary, "signalbox/cmd/signalbox").CombinedOutput(); err != nil {
			err = fmt.Errorf("the engine does not build: %w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's toxics write to standard output otherwise
	// toxiproxy leaves the tail of a toxic's pipe behind when the toxic is taken away under load.
	const toxic = "github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(toxic), goleak.Cleanup(func(code int) {
		server.Stop()
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
