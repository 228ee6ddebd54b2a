//go:build !linux

package pgtest

import "os/exec"

// tie does nothing here: only Linux ties a child to its parent's life.
func tie(*exec.Cmd) {}
