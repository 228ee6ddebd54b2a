package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/mesh"
)

// Exit codes of the mesh commands, beside those of all commands.
const (
	exitTransport = 3 // no answer, or the service is busy or failed: try again later
	exitRefused   = 4 // the service said no: trying again does not help
	exitUnknown   = 5 // a message may have been sent: look it up before sending again
)

// Environment variables of the mesh commands. MESH_CLIENT_SHARED_KEY is what the NHS Python client reads.
const (
	envURL       = "MESH_URL"
	envMailbox   = "MESH_MAILBOX"
	envPassword  = "MESH_CLIENT_PASSWORD"
	envSharedKey = "MESH_CLIENT_SHARED_KEY"
)

func meshCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mesh",
		Short: "Send and receive MESH messages by hand, serve a folder or mailboxes",
		Long: `Work with one MESH mailbox from the command line.

The service is named by --url or MESH_URL, the mailbox by --mailbox or MESH_MAILBOX. The password comes from
--password-file or MESH_CLIENT_PASSWORD, the environment's shared key from --shared-key-file or
MESH_CLIENT_SHARED_KEY; neither can be given on the command line, where others could read it. --cert, --key and
--ca-cert are PEM files for mutual TLS. Proxies come from HTTPS_PROXY and NO_PROXY, or from --proxy.

Results go to standard output, with --json as one JSON value, and errors as one to standard error; progress goes to standard error when that is a
terminal. The exit code says what to do:

  0  done
  1  failed on this side (a file, a full disk, another process at the same): mend that
  2  the command line, a setting or the message is wrong: change it
  3  no answer, or the service is busy or failed: try again later
  4  the service refused: trying again does not help
  5  it is not known whether a message was sent: look it up by 'track --local-id' before sending it again`,
		Example: `  export MESH_URL=https://mesh.example MESH_MAILBOX=TESTLA01
  signalbox mesh validate --password-file password --shared-key-file key --ca-cert nhs-ca.pem --cert client.pem --key client.key`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	link := &meshLink{}
	link.flags(c)
	c.AddCommand(meshSendCommand(link))
	c.AddCommand(meshListCommand(link))
	c.AddCommand(meshGetCommand(link))
	c.AddCommand(meshAckCommand(link))
	c.AddCommand(meshTrackCommand(link))
	c.AddCommand(meshValidateCommand(link))
	c.AddCommand(meshLookupCommand(link))
	c.AddCommand(meshFolderCommand(link))
	c.AddCommand(meshServeCommand(link))
	return c
}

// meshLink is how a mailbox is reached: the flags that all mesh commands share.
type meshLink struct {
	url, mailbox, passwordFile, sharedKeyFile string
	tls                                       mesh.TLSFiles
	proxy                                     string
	timeout, settle                           time.Duration
	version                                   int
	json                                      bool
}

func (l *meshLink) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&l.url, "url", "", "address of the MESH environment, without /messageexchange (default: $"+envURL+")")
	f.StringVar(&l.mailbox, "mailbox", "", "our mailbox id (default: $"+envMailbox+")")
	f.StringVar(&l.passwordFile, "password-file", "", "file that holds the mailbox's password (default: $"+envPassword+")")
	f.StringVar(&l.sharedKeyFile, "shared-key-file", "", "file that holds the environment's shared key (default: $"+envSharedKey+")")
	f.StringVar(&l.tls.CertFile, "cert", "", "client certificate, PEM")
	f.StringVar(&l.tls.KeyFile, "key", "", "its private key, PEM")
	f.StringVar(&l.tls.CAFile, "ca-cert", "", "the environment's authorities, PEM (default: the system's)")
	f.StringVar(&l.proxy, "proxy", "", "HTTP proxy, or \"none\" (default: from the environment)")
	f.DurationVar(&l.timeout, "timeout", mesh.Default().Timeout, "longest time for one request, body included")
	f.DurationVar(&l.settle, "settle", mesh.Default().Settle, "how long a message whose answer was lost is looked for before it counts as never sent")
	f.IntVar(&l.version, "api-version", 2, "version of the API: 1 or 2")
	_ = c.RegisterFlagCompletionFunc("api-version", cobra.FixedCompletions([]string{"1", "2"}, cobra.ShellCompDirectiveNoFileComp))
	f.BoolVar(&l.json, "json", false, "print results and errors as JSON")
}

