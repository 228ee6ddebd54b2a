package harness

import (
	"bytes"
	"os"
	"testing"

	"signalbox/mesh/cpis"
)

// EmittedVariable names the folder in which every XML message of the engine is left for a judge after all tests; unset: none is.
const EmittedVariable = "SIGNALBOX_EMITTED"

// judge holds a message that an authority received to our own rules, whichever test received it. What is not XML (the CSV dialects, reports)
// has no schema and is looked at by its own tests.
func judge(t testing.TB, body []byte) {
	t.Helper()
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return
	}
	for _, fault := range cpis.Validate(body) {
		t.Errorf("the engine sent a message that our own rules refuse: %v", fault)
	}
	dir := os.Getenv(EmittedVariable)
	if dir == "" {
		return
	}
	out, err := os.CreateTemp(dir, "*.xml")
	if err == nil {
		_, err = out.Write(body)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Error(err)
	}
}
