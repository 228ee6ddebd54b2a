package main

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"signalbox/engine/app"
)

func runCommand() *cobra.Command {
	var config, format, level string
	c := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run the engine until SIGTERM or SIGINT, then drain",
		Long: `Run the engine with one YAML file. It polls the MESH mailboxes, translates, keeps the register, answers trusts and
tells authorities. On SIGTERM or SIGINT it stops taking in, finishes what is in hand and exits with 0; what was not
finished is in the record and goes on at the next start.

Supplier folders (suppliers in the configuration) that change are loaded while it runs; SIGHUP asks for that at once. A folder that does not lint
or whose tests fail is refused, and the old mapping stays in use.

Logs go to standard error. They hold no personal data at any level. With listen.operations in the configuration, /metrics, /livez and
/readyz answer at that address; with traces.endpoint, one OpenTelemetry trace a message goes there.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := logger(c, format, level)
			if err != nil {
				return err
			}
			cfg, err := app.ReadConfig(config)
			if err != nil {
				return err
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return app.Run(c.Context(), cfg, app.Options{Log: log, Version: version(), Reload: hangup, Ready: func(r app.Running) {
				log.Info("ready", "fhir", r.FHIR, "operations", r.Operations)
			}})
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&format, "log", "json", "log format: json or text")
	c.Flags().StringVar(&level, "log-level", "info", "log level: debug, info, warn or error")
	return c
}

func logger(c *cobra.Command, format, level string) (*slog.Logger, error) {
	var at slog.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, errors.New("--log-level is none of debug, info, warn, error")
	}
	options := &slog.HandlerOptions{Level: at}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(c.ErrOrStderr(), options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(c.ErrOrStderr(), options)), nil
	}
	return nil, errors.New("--log is neither json nor text")
}

func checkCommand() *cobra.Command {
	var config string
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Validate a configuration file and print it, with secrets left out",
		Long: `Read a configuration as 'signalbox run' would: unknown keys, missing settings, secrets that cannot be read and mapping
folders that do not lint are all reported. Prints the effective configuration with every default; secrets are named, never shown.
Nothing is started or changed.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := app.ReadConfig(config)
			if err != nil {
				return err
			}
			if err := app.Check(cfg); err != nil {
				return err
			}
			text, err := cfg.Redacted()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	return c
}
