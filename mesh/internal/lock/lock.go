// Package lock keeps a second process out of what one alone may work on, by an advisory lock on a file.
package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrHeld says that another holder has the lock.
var ErrHeld = errors.New("is held by another process")

// Lock is a lock that is held. The system drops it with the process, however that ends.
type Lock struct {
	f    *os.File
	name string
}

// Take takes the lock of a file, which is made when it is missing. It waits for nobody: the error is ErrHeld when another holder, in
// this process or in another, has it. Errors do not name the file.
func Take(name string) (*Lock, error) {
	for {
		f, err := take(name)
		if err != nil {
			return nil, tidy(err)
		}
		// The holder before may have removed the file since it was opened here: the lock of a file that nobody finds keeps nobody out.
		mine, err1 := f.Stat()
		found, err2 := os.Stat(name)
		if err1 == nil && err2 == nil && os.SameFile(mine, found) {
			return &Lock{f, name}, nil
		}
		if err := errors.Join(err1, f.Close()); err != nil {
			return nil, tidy(err)
		}
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, tidy(err2)
		}
	}
}

// File is the file whose lock is held, open for reading and writing.
func (l *Lock) File() *os.File { return l.f }

// Release gives the lock back. The file stays.
func (l *Lock) Release() error { return l.f.Close() }

// Remove takes the file away and gives the lock back.
func (l *Lock) Remove() error {
	err := os.Remove(l.name)
	closed := l.f.Close()
	if err != nil { // Windows removes no file that is open
		err = os.Remove(l.name)
	}
	return errors.Join(tidy(err), closed)
}

func tidy(err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("lock: %w", err)
}
