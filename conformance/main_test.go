package conformance_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"signalbox/conformance/harness"
	"signalbox/engine/store/pgtest"
)

// server is the PostgreSQL of this test binary: it starts with the first test that asks for it.
var server pgtest.Shared

func TestMain(m *testing.M) {
	if harness.Main() {
		return
	}
	dir, err := os.MkdirTemp("", "signalbox-emitted-")
	if err == nil {
		err = os.Setenv(harness.EmittedVariable, dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	server.Stop()
	if err := publishedSchemasTake(dir); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	_ = os.RemoveAll(dir)
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}
