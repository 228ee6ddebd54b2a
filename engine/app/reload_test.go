package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/adapters"
	"signalbox/mappings"
)

// told is what a reloader has told.
type told struct {
	words chan string
	fail  error
}

func (t *told) Replace(_ context.Context, supplier string, m *mappings.Mapping) error {
	if t.fail == nil {
		t.words <- "replaced " + supplier + " " + m.Digest()
	}
	return t.fail
}

func (t *told) Reloaded(supplier string, err error) {
	if err != nil {
		t.words <- "refused " + supplier + ": " + err.Error()
	}
}

func (t *told) Unrefused(supplier string) { t.words <- "unrefused " + supplier }

func TestReloadRefuses(t *testing.T) {
	const name = "northshire-csv"
	for what, tt := range map[string]struct {
		change func(dir string) error
		fail   error
		want   string
	}{
		"a folder that is gone": {func(dir string) error { return os.RemoveAll(dir) }, nil, "its folder is gone"},
		"no tests": {func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "tests")), swap(dir, "tables/plan-type.csv", "P,", "Q,"))
		}, nil, "it has no tests"},
		"tests that fail":       {func(dir string) error { return swap(dir, "tables/plan-type.csv", "P,", "Q,") }, nil, "tests fail: northshire-csv/tests/"},
		"a misspelt column":     {func(dir string) error { return swap(dir, "mapping.yaml", "from: dob", "from: dbo") }, nil, `did you mean "dob"`},
		"another kind of event": {func(dir string) error { return swap(dir, "mapping.yaml", "emit: flag", "emit: access") }, nil, "refused northshire-csv"},
		"a record that is away": {func(dir string) error { return swap(dir, "tables/plan-type.csv", "P,", "NEW,looked-after,\nP,") }, errors.New("no disk"), "no disk"},
	} {
		root := t.TempDir()
		dir := filepath.Join(root, name)
		require.NoError(t, os.CopyFS(dir, os.DirFS("../../mappings/suppliers/"+name)))
		m, err := mappings.Load(os.DirFS(root), name, adapters.All())
		require.NoError(t, err)
		to := &told{words: make(chan string, 10), fail: tt.fail}
		r := newReloader(root, map[string]*mappings.Mapping{name: m}, to, nil, slog.New(slog.DiscardHandler))
		r.look(t.Context(), false)
		assert.Empty(t, to.words, "nothing has changed")
		require.NoError(t, tt.change(dir))
		r.look(t.Context(), false)
		require.Len(t, to.words, 1, what)
		assert.Contains(t, <-to.words, tt.want, what)
		r.look(t.Context(), false)
		assert.Empty(t, to.words, "what was refused is told once")
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.CopyFS(dir, os.DirFS("../../mappings/suppliers/"+name)))
		r.look(t.Context(), false)
		require.Len(t, to.words, 1, what)
		assert.Equal(t, "unrefused "+name, <-to.words, what)
	}
}

func swap(dir, file, old, replacement string) error {
	path := filepath.Join(dir, file)
	raw, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(raw), old) {
		return errors.Join(err, errors.New("nothing to change in "+file))
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), old, replacement)), 0o600)
}

// A change is taken when the file system tells it, and when somebody asks with a signal; the reloader ends with its context.
func TestReloadRuns(t *testing.T) {
	const name = "northshire-csv"
	root := t.TempDir()
	dir := filepath.Join(root, name)
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../mappings/suppliers/"+name)))
	m, err := mappings.Load(os.DirFS(root), name, adapters.All())
	require.NoError(t, err)
	to, ask := &told{words: make(chan string, 10)}, make(chan os.Signal, 1)
	r := newReloader(root, map[string]*mappings.Mapping{name: m}, to, ask, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.run(ctx) }()
	for _, code := range []string{"NEW1", "NEW2"} {
		require.NoError(t, swap(dir, "tables/plan-type.csv", "P,", code+",looked-after,\nP,"))
		if code == "NEW2" {
			ask <- syscall.SIGHUP
		}
		select {
		case word := <-to.words:
			assert.Contains(t, word, "replaced "+name)
		case <-time.After(time.Minute):
			t.Fatal("a changed folder has not been taken for a minute")
		}
	}
	stop()
	<-ended
}
