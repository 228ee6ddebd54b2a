package folder

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher wakes whoever waits for a change of a folder. Where the file system gives no notice nothing wakes, and the caller's
// own clock is what remains.
type watcher struct {
	wake chan struct{}
	fs   *fsnotify.Watcher
	done sync.WaitGroup
}

func watch(dir string, cfg Config) *watcher {
	w := &watcher{wake: make(chan struct{}, 1)}
	if cfg.NoNotify {
		return w
	}
	fs, err := fsnotify.NewWatcher()
	if err == nil {
		err = fs.Add(dir)
		if err != nil {
			_ = fs.Close()
		}
	}
	if err != nil {
		cfg.Log.Warn("no notice of changes from the file system, looking at intervals", "every", cfg.Scan)
		return w
	}
	w.fs = fs
	w.done.Go(w.listen)
	return w
}

func (w *watcher) listen() {
	for {
		select {
		case _, ok := <-w.fs.Events:
			if !ok {
				return
			}
		case _, ok := <-w.fs.Errors: // an overflow: something happened
			if !ok {
				return
			}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) close() {
	if w.fs != nil {
		_ = w.fs.Close()
	}
	w.done.Wait()
}

// rest waits for a wake-up, for d, or for the end of ctx.
func rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
