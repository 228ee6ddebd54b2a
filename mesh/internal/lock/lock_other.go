//go:build !unix && !windows

package lock

import "os"

// take does not lock here: one process alone is the operator's care.
func take(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}
