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
	About   *About // of a record that made no flag: whom it is about, as far as that could be read
}

// About says whose record was not taken, so that the sender can be told by a name of its own. It is personal data.
type About struct {
	Authority string    // ODS code of who sent it
	NHSNumber NHSNumber // zero: not readable
	LocalID   Personal  // the sender's own id for the child; empty: not readable
}
