//go:build !teeth

// Package teeth seeds bugs on purpose, to prove that the tests bite: each place that asks for a bug by name has a test that fails when it is
// there. In every build without the tag 'teeth' there are none, and the compiler removes the places. conformance/faults holds the list.
package teeth

// Bite reports whether the named bug is to be there. It never is.
func Bite(string) bool { return false }
