//go:build unix

package figure

import (
	"syscall"
	"time"
)

// processor is the processor time that this process has had, its own and the system's on its behalf.
func processor() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
