package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/fhir"
	"signalbox/fhir/invariants"
	"signalbox/fhir/oracle"
)

// exitFaults is the exit code of a check that was made and found faults.
const exitFaults = 3

// maxCheckedFile bounds what is read of one file; the reader's own limits are the product's.
const maxCheckedFile = 64 << 20

func fhirCheckCommand() *cobra.Command {
	check := &fhirCheck{}
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check FHIR documents with both readers, and against profiles",
		Long: `Read each file (JSON or XML; - is the standard input) with Signalbox's strict reader and with google/fhir's, and print every fault with file,
line and column. Where one reader takes what the other refuses, the last line says so, and whether fhir/gotchas.md has decided that difference.

Each resource is held against R4's invariants and against the profiles that it claims in meta.profile, as far as they are known, and against each --profile, which for a Bundle
means its entries of the profile's type. Extensions whose definitions are known are held against them, and a modifier extension that is not known is a fault. No fault shows a value of the document.

Exits with 0 when all files are sound, 3 when there are faults, 1 when a file could not be read, 2 when the command line is wrong.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error { return check.run(c, files) },
	}
	c.Flags().StringArrayVar(&check.profiles, "profile", nil, "canonical `URL` of a profile to hold the document against; may stand several times")
	c.Flags().StringArrayVar(&check.profileFiles, "profiles", nil, "`FILE` with profiles of your own (fhir/README.md has the language)")
	c.Flags().BoolVar(&check.json, "json", false, "print one JSON object a file")
	return c
}

type fhirCheck struct {
	profiles, profileFiles []string
	json                   bool

	known  *fhir.Profiles
	wanted []*fhir.Profile
	oracle *oracle.Validator
}

// fhirVerdict is what is said of one file. It holds no value of the document.
type fhirVerdict struct {
	File       string      `json:"file"`
	Format     string      `json:"format"`
	Type       string      `json:"type,omitempty"`
	Sound      bool        `json:"sound"`
	Difference string      `json:"difference,omitempty"` // class of what one reader takes and the other refuses
	Faults     []fhirFault `json:"faults,omitempty"`
}

type fhirFault struct {
	Reader  string `json:"reader"` // signalbox, google/fhir, invariant or profile
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Rule    string `json:"rule"`
	Text    string `json:"text"`
	Suggest string `json:"suggest,omitempty"`
}

func (f *fhirCheck) run(c *cobra.Command, files []string) error {
	if err := f.prepare(); err != nil {
		return err
	}
	var troubles []error
	sound := true
	for _, file := range files {
		raw, err := readChecked(c.InOrStdin(), file)
		if err != nil {
			troubles = append(troubles, err)
			continue
		}
		v := f.check(file, raw)
		sound = sound && v.Sound
		if err := f.print(c.OutOrStdout(), v); err != nil {
			return err
		}
	}
	switch {
	case len(troubles) > 0:
		return errors.Join(troubles...)
	case !sound:
		return &exitError{code: exitFaults, err: errFailed}
	}
	return nil
}

// prepare loads profiles and the second reader.
func (f *fhirCheck) prepare() error {
	f.known = fhir.BuiltinProfiles()
	for _, file := range f.profileFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--profiles: %w", err)
		}
		if f.known, err = f.known.Load(string(text)); err != nil {
			return fmt.Errorf("--profiles %s: %w", file, err)
		}
	}
	for _, url := range f.profiles {
		p := f.known.Find(url)
		if p == nil {
			return fmt.Errorf("--profile: no profile of that URL and version is known; these are:\n  %s", strings.Join(f.known.URLs(), "\n  "))
		}
		f.wanted = append(f.wanted, p)
	}
	var err error
	f.oracle, err = oracle.New()
	return err
}

func readChecked(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxCheckedFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(raw) > maxCheckedFile {
		return nil, fmt.Errorf("read %s: it is over %d bytes", file, maxCheckedFile)
	}
	return raw, nil
}

// check asks both readers and the profiles.
func (f *fhirCheck) check(file string, raw []byte) fhirVerdict {
	v := fhirVerdict{File: file, Format: "json"}
	if fhir.IsXML(raw) {
		v.Format = "xml"
	}
	opinions := oracle.Compare(raw, fhir.Limits{}, f.oracle)
	v.add("signalbox", opinions.Ours)
	v.add("google/fhir", opinions.Theirs)
	if opinions.Differ() {
		v.Difference = opinions.Class
	}
	if doc, _ := fhir.ExamineEither(raw, fhir.Limits{}, nil); doc != nil {
		v.Type = doc.Type()
		v.add("invariant", invariants.New().Check(doc))
		v.add("profile", f.known.ValidateClaims(doc))
		v.add("profile", f.known.Extensions(doc))
		v.add("profile", f.known.Modifiers(doc))
		for _, p := range f.wanted {
			v.add("profile", fhir.Validate(doc, p))
		}
	}
	v.Sound = len(v.Faults) == 0
	return v
}

// add adds faults, each once: a profile that is claimed and asked for would say everything twice.
func (v *fhirVerdict) add(reader string, faults fhir.Faults) {
	for _, f := range faults {
		one := fhirFault{Reader: reader, Line: f.Line, Column: f.Column, Path: f.Path, Rule: f.Rule, Text: f.Text, Suggest: f.Suggest}
		repeated := false
		for _, other := range v.Faults {
			repeated = repeated || other == one
		}
		if !repeated {
			v.Faults = append(v.Faults, one)
		}
	}
}

func (f *fhirCheck) print(out io.Writer, v fhirVerdict) error {
	if f.json {
		return json.NewEncoder(out).Encode(v)
	}
	if v.Sound {
		_, err := fmt.Fprintf(out, "ok    %s  %s in %s: both readers take it\n", v.File, v.Type, strings.ToUpper(v.Format))
		return err
	}
	for _, one := range v.Faults {
		place := v.File
		if one.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", v.File, one.Line, one.Column)
		}
		at := fhir.Fault{Path: one.Path, Rule: one.Rule, Text: one.Text, Suggest: one.Suggest}
		fmt.Fprintf(out, "%s: %s: %s\n", place, one.Reader, at.Error())
	}
	switch v.Difference {
	case "":
		fmt.Fprintf(out, "FAIL  %s: %d faults\n", v.File, len(v.Faults))
	case oracle.Undecided:
		fmt.Fprintf(out, "FAIL  %s: %d faults; the readers differ, and nobody has decided why: please report it\n", v.File, len(v.Faults))
	default:
		fmt.Fprintf(out, "FAIL  %s: %d faults; the readers differ: %s (fhir/gotchas.md)\n", v.File, len(v.Faults), v.Difference)
	}
	return nil
}
