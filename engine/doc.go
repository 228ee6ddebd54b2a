// Package engine says what Signalbox moves: the canonical flag, access and number-inactive events, the envelope that carries
// them, and the contract that every format adapter keeps.
//
// It imports the standard library only, so that every other room can import it. Types that hold personal data (NHSNumber,
// Personal, Date and whatever contains them) print as redacted in every verb and in every slog handler; reading the datum takes
// an explicit Reveal, which is easy to find in a review.
package engine
