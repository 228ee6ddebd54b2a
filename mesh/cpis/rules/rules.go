// Package rules is the one table of what is asked of a local authority's upload: each rule with its source, its severity, the acknowledgement
// code that it leads to, and a sentence that a supplier can act on.
//
// The table decides nothing about a file by itself. The codec (package cpis), the mapping and the pipeline name a rule when it is broken; the
// acknowledgement takes its codes from here.
package rules

import "signalbox/mesh/cpis"

// Severity says what becomes of the file or the record that breaks a rule.
type Severity string

// The severities.
const (
	Refuse Severity = "refuse" // the file, or the record, has no effect
	Doubt  Severity = "doubt"  // the records stand, and the file is called partial
	Warn   Severity = "warn"   // the records stand, the file is called successful, and the reason is told
)

// Level says what a rule is about.
type Level string

// The levels. A rule of both refuses the file when it is broken outside the records, and the record when it is broken in one.
const (
	File   Level = "file"
	Record Level = "record"
	Both   Level = "both"
)

// Room says who finds out that a rule is broken.
type Room string

// The rooms.
const (
	Codec    Room = "codec"    // package cpis
	Mapping  Room = "mapping"  // adapter, mapping and the event's own rules
	Pipeline Room = "pipeline" // what only the order of files, or the road that they came by, tells
	Tracer   Room = "tracer"   // the trace with the Personal Demographics Service
	Nobody   Room = "nobody"   // a code of the vocabulary that this engine has no cause to send
)

// Rule is one row. Source names who asks for it: the CP-IS Domain Message Specification's schema ("schema"), Spine's upload stylesheet
// CPIS_Single_Upload_Stage2i5 ("Spine", with its fault token), the vocabulary CPVocab.xsd ("vocabulary"), XML 1.0, or this project ("ours",
// with the gap that it closes).
type Rule struct {
	ID       string
	Source   string
	Severity Severity
	Level    Level
	Room     Room
	File     cpis.FileCode   // when it is broken at the level of the file; empty for rules of records
	Record   cpis.RecordCode // when it is broken in a record; empty for rules of files
	Advice   string          // what the sender does about it, one sentence
}

// Code is how the table shows the codes: CPF01, CPR07, or both.
func (r Rule) Code() string {
	if r.File != "" && r.Record != "" {
		return string(r.File) + ", " + string(r.Record)
	}
	return string(r.File) + string(r.Record)
}

// Find gives the rule of that id.
func Find(id string) (Rule, bool) {
	for _, of := range [][]Rule{table[:], outcomes[:]} {
		for _, r := range of {
			if r.ID == id {
				return r, true
			}
		}
	}
	return Rule{}, false
}

// All gives the rules of uploads in the order in which they are asked. The slice is the caller's.
func All() []Rule { return append([]Rule(nil), table[:]...) }

// Outcomes gives the codes that do not come of the file's own content: of the trace with the Personal Demographics Service, and of the client's
// version.
func Outcomes() []Rule { return append([]Rule(nil), outcomes[:]...) }

// RecordCode chooses the code of a record that breaks the rules of these ids: the one that says most. CPR07, which says nothing but that the
// record failed, is for rules that have no code of their own and for ids that the table does not know. Without ids it is CPR06.
func RecordCode(ids ...string) cpis.RecordCode {
	if len(ids) == 0 {
		return cpis.RecordAccepted
	}
	for _, id := range ids {
		if r, ok := Find(id); ok && r.Record != "" && r.Record != cpis.RecordUnsuccessful {
			return r.Record
		}
	}
	return cpis.RecordUnsuccessful
}

// ReasonCode is the code beside a reason that is about the whole file: CPR06 for a mere warning, CPR07 for all else. The message has file codes
// too, but no place for words beside them.
func ReasonCode(id string) cpis.RecordCode {
	if r, ok := Find(id); ok && r.Severity == Warn {
		return cpis.RecordAccepted
	}
	return cpis.RecordUnsuccessful
}

// Tally is what is known of a file once every record has its outcome.
type Tally struct {
	Readable       bool // its header and its records could be read up to where they end
	Valid, Invalid int  // records that stand, and that do not
	Broken         []string
}

// FileCode chooses the code of a file: CPF06 and CPF05 when a rule says so; CPF01 when nothing could be read, or a rule refuses the file and no
// record stands; CPF02 when every record stands and nothing but warnings is to be said; CPF04 when no record stands; CPF03 otherwise. A file
// that is refused from some place on has sent records that stand: it is partial, because CPF01 would say that they do not.
func FileCode(t Tally) cpis.FileCode {
	code := t.counted()
	for _, id := range t.Broken {
		r, known := Find(id)
		if !known || r.File == "" {
			r.File = cpis.FilePartial
		}
		switch r.File {
		case cpis.FileOldClient:
			return r.File
		case cpis.FilePDSDown:
			code = r.File
		case cpis.FileError:
			if code != cpis.FilePDSDown && t.Valid == 0 {
				code = r.File
			} else if code == cpis.FileAccepted {
				code = cpis.FilePartial
			}
		case cpis.FilePartial:
			if code == cpis.FileAccepted {
				code = r.File
			}
		}
	}
	return code
}

func (t Tally) counted() cpis.FileCode {
	switch {
	case !t.Readable || t.Valid+t.Invalid == 0:
		return cpis.FileError
	case t.Invalid == 0:
		return cpis.FileAccepted
	case t.Valid == 0:
		return cpis.FileUnsuccessful
	}
	return cpis.FilePartial
}
