// Package durable makes names in a folder outlive a loss of power, and takes names out of errors.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// Dir makes durable which names a folder has: what was created, renamed or removed in it. Windows cannot do that, and keeps its own
// journal of names. Errors do not name the folder.
func Dir(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return Nameless(err)
	}
	return errors.Join(Nameless(f.Sync()), Nameless(f.Close()))
}

// Nameless takes the file's name out of an error of package os: people give their files names that must not be logged. Others, and
// nil, are returned as they are.
func Nameless(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s: %w", l.Op, l.Err)
	}
	return err
}
