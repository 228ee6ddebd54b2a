package demo

import (
	"fmt"
	"io"
)

// story prints what happens, for a person.
type story struct {
	out  io.Writer
	step int
}

// title begins the next of the seven steps.
func (s *story) title(format string, args ...any) {
	s.step++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.step, fmt.Sprintf(format, args...))
}

// say prints one line of the step.
func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

// detail prints one line below another.
func (s *story) detail(format string, args ...any) { fmt.Fprintf(s.out, "     "+format+"\n", args...) }
