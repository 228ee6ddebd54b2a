package store

import "testing"

// A process that is frozen in the middle of a transaction keeps its locks until the server ends it: each session asks for that, unless its
// address says otherwise. TestFrozenOwner of conformance/faults sees a server do it.
func TestAFrozenProcessLosesItsLocks(t *testing.T) {
	const address = "postgres://signalbox@localhost/signalbox"
	for url, want := range map[string]string{address: "10s", address + "?" + idleLimit + "=1min": "1min"} {
		conf, err := Config{URL: url}.postgres()
		if err != nil {
			t.Fatal(err)
		}
		if got := conf.RuntimeParams[idleLimit]; got != want {
			t.Errorf("%s: a transaction may be idle for %q, want %q", url, got, want)
		}
	}
}