// client connects to nothing yet.
func (l *meshLink) client(c *cobra.Command, change ...func(*mesh.Config)) (*mesh.Client, error) {
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID = or(l.url, os.Getenv(envURL)), or(l.mailbox, os.Getenv(envMailbox))
	cfg.Timeout, cfg.Settle, cfg.Proxy, cfg.APIVersion = l.timeout, l.settle, l.proxy, l.version
	if v := version(); v != "" {
		cfg.Version = v
	}
	cfg.TLSFiles = l.tls
	var err1, err2 error
	cfg.Password, err1 = meshSecret(l.passwordFile, envPassword, "password")
	cfg.SharedKey, err2 = meshSecret(l.sharedKeyFile, envSharedKey, "shared key")
	if err := errors.Join(err1, err2); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	cfg.OnSkew = func(by time.Duration) {
		fmt.Fprintf(c.ErrOrStderr(), "signalbox: warning: the service's clock is %v from ours; tokens are refused at %v\n", by.Round(time.Second), mesh.TokenWindow)
	}
	for _, f := range change {
		f(&cfg)
	}
	client, err := mesh.New(cfg)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return client, nil
}

// complete checks required flags with the arguments, while a mistake still counts as one of the command line.
func complete(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		return errors.Join(args(c, given), c.ValidateRequiredFlags())
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func meshSecret(file, env, what string) (mesh.Secret, error) {
	if file != "" {
		return mesh.ReadSecret(file)
	}
	if v := os.Getenv(env); v != "" {
		return mesh.Secret(v), nil
	}
	return "", fmt.Errorf("%s: is missing: use --%s-file or %s", what, strings.ReplaceAll(what, " ", "-"), env)
}

// meshJSON reports whether a command line is one of mesh that asks for JSON, also where it is wrong and was not read to its end.
func meshJSON(args []string) bool {
	return len(args) > 0 && args[0] == "mesh" && slices.ContainsFunc(args, func(a string) bool { return a == "--json" || a == "--json=true" })
}

// run gives a command a client and turns what it fails with into an exit code.
func (l *meshLink) run(do func(c *cobra.Command, client *mesh.Client, args []string) error, change ...func(*mesh.Config)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		client, err := l.client(c, change...)
		if err == nil {
			defer client.Close()
			err = do(c, client, args)
		}
		return l.failed(c, err)
	}
}

// failed finds the exit code, and prints the error as JSON where that was asked for.
func (l *meshLink) failed(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	code := meshExit(err)
	if !l.json {
		return &exitError{code, err}
	}
	out := map[string]any{"error": err.Error(), "exit": code}
	if e, ok := errors.AsType[*mesh.Error](err); ok {
		code, text := e.Published()
		out["kind"], out["op"], out["text"] = string(e.Kind), e.Op, text
		for name, value := range map[string]string{"code": code, "event": e.Event, "message_id": e.MessageID} {
			if value != "" {
				out[name] = value
			}
		}
		if e.Status != 0 {
			out["status"] = e.Status
		}
	}
	_ = json.NewEncoder(c.ErrOrStderr()).Encode(out)
	return &exitError{code, errors.Join(errFailed, err)}
}

func meshExit(err error) int {
	if own, ok := errors.AsType[*exitError](err); ok {
		return own.code
	}
	e, ok := errors.AsType[*mesh.Error](err)
	if !ok {
		return exitFailed
	}
	switch e.Kind {
	case mesh.ErrInvalid:
		return exitUsage
	case mesh.ErrOutcomeUnknown:
		return exitUnknown
	case mesh.ErrTransport, mesh.ErrBusy, mesh.ErrServer, mesh.ErrProtocol:
		return exitTransport
	}
	return exitRefused
}

// print writes a result: the value as JSON, or the lines for a person.
func (l *meshLink) print(c *cobra.Command, value any, lines ...string) error {
	if l.json {
		return json.NewEncoder(c.OutOrStdout()).Encode(value)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(c.OutOrStdout(), line); err != nil {
			return err
		}
	}
	return nil
}
