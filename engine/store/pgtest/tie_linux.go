package pgtest

import (
	"os/exec"
	"syscall"
)

// tie makes the kernel kill the server when this process dies, however it dies: a test that is killed or panics cannot clean up. The kernel
// watches the thread that starts the server; the Go runtime keeps its threads.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL }
