package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes. A script can tell its own mistake from a bad input.
const (
	exitOK        = 0
	exitFailed    = 1 // what was asked was done, and the answer is no: a bad mapping, a failing test, an engine that stopped
	exitUsage     = 2 // the command line itself is wrong
	exitDifferent = 3 // a comparison was asked for, and there are differences
)

// exitError is a failure that has an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// errFailed says that the command has printed why it failed.
var errFailed = errors.New("failed")

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	usage := true
	markRunning(root, &usage)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case usage && meshJSON(args):
		_ = json.NewEncoder(errOut).Encode(map[string]any{"error": err.Error(), "exit": exitUsage})
		return exitUsage
	case usage:
		fmt.Fprintf(errOut, "signalbox: %v\nTry 'signalbox --help'.\n", err)
		return exitUsage
	case !errors.Is(err, errFailed):
		fmt.Fprintf(errOut, "signalbox: %v\n", err)
	}
	if own, ok := errors.AsType[*exitError](err); ok {
		return own.code
	}
	return exitFailed
}

// markRunning clears *usage once a command has passed its flags and arguments: what fails later is not the command line.
func markRunning(c *cobra.Command, usage *bool) {
	c.PersistentPreRun = func(*cobra.Command, []string) { *usage = false }
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "signalbox",
		Short: "Integration engine for Child Protection - Information Sharing (CP-IS)",
		Long: `Signalbox takes what local authorities send through MESH mailboxes and what trusts send as FHIR,
turns each record into one canonical flag or access event, keeps the register of who is flagged,
answers trusts, and tells the responsible authority about every unscheduled access.

Start with 'signalbox demo': it needs no server and shows the whole job on messages of the real formats.`,
		SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(demoCommand(), runCommand(), checkCommand(), notificationsCommand(), patternsCommand(), protectedCommand(), queryCommand(), quarantineCommand(), tasksCommand(), replayCommand(), mappingCommand(), functionsCommand(), meshCommand(),
		fhirCommand(), rulesCommand(), absentCommand(), silenceCommand(), schemaCommand(), versionCommand())
	return root
}
