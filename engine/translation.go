package engine

// Outcome is what translation made of one record.
type Outcome string

// The outcomes of a record.
const (
	Accepted Outcome = "accepted" // it made an event
	Rejected Outcome = "rejected" // it breaks a rule: the sender has to mend it
	Parked   Outcome = "parked"   // it waits for a person: an unmapped code, an ambiguous value
	Skipped  Outcome = "skipped"  // the mapping says that it is not for us
)

// Translated is one record after translation. Event is set for Accepted only; Faults for Rejected and Parked, and for Accepted where a
// field was left empty by its rule's own choice.
type Translated struct {
	Outcome Outcome
	Place   Place
	Event   *Envelope
	Faults  []*Error
}
