package main

import (
	"github.com/spf13/cobra"

	"signalbox/mesh"
	meshfolder "signalbox/mesh/folder"
)

func meshFolderCommand(link *meshLink) *cobra.Command {
	cfg, poller := meshfolder.Default(), mesh.DefaultPoller()
	var format, level string
	c := &cobra.Command{
		Use:     "folder --root DIR",
		Example: "  signalbox mesh folder --root /srv/mesh/TESTLA01 --log text",
		Short:   "Serve .dat/.ctl folders from a mailbox until SIGTERM or SIGINT",
		Long: `Serve the folders IN, OUT, SENT and FAILED under DIR from the mailbox, as the Java MESH client does: a pair NAME.dat and
NAME.ctl that appears in OUT is sent and moved to SENT, with the message id and a status in its control file, or to
FAILED with the reason; what arrives is put into IN, named by the message id. Write the .dat first and the .ctl last.

A process that is killed at any moment goes on at the next start: nothing is lost, sent twice or seen half. One process
serves one DIR: a second one ends with 1 and says so. DIR/.signalbox holds what is not finished.

Logs go to standard error; they hold no names of files.`,
		Args: complete(cobra.NoArgs),
	}
	f := c.Flags()
	f.StringVar(&cfg.Root, "root", "", "folder that holds IN, OUT, SENT and FAILED; missing ones are made")
	f.BoolVar(&cfg.SaveSent, "save-sent", cfg.SaveSent, "keep what was sent in SENT")
	f.DurationVar(&cfg.MinAge, "min-age", cfg.MinAge, "leave files alone until they are this old")
	f.DurationVar(&cfg.Scan, "scan", cfg.Scan, "look at OUT at least this often")
	f.BoolVar(&cfg.NoNotify, "no-notify", false, "do not use notices of the file system, only --scan")
	f.DurationVar(&poller.Spread, "spread", poller.Spread, "longest wait before the first listing, drawn at random, so that many mailboxes do not start at once")
	f.DurationVar(&poller.Every, "poll", poller.Every, "time between two listings of the inbox; MESH asks for five minutes")
	f.Int64Var(&cfg.MaxMessage, "max-size", 100_000_000_000, "leave a message of more bytes than this in the inbox")
	f.StringVar(&format, "log", "json", "log format: json or text")
	f.StringVar(&level, "log-level", "info", "log level: debug, info, warn or error")
	_ = c.MarkFlagRequired("root")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, _ []string) error {
		log, err := logger(c, format, level)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		cfg.Log = log
		poller.MaxEvery = 3 * poller.Every
		if err := client.Handshake(c.Context()); err != nil {
			return err
		}
		bridge, err := meshfolder.NewBridge(cfg, client)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		log.Info("serving", "mailbox", client.MailboxID())
		return bridge.Run(c.Context(), poller)
	})
	return c
}
