// Package conformance is the proof: the rules of the house, the whole engine end to end, and the measurements. It holds tests only.
package conformance
