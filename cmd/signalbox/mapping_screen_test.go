package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/conformance/harness"
)

// The same samples make the same folder, byte for byte, of every supplier.
func TestDraftIsTheSameTwice(t *testing.T) {
	sample := filepath.Join(t.TempDir(), "sample.csv")
	harness.Must(t, os.WriteFile(sample, []byte(workbenchRows), 0o600))
	samples := []string{sample, "../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json", "../../mappings/suppliers/testshire-trust-encounters/sample/two-attendances.json"}
	for i := range samples {
		var err error
		samples[i], err = filepath.Abs(samples[i])
		harness.Must(t, err)
	}
	for _, sample := range samples {
		var first string
		var files []string
		for i := range 2 {
			t.Chdir(t.TempDir())
			said := want(t, exitOK, "mapping", "draft", sample, "--out", "north")
			all := said
			files = nil
			harness.Must(t, fs.WalkDir(os.DirFS("north"), ".", func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				raw, err := fs.ReadFile(os.DirFS("north"), path)
				files = append(files, path)
				all += "\n-- " + path + " --\n" + string(raw)
				return err
			}))
			if i == 1 && all != first {
				t.Errorf("%s: the second draft is another one", filepath.Base(sample))
			}
			first = all
		}
		if !slices.Contains(files, "mapping.yaml") || !slices.Contains(files, "source.yaml") {
			t.Errorf("%s: %v", filepath.Base(sample), files)
		}
	}
}

// said is what a command has written so far.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// has waits until the command has written all of the words.
func (s *said) has(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if text := s.String(); !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after a minute the screen does not show all of %q:\n%s", words, s)
		}
	}
}

// try --watch draws anew when a file of the folder is saved, a broken one with its problem and not the end, and stops with its context.
func TestTryDrawsAgainOnSave(t *testing.T) {
	dir := t.TempDir()
	r := recordOf{folder: filepath.Join(dir, "northshire-csv")}
	harness.Must(t, os.CopyFS(r.folder, os.DirFS("../../mappings/suppliers/northshire-csv")))
	sample := filepath.Join(dir, "sample.csv")
	harness.Must(t, os.WriteFile(sample, []byte(workbenchRows), 0o600))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	shown := &said{}
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"mapping", "try", sample, "--mapping", r.folder, "--row", "3", "--watch"}, shown, shown)
	}()
	shown.has(t, "record 3  parked", "code-unmapped")
	r.edit(t, "mapping.yaml", "from: start_dt", "from: strat_dt")
	shown.has(t, `did you mean "start_dt"?`)
	r.edit(t, "mapping.yaml", "from: strat_dt", "from: start_dt")
	r.edit(t, "tables/plan-type.csv", "L,looked-after", "Y,looked-after,\nL,looked-after")
	shown.has(t, "record 3  accepted", "looked-after")
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
}
