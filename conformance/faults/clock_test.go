//go:build unix

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// clockVariable says by how many whole hours the engine of wrongClock is wrong about the time.
const clockVariable = "SIGNALBOX_FAULT_CLOCK_HOURS"

// wrong is what stands in the place of time.Now: the machine's clock, set to another time of day. As on such a machine, spans are measured
// right: a time has two readings (package time, "Monotonic Clocks"), and the wall clock's alone is changed, whose seconds begin at bit 30.
const wrong = `package %s

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"
)

var toldOfWrongNow atomic.Bool

func wrongNow() time.Time {
	now := time.Now()
	hours, _ := strconv.Atoi(os.Getenv("` + clockVariable + `"))
	*(*uint64)(unsafe.Pointer(&now)) += uint64(int64(hours)*3600) << 30
	if toldOfWrongNow.CompareAndSwap(false, true) {
		fmt.Fprintf(os.Stderr, "{\"level\":\"INFO\",\"msg\":\"` + clockAsked + `\",\"package\":%%q,\"now\":%%d}\n", %q, now.Unix())
	}
	return now
}
`

// clockAsked is what each package of an engine with a wrong clock says when it first asks for the time, with the answer.
const clockAsked = "clock asked"

var (
	asksClock = regexp.MustCompile(`\btime\.Now\b`)
	packageIs = regexp.MustCompile(`(?m)^package (\w+)`)
	wrongly   sync.Map // "binary": sync.OnceValue of the path
)

// wrongClock builds the engine as it would be on a machine whose clock is wrong: every place in our own code that asks for the time is
// changed on its way to the compiler. The product has no switch for it.
func wrongClock(t testing.TB) string {
	t.Helper()
	dir := filepath.Dir(binary)
	build, _ := wrongly.LoadOrStore("binary", sync.OnceValues(func() (string, error) { return buildWrong(dir) }))
	path, err := build.(func() (string, error))()
	must(t, err)
	return path
}

func buildWrong(dir string) (string, error) {
	const each = `{{if and .Module (eq .Module.Path "signalbox")}}{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", each, "signalbox/cmd/signalbox").Output()
	if err != nil {
		return "", fmt.Errorf("the engine's files: %w", err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	put := func(path, text string) error {
		if overlay.Replace[path] != "" {
			return nil
		}
		file := filepath.Join(dir, fmt.Sprintf("overlay-%d.go", len(overlay.Replace)))
		overlay.Replace[path] = file
		return os.WriteFile(file, []byte(text), 0o600)
	}
	for _, path := range strings.Fields(string(out)) {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if !asksClock.Match(raw) {
			continue
		}
		name := packageIs.FindSubmatch(raw)[1]
		if err := put(path, asksClock.ReplaceAllString(string(raw), "wrongNow")+"\nvar _ time.Duration\n"); err != nil {
			return "", err
		}
		if err := put(filepath.Join(filepath.Dir(path), "wrong_now.go"), fmt.Sprintf(wrong, name, name)); err != nil {
			return "", err
		}
	}
	plan := filepath.Join(dir, "overlay.json")
	raw, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(plan, raw, 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "signalbox-wrong-clock")
	if out, err := exec.Command("go", "build", "-overlay", plan, "-tags", os.Getenv("SIGNALBOX_FAULT_TAGS"), "-o", path, "signalbox/cmd/signalbox").CombinedOutput(); err != nil {
		return "", fmt.Errorf("the engine with a wrong clock does not build: %w: %s", err, out)
	}
	return path, nil
}
