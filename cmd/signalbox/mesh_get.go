package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signalbox/mesh"
)

func meshListCommand(link *meshLink) *cobra.Command {
	var o mesh.ListOptions
	var count bool
	c := &cobra.Command{
		Use: "list",
		Example: `  signalbox mesh list
  signalbox mesh list --workflow-filter 'TEST_CPIS_*' --json | jq -r '.messages[]'`,
		Short: "List the ids of the messages that wait in the inbox",
		Long: `Print the ids of all messages in the inbox, oldest first, one a line; all pages are followed. The service wants an inbox to
be listed at most every five minutes.`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&o.WorkflowFilter, "workflow-filter", "", "WF, WF* or *WF*, with ! in front for all others")
	c.Flags().IntVar(&o.MaxResults, "max-results", 0, "page size, 10 to 5000 (default: the service's 500)")
	c.Flags().BoolVar(&count, "count", false, "print how many messages wait, by the deprecated count call")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, _ []string) error {
		if count {
			n, err := client.Count(c.Context())
			if err != nil {
				return err
			}
			return link.print(c, map[string]int{"count": n}, fmt.Sprint(n))
		}
		ids := []string{}
		for id, err := range client.List(c.Context(), o) {
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return link.print(c, map[string]any{"messages": ids}, ids...)
	})
	return c
}

func meshGetCommand(link *meshLink) *cobra.Command {
	var output string
	var ack, head bool
	var most int64
	c := &cobra.Command{
		Use: "get ID [--output FILE]",
		Example: `  signalbox mesh get 20261122203727123456_3573F8 --output upload.xml --ack
  signalbox mesh get 20261122203727123456_3573F8 --head --json
  signalbox mesh list | while read id; do signalbox mesh get "$id" --output "in/$id" --ack || break; done`,
		Short: "Download a message, of any size",
		Long: `Download a message to FILE, or to standard output. A chunk that is lost on the way is fetched again. FILE appears when it is
whole and durable; a report has no payload and makes no file. The message stays in the inbox unless --ack is given, which
acknowledges it after FILE is durable.

What is not whole lies beside FILE as .mesh-part-*: when the command is interrupted or killed, the same command goes on with
the chunk after the last that was durable.

What is known of the message is printed to standard output with --json, and otherwise to standard error.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVarP(&output, "output", "o", "-", "file to write, - for standard output")
	c.Flags().BoolVar(&ack, "ack", false, "acknowledge the message once FILE is durable")
	c.Flags().BoolVar(&head, "head", false, "fetch what is known of the message only")
	c.Flags().Int64Var(&most, "max-size", 100_000_000_000, "refuse a message of more bytes than this, decompressed")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, args []string) error {
		if (ack || link.json) && !head && output == "-" {
			return &exitError{exitUsage, errors.New("--ack and --json need --output FILE")}
		}
		g := getter{link: link, c: c, client: client, output: output}
		if head {
			h, err := client.Head(c.Context(), args[0])
			if err != nil {
				return err
			}
			return g.tell(h, 0)
		}
		h, n, err := g.get(args[0])
		if err == nil && ack {
			err = client.Acknowledge(c.Context(), args[0])
		}
		if err != nil {
			return err
		}
		return g.tell(h, n)
	}, func(cfg *mesh.Config) { cfg.MaxMessage = most })
	return c
}

type getter struct {
	link   *meshLink
	c      *cobra.Command
	client *mesh.Client
	output string
}

// get downloads to the output.
func (g getter) get(id string) (mesh.Header, int64, error) {
	line := newProgress(g.c.ErrOrStderr(), 0)
	defer line.end()
	if g.output != "-" {
		return g.client.DownloadFile(g.c.Context(), id, g.output, mesh.DownloadOptions{Taken: line.at})
	}
	in, err := g.client.Get(g.c.Context(), id)
	if err != nil {
		return mesh.Header{}, 0, err
	}
	defer in.Close()
	n, err := io.Copy(g.c.OutOrStdout(), &tally{r: in, line: line})
	return in.Header, n, err
}

// tell prints what is known of a message.
func (g getter) tell(h mesh.Header, n int64) error {
	if g.link.json {
		return json.NewEncoder(g.c.OutOrStdout()).Encode(headerValue(h, n))
	}
	w := g.c.ErrOrStderr()
	fmt.Fprintf(w, "%s %s  from %s  workflow %s  %d bytes\n", h.MessageType, h.MessageID, h.From, h.WorkflowID, n)
	if h.IsReport() {
		fmt.Fprintf(w, "message %s failed: %s %s (local id %s)\n", h.LinkedMessageID, h.StatusCode, h.StatusDescription, h.LocalID)
	}
	return nil
}

// headerValue is a header with the API's own names, empty ones left out.
func headerValue(h mesh.Header, n int64) map[string]any {
	out := map[string]any{"message_id": h.MessageID, "message_type": string(h.MessageType), "bytes": n, "total_chunks": h.TotalChunks, "status_success": h.StatusSuccess}
	for name, value := range map[string]string{
		"sender": h.From, "recipient": h.To, "workflow_id": h.WorkflowID, "filename": h.FileName, "local_id": h.LocalID, "subject": h.Subject,
		"partner_id": h.PartnerID, "checksum": h.Checksum, "content_type": h.ContentType, "status_code": h.StatusCode, "status_event": h.StatusEvent,
		"status_description": h.StatusDescription, "status_timestamp": timeText(h.StatusTime), "linked_message_id": h.LinkedMessageID,
	} {
		if value != "" {
			out[name] = value
		}
	}
	for name, value := range map[string]bool{"encrypted": h.Encrypted, "compressed": h.Compressed} {
		if value {
			out[name] = true
		}
	}
	return out
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// tally draws the line as it reads.
type tally struct {
	r    io.Reader
	n    int64
	line *progress
}

// Read reads and draws.
func (t *tally) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	t.line.at(t.n)
	return n, err
}

func meshAckCommand(link *meshLink) *cobra.Command {
	return &cobra.Command{
		Use:     "ack ID...",
		Example: "  signalbox mesh ack 20261122203727123456_3573F8",
		Short:   "Acknowledge messages: take them out of the inbox for good",
		Long: `Acknowledge each message: it leaves the inbox and cannot be downloaded again. Do it when its payload is stored for good. An id
that was acknowledged before is no error.`,
		Args: cobra.MinimumNArgs(1),
		RunE: link.run(func(c *cobra.Command, client *mesh.Client, ids []string) error {
			for _, id := range ids {
				if err := client.Acknowledge(c.Context(), id); err != nil {
					return err
				}
			}
			return link.print(c, map[string]any{"acknowledged": ids}, ids...)
		}),
	}
}
