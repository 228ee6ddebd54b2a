// Command signalbox is the one binary: the engine, its checks and its demonstration.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox/engine/stream"
)

func main() {
	stream.MuteClient()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
