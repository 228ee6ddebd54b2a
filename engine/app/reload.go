package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
)

// The rhythm of looking at the folders. A notice of the file system is not believed at once: whoever copies a folder writes its files one by one. Where
// there are no notices, or one is lost, the folders are looked at all the same.
const (
	settle     = 500 * time.Millisecond
	lookAgain  = 30 * time.Second
	maxFolders = 16 << 20 // bytes of all files of the suppliers' folders; what is more is no configuration
)

// reloadable is what a reloader tells and changes; the engine room is one.
type reloadable interface {
	// Replace takes a mapping into use, kept under its digest before.
	Replace(ctx context.Context, supplier string, m *mappings.Mapping) error
	// Reloaded says that a supplier's folder was taken into use, or why not: the old one stays then.
	Reloaded(supplier string, err error)
	// Unrefused says that a folder that was refused is again the one in use.
	Unrefused(supplier string)
}

// reloader takes changed supplier folders into use while the engine runs.
type reloader struct {
	dir     string
	folders SupplierFolders
	to      reloadable
	log     *slog.Logger
	ask     <-chan os.Signal // SIGHUP; nil: nobody asks
	inUse   map[string]loaded
	refused map[string]bool
	seen    [sha256.Size]byte // of all files when they were last looked at
}

// loaded is a mapping in use.
type loaded struct {
	digest string
	emit   engine.Kind
	own    bool // it came from the configured folder, not from those that are built in
}

func newReloader(dir string, inUse map[string]*mappings.Mapping, to reloadable, ask <-chan os.Signal, log *slog.Logger) *reloader {
	r := &reloader{dir: dir, folders: Suppliers(dir), to: to, log: log, ask: ask, inUse: map[string]loaded{}, refused: map[string]bool{}}
	for name, m := range inUse {
		r.inUse[name] = loaded{m.Digest(), m.Emit(), r.folders.isOwn(name)}
	}
	return r
}

// run looks at the folders until ctx ends: at once when the file system or somebody says so, and every now and then.
func (r *reloader) run(ctx context.Context) {
	watcher, err := fsnotify.NewWatcher()
	var events chan fsnotify.Event
	var overflows chan error
	if err == nil {
		defer func() { _ = watcher.Close() }()
		events, overflows = watcher.Events, watcher.Errors
		err = r.watch(watcher)
	}
	if err != nil {
		r.log.Warn("no notice of changes from the file system, looking at intervals", "every", lookAgain)
	}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	quiet := time.NewTimer(0) // the first look: a folder may have changed since the mappings were loaded
	defer quiet.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-events:
			quiet.Reset(settle)
			continue
		case err := <-overflows:
			r.log.Debug("notices of the file system were lost, looking anyway", "error", err)
			quiet.Reset(settle)
			continue
		case <-quiet.C:
		case <-ticker.C:
		case <-r.ask:
			asked = true
		}
		r.look(ctx, asked)
		if watcher != nil {
			_ = r.watch(watcher) // a folder that is new; what cannot be watched is looked at every now and then
		}
	}
}

// watch watches the folder, the suppliers' folders in it and what these hold.
func (r *reloader) watch(w *fsnotify.Watcher) error {
	return filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || slices.Contains(w.WatchList(), path) {
			return err
		}
		return w.Add(path)
	})
}

// fingerprint is the digest of every file's name and bytes.
func (r *reloader) fingerprint() (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	bytes := 0
	err = fs.WalkDir(os.DirFS(r.dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(r.dir, path))
		if bytes += len(raw); bytes > maxFolders {
			return errors.New("the suppliers' folders hold more than configuration may")
		}
		fmt.Fprintf(h, "%q %d\n%s", path, len(raw), raw)
		return err
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}

// look loads what has changed since the last look. Somebody who asks is answered even when nothing has.
func (r *reloader) look(ctx context.Context, asked bool) {
	sum, err := r.fingerprint()
	if err != nil {
		r.log.Warn("the suppliers' folders cannot be read, the mappings in use stay", "error", err)
		return
	}
	if sum == r.seen && !asked {
		return
	}
	r.seen = sum
	for _, name := range sortedNames(r.inUse) {
		if ctx.Err() != nil {
			return
		}
		if err := r.reload(ctx, name); err != nil {
			r.refused[name] = true
			r.log.Error("the supplier's new folder is refused, the old mapping stays in use", "supplier", name, "error", err)
			r.to.Reloaded(name, err)
		}
	}
}

func sortedNames(m map[string]loaded) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// reload loads one supplier's folder, tests it, and takes it into use when it is another one than the one in use.
func (r *reloader) reload(ctx context.Context, name string) error {
	was, own := r.inUse[name], r.folders.isOwn(name)
	if was.own && !own {
		return errors.New("its folder is gone")
	}
	fsys, err := r.folders.Find(name)
	if err != nil {
		return err
	}
	m, err := mappings.Load(fsys, name, adapters.All())
	if err != nil {
		return err
	}
	if m.Digest() == was.digest {
		if r.refused[name] {
			delete(r.refused, name)
			r.log.Info("the supplier's folder is again the mapping in use", "supplier", name)
			r.to.Unrefused(name)
		}
		return nil
	}
	if m.Emit() != was.emit {
		return fmt.Errorf("it makes %s where the one in use makes %s", m.Emit(), was.emit)
	}
	if err := tested(fsys, name, m); err != nil {
		return err
	}
	if err := r.to.Replace(ctx, name, m); err != nil {
		return err
	}
	r.inUse[name] = loaded{m.Digest(), m.Emit(), own}
	delete(r.refused, name)
	r.log.Info("the supplier's new folder is in use", "supplier", name, "digest", m.Digest())
	r.to.Reloaded(name, nil)
	return nil
}

// tested runs the folder's tests. A folder without any is refused: nobody has said what must come out.
func tested(fsys fs.FS, name string, m *mappings.Mapping) error {
	report, err := mappings.RunTests(fsys, name, m)
	switch {
	case err != nil:
		return err
	case len(report.Results) == 0:
		return errors.New("it has no tests")
	case report.Failed() > 0:
		var failed []string
		for _, res := range report.Results {
			if !res.Passed {
				failed = append(failed, res.Path)
			}
		}
		return fmt.Errorf("%d of its %d tests fail: %s", report.Failed(), len(report.Results), strings.Join(failed, ", "))
	}
	return nil
}

// isOwn reports whether a supplier's folder stands in the configured folder.
func (s SupplierFolders) isOwn(name string) bool {
	if s.own == nil {
		return false
	}
	info, err := fs.Stat(s.own, name)
	return err == nil && info.IsDir()
}

// Replace takes a mapping into use.
func (e *engineRoom) Replace(ctx context.Context, supplier string, m *mappings.Mapping) error {
	return e.pipeline.Replace(ctx, supplier, m)
}

// Reloaded tells operators.
func (e *engineRoom) Reloaded(supplier string, err error) { e.observer.Reloaded(supplier, err == nil) }

// Unrefused tells operators.
func (e *engineRoom) Unrefused(supplier string) { e.observer.Unrefused(supplier) }

// runReload takes changed folders into use until ctx ends; the channel closes when it has ended. Without a configured folder there is nothing to look at.
func (e *engineRoom) runReload(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if e.cfg.Suppliers != "" {
			newReloader(e.cfg.Suppliers, e.mappings, e, e.opts.Reload, e.opts.Log.With("room", "mappings")).run(ctx)
		}
	}()
	return done
}
