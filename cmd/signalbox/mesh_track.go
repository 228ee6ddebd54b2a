package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/mesh"
)

func meshTrackCommand(link *meshLink) *cobra.Command {
	var local string
	c := &cobra.Command{
		Use: "track ID | --local-id ID",
		Example: `  signalbox mesh track 20261122203727123456_3573F8
  signalbox mesh track --local-id batch-7 --json | jq -r .status`,
		Short: "Tell where a message that this mailbox sent stands",
		Long: `Look up a message that this mailbox sent, by the service's message id or by our own local id. Ends with 4 when the service
knows none, or more than one of that local id. The service asks that this be used sparingly; an accepted message is in the
recipient's inbox, and no more is known.`,
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&local, "local-id", "", "look up by our own reference")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, args []string) error {
		if (len(args) == 1) == (local != "") {
			return &exitError{exitUsage, errors.New("name either a message id or --local-id")}
		}
		var t mesh.Tracking
		var err error
		if local != "" {
			t, err = client.TrackByLocalID(c.Context(), local)
		} else {
			t, err = client.Track(c.Context(), args[0])
		}
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s  %s  to %s  %s %s", t.MessageID, t.Status, t.Recipient, t.StatusCode, t.StatusDescription)
		return link.print(c, trackingValue(t), line)
	})
	return c
}

// trackingValue has the names of the API's version 2.
func trackingValue(t mesh.Tracking) map[string]any {
	out := map[string]any{"message_id": t.MessageID, "status": string(t.Status), "status_success": t.StatusSuccess}
	for name, value := range map[string]string{
		"local_id": t.LocalID, "workflow_id": t.WorkflowID, "filename": t.FileName, "recipient": t.Recipient, "recipient_name": t.RecipientName,
		"recipient_ods_code": t.RecipientODSCode, "recipient_org_code": t.RecipientOrgCode, "recipient_org_name": t.RecipientOrgName,
		"status_event": t.StatusEvent, "status_code": t.StatusCode, "status_description": t.StatusDescription,
		"status_timestamp": timeText(t.StatusTime), "upload_timestamp": timeText(t.Uploaded), "expiry_time": timeText(t.Expires),
	} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

func meshValidateCommand(link *meshLink) *cobra.Command {
	return &cobra.Command{
		Use:     "validate",
		Example: "  signalbox mesh validate --cert client.pem --key client.key --ca-cert nhs-ca.pem",
		Short:   "Check address, certificate, mailbox, password and shared key",
		Long: `Ask the service whether it answers, and make the handshake that it wants once in 24 hours: it succeeds when the certificate, the
mailbox, its password and the shared key are right. The difference of the clocks is told.`,
		Args: cobra.NoArgs,
		RunE: link.run(func(c *cobra.Command, client *mesh.Client, _ []string) error {
			if err := client.Handshake(c.Context()); err != nil {
				return err
			}
			value := map[string]any{"mailbox": client.MailboxID(), "valid": true}
			line := client.MailboxID() + " is valid"
			if by, known := client.Skew(); known {
				value["clock_skew_seconds"] = int(by.Seconds())
				line += fmt.Sprintf(", the service's clock is %v from ours", by.Round(time.Second))
			}
			return link.print(c, value, line)
		}),
	}
}

func meshLookupCommand(link *meshLink) *cobra.Command {
	var ods string
	c := &cobra.Command{
		Use:     "lookup WORKFLOW-ID [--ods-code CODE]",
		Example: "  signalbox mesh lookup TEST_CPIS_UPLOAD --ods-code ZZ01",
		Short:   "Find the mailboxes that may receive a workflow",
		Long: `Print the mailboxes that may receive the workflow, at the organisation of --ods-code or anywhere, one a line. None is no error. It
says nothing of who may send.`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&ods, "ods-code", "", "organisation's ODS code; case matters to the service")
	c.RunE = link.run(func(c *cobra.Command, client *mesh.Client, args []string) error {
		var found []mesh.Endpoint
		var err error
		if ods != "" {
			found, err = client.EndpointLookup(c.Context(), ods, args[0])
		} else {
			found, err = client.WorkflowSearch(c.Context(), args[0])
		}
		if err != nil {
			return err
		}
		lines := make([]string, len(found))
		for i, e := range found {
			lines[i] = e.MailboxID + "  " + e.MailboxName
		}
		return link.print(c, map[string]any{"results": found}, lines...)
	})
	return c
}
