//go:build !unix

package spool

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir does not lock here: one process a directory is the operator's care.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: lock: %w", err)
	}
	return f, nil
}
