package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// How the server of 'mesh serve' treats connections.
const (
	serveHeaderTimeout = 10 * time.Second
	serveIdleTimeout   = 2 * time.Minute
	serveDrain         = 10 * time.Second
	serveSweep         = time.Minute
)

// serveFlags is the command line of 'mesh serve'.
type serveFlags struct {
	link                                    *meshLink // says whether JSON is asked for
	listen, profile, dir                    string
	sharedKey, sharedKeyFile                string
	mailboxes, workflows, patients, faults  string
	auth                                    string
	tlsCert, tlsKey, tlsClientCA, log, logs string
	admin, canned                           bool
	seed                                    uint64
}

func meshServeCommand(link *meshLink) *cobra.Command {
	f := serveFlags{link: link}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve MESH mailboxes, as the NHS mesh-sandbox does or as the service is described",
		Long: `Serve the MESH HTTP API until SIGTERM or SIGINT. Without flags it stands in for the NHS mesh-sandbox: port 8700, mailboxes
X26ABC1 to X26ABC3 with the password "password", the shared key TestKey, its workflows, and its administration calls.

It reads the sandbox's own data files:
  mailboxes.jsonl  {"mailbox_id", "mailbox_name", "billing_entity", "ods_code", "org_code", "org_name", "password", "active"}
  workflows.jsonl  {"workflow_id", "senders": [], "receivers": []}

--profile sandbox does what the sandbox was observed to do, --profile strict what the service is described to do: tokens pass
once and for two hours, workflows are restricted, messages expire after five days. 'signalbox mesh serve --differences' prints
the table.

--patients names a directory by which messages to a patient's practice (GPPROVIDER_number_date_surname) find its mailbox,
one JSON object a line: {"nhs_number", "birth_date": "2014-02-09", "surname", "ods_code"}; fictitious people only. The
mailbox is the one at that ODS code that receives the workflow. --profile strict alone routes so.

POST /messageexchange/admin/clock with {"advance": "120h"} lets five days pass for the messages.

--faults names a file with one JSON object a line. Each has any of mailbox, method, path (a pattern for what follows the
mailbox, such as inbox/*), probability and times, and one effect: status (with after, retry_after and body), lost, cut (bytes),
error (a code, told by a report), or delay alone. delay goes with any effect.`,
		Example: `  signalbox mesh serve
  signalbox mesh serve --profile strict --dir ./mesh --mailboxes mailboxes.jsonl --workflows workflows.jsonl --shared-key-file key
  echo '{"path":"outbox","probability":0.1,"status":502,"after":true}' > faults.jsonl && signalbox mesh serve --faults faults.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if show, _ := c.Flags().GetBool("differences"); show {
				return link.failed(c, printDifferences(c, link))
			}
			return link.failed(c, f.serve(c))
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "localhost:8700", "address to listen on; port 0 takes a free one")
	flags.StringVar(&f.profile, "profile", string(meshserver.Sandbox), "sandbox or strict")
	flags.StringVar(&f.dir, "dir", "", "directory of the messages; without it they are gone when the server ends")
	flags.StringVar(&f.sharedKey, "shared-key", "", "shared key of the environment (default: $SHARED_KEY, or TestKey)")
	flags.StringVar(&f.sharedKeyFile, "shared-key-file", "", "file that holds the shared key")
	flags.StringVar(&f.mailboxes, "mailboxes", "", "mailboxes.jsonl (default: those of the sandbox)")
	flags.StringVar(&f.workflows, "workflows", "", "workflows.jsonl (default: those of the sandbox with its mailboxes, none with others)")
	flags.StringVar(&f.patients, "patients", "", "directory of patients for messages to their practices")
	flags.StringVar(&f.auth, "auth", "", "tokens: full, canned (the nonce is VALID) or none (default: $AUTH_MODE as the sandbox reads it, or full)")
	flags.BoolVar(&f.canned, "canned", false, "the sandbox's canned store: three messages, and nothing changes (default: whether $STORE_MODE is canned)")
	flags.StringVar(&f.faults, "faults", "", "faults to inject, one JSON object a line")
	flags.Uint64Var(&f.seed, "seed", 0, "where the chances of --faults begin")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "certificate of the server, PEM; without it the server speaks plain HTTP")
	flags.StringVar(&f.tlsKey, "tls-key", "", "key of the certificate, PEM")
	flags.StringVar(&f.tlsClientCA, "tls-client-ca", "", "authorities of the client certificates that are asked for, PEM")
	flags.BoolVar(&f.admin, "admin", false, "open the administration calls in the strict profile too")
	flags.StringVar(&f.log, "log", "text", "log format: json or text")
	flags.StringVar(&f.logs, "log-level", "info", "log level: debug, info, warn or error")
	flags.Bool("differences", false, "print what tells the profiles apart, and where it is known from")
	return c
}

func printDifferences(c *cobra.Command, link *meshLink) error {
	var values []map[string]string
	var lines []string
	for _, d := range meshserver.Differences() {
		values = append(values, map[string]string{"what": d.What, "strict": d.Strict, "sandbox": d.Sandbox, "source": d.Source})
		lines = append(lines, fmt.Sprintf("%s\n  strict:  %s\n  sandbox: %s\n  source:  %s", d.What, d.Strict, d.Sandbox, d.Source))
	}
	return link.print(c, map[string]any{"differences": values}, lines...)
}

// serve runs the server until the context ends.
func (f serveFlags) serve(c *cobra.Command) (err error) {
	log, err := logger(c, f.log, f.logs)
	if err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	if cfg.Log = log; cfg.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "signalbox-mesh-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Dir)) }()
	}
	mailboxes, err := meshserver.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mailboxes.Close()) }()
	server := &http.Server{
		Handler: mailboxes, ReadHeaderTimeout: serveHeaderTimeout, IdleTimeout: serveIdleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	scheme := "http"
	if f.tlsCert != "" {
		scheme = "https"
		if server.TLSConfig, err = meshserver.TLS(f.tlsCert, f.tlsKey, f.tlsClientCA); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	url := scheme + "://" + listener.Addr().String()
	value := map[string]any{"url": url, "profile": string(cfg.Profile), "mailboxes": len(cfg.Mailboxes)}
	if err := f.link.print(c, value, fmt.Sprintf("%s profile %s, %d mailboxes", url, cfg.Profile, len(cfg.Mailboxes))); err != nil {
		return errors.Join(err, listener.Close())
	}
	if cfg.Profile == meshserver.Strict && server.TLSConfig == nil {
		log.Warn("plain HTTP: no client certificate is asked for, unlike on the service")
	}
	return run(c.Context(), server, listener, mailboxes, log)
}

// run serves, sweeps once a minute, and drains when the context ends.
func run(ctx context.Context, server *http.Server, listener net.Listener, mailboxes *meshserver.Server, log *slog.Logger) error {
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	tick := time.NewTicker(serveSweep)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := mailboxes.Sweep(now.UTC()); err != nil {
				log.Error("sweep failed", "error", err)
			}
		case err := <-served:
			return err
		case <-ctx.Done():
			drain, stop := context.WithTimeout(context.WithoutCancel(ctx), serveDrain)
			defer stop()
			err := server.Shutdown(drain)
			if errors.Is(err, context.DeadlineExceeded) {
				err = server.Close()
			}
			if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
				err = errors.Join(err, ended)
			}
			return err
		}
	}
}

// config reads the files that the flags name.
func (f serveFlags) config() (meshserver.Config, error) {
	cfg := meshserver.Default()
	cfg.Dir, cfg.Admin, cfg.Seed = f.dir, f.admin, f.seed
	cfg.Auth, cfg.Canned = f.authMode(), f.canned || os.Getenv("STORE_MODE") == "canned"
	var err error
	if cfg.Profile, err = meshserver.ParseProfile(f.profile); err != nil {
		return cfg, err
	}
	if (f.tlsCert == "") != (f.tlsKey == "") || f.tlsClientCA != "" && f.tlsCert == "" {
		return cfg, errors.New("--tls-cert and --tls-key go together, and --tls-client-ca goes with them")
	}
	if cfg.Profile == meshserver.Strict && f.tlsCert != "" && f.tlsClientCA == "" {
		return cfg, errors.New("--profile strict with --tls-cert needs --tls-client-ca: the service asks for a client certificate")
	}
	if cfg.SharedKey, err = f.key(); err != nil {
		return cfg, err
	}
	if cfg.Mailboxes, err = readWith(f.mailboxes, meshserver.ReadMailboxes); err != nil {
		return cfg, err
	}
	if cfg.Workflows, err = readWith(f.workflows, meshserver.ReadWorkflows); err != nil {
		return cfg, err
	}
	if cfg.Patients, err = readWith(f.patients, meshserver.ReadPatients); err != nil {
		return cfg, err
	}
	if cfg.Faults, err = readWith(f.faults, meshserver.ReadFaults); err != nil {
		return cfg, err
	}
	if f.mailboxes == "" {
		cfg.Mailboxes = meshserver.SandboxMailboxes()
		if f.workflows == "" {
			cfg.Workflows = meshserver.SandboxWorkflows()
		}
	}
	return cfg, nil
}

// authMode says how tokens are checked. The sandbox takes every AUTH_MODE that it does not know for a full check.
func (f serveFlags) authMode() meshserver.Auth {
	if f.auth != "" {
		return meshserver.Auth(f.auth)
	}
	switch mode := meshserver.Auth(os.Getenv("AUTH_MODE")); mode {
	case meshserver.AuthCanned, meshserver.AuthNone:
		return mode
	}
	return meshserver.AuthFull
}

// key finds the shared key: the file, the flag, the environment as the sandbox reads it, or the sandbox's default.
func (f serveFlags) key() (mesh.Secret, error) {
	if f.sharedKeyFile != "" && f.sharedKey != "" {
		return "", errors.New("want --shared-key or --shared-key-file, not both")
	}
	if f.sharedKeyFile == "" {
		return mesh.Secret(cmp.Or(f.sharedKey, os.Getenv("SHARED_KEY"), "TestKey")), nil
	}
	raw, err := os.ReadFile(f.sharedKeyFile)
	if err != nil {
		return "", fmt.Errorf("--shared-key-file: %w", err)
	}
	return mesh.Secret(strings.TrimRight(string(raw), "\r\n")), nil
}

// readWith reads a file, and nothing when no file is named.
func readWith[T any](name string, read func(io.Reader) ([]T, error)) ([]T, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return read(file)
}
