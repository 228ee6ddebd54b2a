package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"signalbox/mesh"
)

func meshSendCommand(link *meshLink) *cobra.Command {
	var m mesh.Outgoing
	var chunk int64
	var state string
	c := &cobra.Command{
		Use: "send FILE --to MAILBOX --workflow-id ID",
		Example: `  signalbox mesh send upload.xml --to TESTTR01 --workflow-id TEST_CPIS_UPLOAD --compress
  signalbox mesh send big.dat --to TESTTR01 --workflow-id TEST_CPIS_UPLOAD --local-id batch-7 --state /var/lib/mesh
  make-upload | signalbox mesh send - --to TESTTR01 --workflow-id TEST_CPIS_UPLOAD --json`,
		Short: "Send a file, of any size, exactly once",
		Long: `Send FILE, or standard input for -, and print the message id. A file larger than --max-chunk-size goes in chunks;
memory does not grow with it. Standard input is kept in a temporary file first, for its size must be known.

A lost answer is settled by tracking the message's local id, and the message is sent again only when the service knows
nothing of it. Without --local-id one is made up; with it, it must be this message's alone. When the service cannot tell
the command ends with 5: look it up with 'signalbox mesh track --local-id'.

A message in chunks whose sending is interrupted or killed is gone on with by the same command, from the chunk that was not
taken: how far it came is kept beside FILE as .mesh-send-*.state until it is sent. --state DIR keeps it there instead, and for
a message of one chunk too, which is then never sent twice either.

Nothing personal may be in --filename, --local-id and --subject: they are shown to operators and kept in logs. The name of
FILE itself is not sent.`,
		Args: complete(cobra.ExactArgs(1)),
	}
	f := c.Flags()
	f.StringVar(&m.To, "to", "", "recipient's mailbox id")
	f.StringVar(&m.WorkflowID, "workflow-id", "", "workflow id")
	f.StringVar(&m.LocalID, "local-id", "", "our reference (default: made up)")
	f.StringVar(&m.Subject, "subject", "", "subject")
	f.StringVar(&m.FileName, "filename", "", "file name for the recipient (default: the service's, from the message id)")
	f.StringVar(&m.ContentType, "content-type", "", "content type of the message")
	f.StringVar(&m.PartnerID, "partner-id", "", "partner id, obsolete")
	f.StringVar(&m.Checksum, "checksum", "", "checksum, passed to the recipient unread")
	f.BoolVar(&m.Encrypted, "encrypted", false, "say that the payload is encrypted")
	f.BoolVar(&m.Compressed, "compressed", false, "say that the payload itself is compressed")
	f.BoolVar(&m.Compress, "compress", false, "compress the transfer with gzip; not every recipient expects it")
	f.Int64Var(&chunk, "max-chunk-size", mesh.Default().ChunkSize, "bytes of one chunk before compression; the service wants more than 5 MB in all but the last")
	f.StringVar(&state, "state", "", "folder to keep how far the sending has come in (default: FILE's, for a message in chunks)")
	_ = c.MarkFlagDirname("state")
	_ = c.MarkFlagRequired("to")
	_ = c.MarkFlagRequired("workflow-id")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, args []string) error {
		if state != "" && args[0] == "-" {
			return &exitError{exitUsage, errors.New("--state: needs a FILE: what comes by a pipe cannot be read again")}
		}
		file, done, err := payload(c, args[0])
		if err != nil {
			return err
		}
		defer done()
		body, err := newMeter(c.ErrOrStderr(), file)
		if err != nil {
			return err
		}
		defer body.end()
		m.Body, m.ChunkSize = body, chunk
		if state == "" && args[0] != "-" && body.size > chunk {
			state = filepath.Dir(args[0])
		}
		id, local, err := sendOrGoOn(c, client, m, state)
		if err != nil {
			return err
		}
		return link.print(c, map[string]any{"message_id": id, "local_id": local, "bytes": body.size}, id)
	})
	return c
}

// sendOrGoOn sends a message, and goes on with one that another process began where a folder is named that may know of it.
func sendOrGoOn(c *cobra.Command, client *mesh.Client, m mesh.Outgoing, state string) (id, local string, err error) {
	if state != "" {
		known, err := client.SendKept(c.Context(), m, state)
		return known.MessageID, known.LocalID, err
	}
	if m.LocalID == "" {
		m.LocalID = "signalbox-" + uuid.NewString()
	}
	id, err = client.SendOnce(c.Context(), m)
	return id, m.LocalID, err
}

// payload opens a file, or keeps standard input in one.
func payload(c *cobra.Command, name string) (f *os.File, done func(), err error) {
	if name != "-" {
		if f, err = os.Open(name); err != nil {
			return nil, nil, err
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, nil, errors.Join(err, fmt.Errorf("%s: is not a regular file: use - and a pipe", name), f.Close())
		}
		return f, func() { _ = f.Close() }, nil
	}
	if f, err = os.CreateTemp("", "signalbox-mesh-"); err != nil {
		return nil, nil, err
	}
	done = func() { _ = f.Close(); _ = os.Remove(f.Name()) }
	_, err = io.Copy(f, c.InOrStdin())
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}
