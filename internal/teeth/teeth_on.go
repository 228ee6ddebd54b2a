//go:build teeth

// Package teeth seeds bugs on purpose, to prove that the tests bite.
package teeth

import "os"

// Variable is the environment variable that names the bug.
const Variable = "SIGNALBOX_BUG"

// Bite reports whether the named bug is the one that this process was asked to have.
func Bite(name string) bool { return os.Getenv(Variable) == name }
