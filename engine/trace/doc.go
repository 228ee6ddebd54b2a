// Package trace decides whether the person of an upload is the person whom PDS knows under that NHS number.
//
// It asks through fhir/pds and compares what was sent with what PDS holds, step by step, so that a refusal can name the step that failed. It holds
// neither side in its verdict. The shape of the comparison (NHS number, birth date, family name, given name in four steps) is what the published
// help for local authorities tells of CP-IS; the four steps themselves are not public, so those here are an assumption and configuration.
package trace

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/fhir/pds"
)

// Demographics is what is asked. *pds.Client is one.
type Demographics interface {
	Patient(ctx context.Context, nhsNumber string) (pds.Patient, error)
	Search(ctx context.Context, q pds.Query) (pds.Patient, error)
}

// Tracer is an engine.Tracer over PDS.
type Tracer struct {
	ask Demographics
	cfg Config
}

var (
	_ engine.Tracer = (*Tracer)(nil)
	_ engine.Seeker = (*Tracer)(nil)
)

// New returns a tracer.
func New(ask Demographics, cfg Config) (*Tracer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Tracer{ask: ask, cfg: cfg}, nil
}

// Trace asks PDS and compares. A restricted record comes first: nothing else is said of it, not even which step would have failed. A number that
// was replaced is superseded only for the person who has the other now (CPR05 is "Verified, but Superseded"), so that a mistyped number does not
// yield somebody else's.
func (t *Tracer) Trace(ctx context.Context, who engine.Subject) (engine.Trace, error) {
	p, err := t.ask.Patient(ctx, who.NHSNumber.Reveal())
	if err != nil {
		return t.failed(err)
	}
	if p.Security != "" && p.Security != pds.Unrestricted {
		return engine.Trace{Outcome: engine.TraceSensitive}, nil
	}
	if step, ok := t.cfg.Compare(who, p); !ok {
		return engine.Trace{Outcome: engine.TraceNotVerified, Step: step}, nil
	} else if p.NHSNumber == who.NHSNumber.Reveal() {
		if p.Verification != "" && p.Verification != pds.VerifiedStatus {
			return engine.Trace{Outcome: engine.TraceNotVerified, Step: StepStatus}, nil
		}
		return engine.Trace{Outcome: engine.TraceMatched, Step: step}, nil
	}
	other, err := engine.ParseNHSNumber(p.NHSNumber)
	if err != nil { // of PDS's own answer
		return engine.Trace{}, unavailable(err)
	}
	return engine.Trace{Outcome: engine.TraceSuperseded, Replacement: other}, nil
}

// Seek asks for the single patient of a name and birth date, and compares the answer as a trace does: PDS's own search is more generous. A restricted
// record is not found, and neither is one whose number PDS has not verified.
func (t *Tracer) Seek(ctx context.Context, who engine.Subject) (engine.NHSNumber, bool, error) {
	var none engine.NHSNumber
	if who.Family.Reveal() == "" || who.BirthDate.IsZero() {
		return none, false, nil
	}
	q := pds.Query{Family: who.Family.Reveal(), Given: strings.Fields(who.Given.Reveal()), BirthDate: who.BirthDate.Time(time.UTC).Format(time.DateOnly)}
	p, err := t.ask.Search(ctx, q)
	if pds.KindOf(err) == pds.NotFound && err != nil {
		return none, false, nil
	}
	if err != nil {
		return none, false, unavailable(err)
	}
	_, same := t.cfg.Compare(who, p)
	open := p.Security == "" || p.Security == pds.Unrestricted
	if !same || !open || p.Verification != "" && p.Verification != pds.VerifiedStatus {
		return none, false, nil
	}
	n, err := engine.ParseNHSNumber(p.NHSNumber)
	if err != nil { // of PDS's own answer
		return none, false, unavailable(err)
	}
	return n, true, nil
}

// Together gives the questions of one file one X-Correlation-ID.
func (t *Tracer) Together(ctx context.Context, id string) context.Context {
	return pds.Correlate(ctx, id)
}

// failed turns an answer without a patient into an outcome, and everything that says nothing of the person into an error.
func (t *Tracer) failed(err error) (engine.Trace, error) {
	switch pds.KindOf(err) {
	case pds.NotFound:
		return engine.Trace{Outcome: engine.TraceNoMatch}, nil
	case pds.Invalidated:
		return engine.Trace{Outcome: engine.TraceInactive}, nil
	case pds.BadNumber:
		return engine.Trace{Outcome: engine.TraceBadFormat}, nil
	}
	return engine.Trace{}, unavailable(err)
}

func unavailable(err error) error {
	return &engine.Error{Op: "trace", Kind: engine.Unavailable, Rule: engine.RuleTraceUnavailable, Text: "PDS has not answered", Err: fmt.Errorf("%w", err)}
}
