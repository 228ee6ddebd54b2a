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
type Lock struct{ f *os.File }

// Take takes the lock of a file, which is made when it is missing and stays where it is. It waits for nobody: the error is ErrHeld when
// another holder, in this process or in another, has it. Errors do not name the file.
func Take(name string) (*Lock, error) {
	f, err := take(name)
	if err == nil {
		return &Lock{f}, nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return nil, fmt.Errorf("lock: %w", err)
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Close() }
