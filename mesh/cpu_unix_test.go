//go:build unix

package mesh_test

import (
	"syscall"
	"time"
)

// processorTime is what this process has had of the processors, in its own code and in the system's.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
