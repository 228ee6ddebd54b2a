package mappings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Code is the stable number of a kind of problem. Numbers are never used twice.
type Code string

// The problems that lint reports.
const (
	CodeSyntax      Code = "E100" // not well-formed YAML or CSV, or not the shape that belongs there
	CodeKey         Code = "E101" // a key that the language does not have
	CodeTwice       Code = "E102" // said twice
	CodeSelector    Code = "E103" // a selector that the format refuses: no such column, no such element
	CodeMissing     Code = "E104" // a key that must be there is not
	CodeTarget      Code = "E105" // no such target field for what is emitted
	CodeMandatory   Code = "E106" // a mandatory target field without a rule, or with one that may leave it empty
	CodeSource      Code = "E107" // not exactly one of from, const, expr
	CodeElse        Code = "E108" // a step that can fail does not say what becomes of the record
	CodeWord        Code = "E109" // a value outside the words allowed there
	CodeConversion  Code = "E110" // no such conversion
	CodeLayout      Code = "E111" // a date layout that cannot be read
	CodeType        Code = "E112" // the rule's type is not the target's
	CodeTable       Code = "E113" // no such code table
	CodeTableRow    Code = "E114" // a fault inside a code table
	CodeExpression  Code = "E115" // a CEL expression that does not compile
	CodeFormat      Code = "E117" // no adapter for this format
	CodeSchema      Code = "E118" // the adapter refuses the declared source
	CodeUnused      Code = "E120" // a declared field that is neither used nor ignored
	CodeConst       Code = "E122" // a constant that is not of its target's type
	CodeSupplier    Code = "E123" // the supplier is not named like its folder
	CodeFile        Code = "E124" // a file that is missing or cannot be read
	CodeContradicts Code = "E125" // two declarations that cannot both be true
	CodeTest        Code = "E130" // a test of the folder that does not pass
)

// Problem is one fault of a mapping folder.
type Problem struct {
	File         string // path within the file system that was loaded
	Line, Column int    // 1-based, in characters; 0 when about the whole file
	Length       int    // characters under the caret
	Code         Code
	Text         string // what is wrong
	Suggest      string // what may have been meant: replaces the text under the caret
	Declared     Spot   // where what it speaks of is declared, when that is another place; zero: nowhere
	Why          string // what would happen if this ran
}

// Spot is a place in a file that belongs to a problem.
type Spot struct {
	File                 string // as Problem.File
	Line, Column, Length int    // as in Problem
	Note                 string // what it has to do with it: "declared here"
}

// String is "source.yaml:9:11".
func (s Spot) String() string { return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column) }

// String writes the problem on one line.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	text := fmt.Sprintf("%s: %s %s", at, p.Code, p.Text)
	if p.Suggest != "" {
		text += fmt.Sprintf(", did you mean %q?", p.Suggest)
	}
	return text
}

// Problems is everything that is wrong with a folder, in order of file and place. It is the error that Load returns.
type Problems []Problem

// Error writes one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts problems into the order in which a person mends them, and drops repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}
