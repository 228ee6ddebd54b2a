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
	// Mark is, where neither of the two could be read, a digest of the record's bytes: the same record sent again is known by it. Empty: not known.
	Mark string
	// Names and birth date, as far as they could be read: they are not kept. Who has no NHS number can be looked for by them.
	Given, Family Personal
	BirthDate     Date
}

// Nameless reports whether the child cannot be told from others.
func (a About) Nameless() bool { return a.NHSNumber.IsZero() && a.LocalID.Reveal() == "" }

// About says whose flag it is.
func (f *Flag) About() *About {
	who := f.Subject
	return &About{Authority: f.Authority.ODSCode, NHSNumber: who.NHSNumber, LocalID: f.LocalID, Given: who.Given, Family: who.Family, BirthDate: who.BirthDate}
}
