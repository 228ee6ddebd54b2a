package cpis

import "fmt"

// Level says what a fault spoils.
type Level int

// The levels of a fault.
const (
	FileLevel   Level = iota + 1 // the file can not be taken as a whole
	RecordLevel                  // one record is refused, the others stand
)

// String names the level for logs.
func (l Level) String() string {
	if l == RecordLevel {
		return "record"
	}
	return "file"
}

// Rule ids. "xml-" and "limit-" come from the strict reader, "schema-" from the
// DMS schema, "spine-" from Spine's checks of a single record, "engine-" close
// gaps which both leave open. README.md lists them with their sources.
const (
	RuleEncoding    = "xml-encoding"
	RuleWellFormed  = "xml-well-formed"
	RuleDoctype     = "xml-doctype"
	RuleInstruction = "xml-processing-instruction"

	RuleLimitSize       = "limit-size"
	RuleLimitDepth      = "limit-depth"
	RuleLimitAttributes = "limit-attributes"
	RuleLimitValue      = "limit-value"
	RuleLimitElements   = "limit-elements"
	RuleLimitRecords    = "limit-records"

	RuleRoot             = "schema-root"
	RuleElement          = "schema-element"
	RuleNamespace        = "schema-namespace"
	RuleOrder            = "schema-order"
	RuleMissing          = "schema-missing"
	RuleTooMany          = "schema-too-many"
	RuleAttribute        = "schema-attribute"
	RuleAttributeMissing = "schema-attribute-missing"
	RuleValue            = "schema-value"
	RuleText             = "schema-text"
	RuleNil              = "schema-nil"

	RuleOnePlan        = "spine-one-plan"
	RuleNHSNumber      = "spine-nhs-number"
	RuleFileID         = "spine-file-id"
	RuleOrgID          = "spine-organisation-id"
	RuleOrgName        = "spine-organisation-name"
	RuleTelecomEC      = "spine-telecom-ec"
	RuleTelecomTwiceEC = "spine-telecom-ec-twice"
	RuleTelecomValue   = "spine-telecom-value"

	RuleTelecomUse    = "engine-telecom-use"
	RuleTelecomOffice = "engine-telecom-office"
	RuleDate          = "engine-date"
	RuleOneSubject    = "engine-one-subject"
	RulePlanSubject   = "engine-plan-subject"
	RuleContentID     = "engine-content-id"
	RuleQuantity      = "engine-quantity"
)

// Fault is one broken rule and where it was broken. It never holds a datum from
// the message: only names that the message model knows, positions and the rule.
type Fault struct {
	Rule         string // one of the Rule constants
	Level        Level
	Path         string // e.g. File/record[17]/CP-ISRecord/subject/…/birthTime/@value
	Line, Column int    // 1-based, column in characters
	Offset       int64  // byte offset in the file
	Text         string // one sentence for the supplier
	Code         string // CPF01 for a file, CPR07 for a record
}

// Error gives place and rule.
func (f *Fault) Error() string {
	return fmt.Sprintf("cpis: decode: %s (line %d, column %d): %s: %s", f.Path, f.Line, f.Column, f.Rule, f.Text)
}

func fileFault(rule, path, text string) *Fault {
	return &Fault{Rule: rule, Level: FileLevel, Path: path, Text: text, Code: string(FileError)}
}
