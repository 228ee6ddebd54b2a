package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

func queryCommand() *cobra.Command {
	var config, file, at, asOf, why string
	c := &cobra.Command{
		Use:   "query --nhs-number-file FILE --why TEXT [--at TIME] [--as-of TIME]",
		Short: "Answer about the past: what a query would have shown at a time, and what was known then",
		Long: `Say what a hospital that asked about a person at a time would have been shown, as a serious case review needs it. There are two times:

  --at       the time that is asked about (default: now)
  --as-of    by what the record knew at this time (default: the same; "now" is hindsight)

With both at one time the answer is what a query was shown at that moment, by the register of that moment: a file that came on Monday and could be
applied on Tuesday was not known on Monday. With a later --as-of it is hindsight: what became known later is shown if the plan had begun by --at,
and the authority's later word takes the place of its earlier one.

After what is shown comes every word on the person that was known by --as-of, with why it was not shown: replaced (by a later word of the
authority), ended (so long before that it was not shown any more), entered-error, not-yet (known and begun only after --at), taken-back (a
replay had changed or withdrawn it). Each names the message, the record in it, and since when it counted; 'signalbox mapping explain --event' shows
the row and the rules behind it. "(arrival)" means that when it was applied was not kept: it is older than version 13 of the record's tables, and
taken as applied when its message arrived. So is an access that a message told of.

The number is read from a file or, with -, from standard input, never from the command line. What is printed is personal data. No flag is read
without a record: who asks, and --why in words without personal data, is kept before the answer; 'signalbox query ls' lists it. It reads all flags
of the record, beside a running engine or without one.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := numberFrom(file, c.InOrStdin())
			if err != nil {
				return err
			}
			return atDesk(c.Context(), config, func(d *app.Desk) error {
				when, err := timeOr("at", at, d.Store.Now(), d.Store.Now())
				if err != nil {
					return err
				}
				known, err := timeOr("as-of", asOf, when, d.Store.Now())
				if err != nil {
					return err
				}
				asked := store.Inspection{Who: operator(), Why: why, NHSNumber: n, Valid: when, Known: known}
				if err := d.Store.KeepInspection(c.Context(), asked); err != nil {
					return err
				}
				past, err := d.Replay.Register.Past(c.Context(), d.Store, n, when, known)
				if err != nil {
					return err
				}
				return printPast(c.OutOrStdout(), past, when, known)
			})
		},
	}
	c.PersistentFlags().StringVar(&config, "config", "signalbox.yaml", "configuration file")
	c.Flags().StringVar(&file, "nhs-number-file", "", "file that holds the NHS number and nothing else; -: standard input (needed)")
	c.Flags().StringVar(&at, "at", "", "the time that is asked about, RFC 3339 (default: now)")
	c.Flags().StringVar(&asOf, "as-of", "", "by what was known at this time, RFC 3339 or now (default: as --at)")
	c.Flags().StringVar(&why, "why", "", "why you ask, without personal data; it is kept (needed)")
	_ = c.MarkFlagRequired("nhs-number-file") // the flags are there
	_ = c.MarkFlagRequired("why")
	c.AddCommand(queryListCommand(&config))
	return c
}

// timeOr reads a time of the command line. now is the record's.
func timeOr(flag, text string, otherwise, now time.Time) (time.Time, error) {
	switch text {
	case "":
		return otherwise, nil
	case "now":
		return now, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--%s is neither now nor a time such as 2026-10-01T09:00:00Z", flag)
	}
	return t, nil
}

// numberFrom reads an NHS number from a file or from standard input. The error repeats nothing of it.
func numberFrom(file string, stdin io.Reader) (engine.NHSNumber, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return engine.NHSNumber{}, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 64))
	if err != nil {
		return engine.NHSNumber{}, err
	}
	n, err := engine.ParseNHSNumber(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return n, errors.New("--nhs-number-file: holds no NHS number: ten digits, the last of them the check digit")
	}
	return n, nil
}

// operator names who runs the command, as the machine knows them.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func printPast(out io.Writer, p register.Past, at, known time.Time) error {
	fmt.Fprintf(out, "asked about %s, by what was known at %s\n\n", at.Format(time.RFC3339), known.Format(time.RFC3339))
	if len(p.Shown) == 0 {
		fmt.Fprintln(out, "shown: no flag")
	} else {
		fmt.Fprintln(out, "shown:")
	}
	w := table(out)
	if len(p.Shown) > 0 {
		fmt.Fprintln(w, "LA\tNAME\tPLAN\tSTART\tEND\tOFFICE\tEMERGENCY\tKNOWN SINCE")
	}
	for _, k := range p.Shown {
		f := k.Event.Flag
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Authority.ODSCode, f.Authority.Name, f.Plan.Type, f.Plan.Start.ISO(), dash(f.Plan.End.ISO()),
			dash(f.Authority.OfficeHours), dash(f.Authority.EmergencyDuty), since(k))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nknown: %d\n", len(p.Known))
	w = table(out)
	if len(p.Known) > 0 {
		fmt.Fprintln(w, "SINCE\tUNTIL\tWHY\tLA\tPLAN\tSTART\tEND\tIN ERROR\tARRIVED\tFILE\tMESSAGE\tMESH\tRECORD\tMAPPING\tEVENT")
	}
	for _, k := range p.Known {
		f, o := k.Event.Flag, k.Event.Origin
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%.12s\t%.16s\n", since(k), orDash(k.To), k.Why, f.Authority.ODSCode, f.Plan.Type,
			f.Plan.Start.ISO(), dash(f.Plan.End.ISO()), dash(f.Plan.Withdrawn.ISO()), o.Received.Format(time.RFC3339), dash(f.FileID), o.Message, dash(k.Upstream),
			o.Position, o.Mapping, k.Event.ID)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nearlier unscheduled accesses: %d\n", len(p.History))
	w = table(out)
	for _, a := range p.History {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.At.Format(time.RFC3339), a.By.Organisation.ODSCode, a.By.Organisation.Name, a.ID)
	}
	return w.Flush()
}

func dash(s string) string { return cmp.Or(s, "-") }

// since is when something became known.
func since(k register.Known) string {
	text := k.From.Format(time.RFC3339)
	if k.Assumed {
		text += " (arrival)"
	}
	return text
}

func queryListCommand(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List who asked about the past, when and why, without whom they asked about",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return atDesk(c.Context(), *config, func(d *app.Desk) error {
				all, err := d.Store.Inspections(c.Context())
				if err != nil {
					return err
				}
				w := table(c.OutOrStdout(), "ASKED\tWHO\tAT\tAS OF\tWHY")
				for _, i := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.At.Format(time.RFC3339), i.Who, i.Valid.Format(time.RFC3339), i.Known.Format(time.RFC3339), i.Why)
				}
				return w.Flush()
			})
		},
	}
}
