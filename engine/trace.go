package engine

import (
	"context"
	"log/slog"
)

// TraceOutcome is what PDS makes of a person who was sent.
type TraceOutcome string

// The outcomes, each with the record code of CP-IS that says it (CP-ISUploadRecordResponse, REPC_MT000003GB01).
const (
	TraceMatched     TraceOutcome = "matched"      // CPR06: number, name and birth date are one person's
	TraceNoMatch     TraceOutcome = "no-match"     // CPR01: nobody has the number
	TraceSensitive   TraceOutcome = "sensitive"    // CPR02: the record is restricted; not a fault of the sender's
	TraceNotVerified TraceOutcome = "not-verified" // CPR03: somebody has the number, but name or birth date is another, or PDS itself has not verified it
	TraceBadFormat   TraceOutcome = "bad-format"   // CPR04: it is no NHS number
	TraceSuperseded  TraceOutcome = "superseded"   // CPR05: it was this person's number, who has another now
	TraceInactive    TraceOutcome = "inactive"     // CPR03 and REPC_MT000005GB01: the number is nobody's any more, and nothing replaces it
)

// Trace is the answer about one person. It says which step failed, never a datum of either side.
type Trace struct {
	Outcome     TraceOutcome
	Step        string    // of the comparison that failed, or that matched; empty where none was made
	Replacement NHSNumber // for TraceSuperseded: never taken over by itself
}

// LogValue is the outcome and the step.
func (t Trace) LogValue() slog.Value {
	return slog.GroupValue(slog.String("outcome", string(t.Outcome)), slog.String("step", t.Step))
}

// Suspends reports whether no upload of the person is taken any more until somebody has looked (CP-IS: superseded and inactive numbers).
func (t TraceOutcome) Suspends() bool { return t == TraceSuperseded || t == TraceInactive }

// A Tracer asks who has an NHS number and compares. An error says nothing of the person: its kind is Unavailable, and the question is asked again
// later. It is called from several goroutines.
type Tracer interface {
	Trace(ctx context.Context, who Subject) (Trace, error)
	// Together returns a context whose questions belong together, such as those of one file, under a UUID.
	Together(ctx context.Context, id string) context.Context
}

// A Seeker looks for the one person who has a name and a birth date, where a record has no NHS number. found is false when there is none, more than
// one, or one whose record is restricted. What it finds is for a person to confirm: nobody takes the number over by itself. An error says nothing of the
// person.
type Seeker interface {
	Seek(ctx context.Context, who Subject) (n NHSNumber, found bool, err error)
}

// Rules under which a record is refused because of what PDS says of its person.
const (
	RuleTracePrefix      = "pds-"
	RuleTraceNoMatch     = RuleTracePrefix + string(TraceNoMatch)
	RuleTraceSensitive   = RuleTracePrefix + string(TraceSensitive)
	RuleTraceNotVerified = RuleTracePrefix + string(TraceNotVerified)
	RuleTraceBadFormat   = RuleTracePrefix + string(TraceBadFormat)
	RuleTraceSuperseded  = RuleTracePrefix + string(TraceSuperseded)
	RuleTraceInactive    = RuleTracePrefix + string(TraceInactive)
	RuleTraceUnavailable = RuleTracePrefix + "unavailable" // of a whole file, which waits
)
