//go:build !unix

package figure

import "time"

// processor is the wall clock where the system does not tell the processor time of a process.
func processor() time.Duration { return time.Duration(time.Now().UnixNano()) }
