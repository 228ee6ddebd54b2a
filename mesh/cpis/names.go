// Package cpis reads and writes the HL7 V3 messages of the Child Protection -
// Information Sharing scheme: those that travel over MESH, and the query.
//
// A local authority uploads REPC_MT000002GB01; CP-IS answers with
// REPC_MT000003GB01, and later tells the authority of accesses
// (REPC_MT000004GB01) and of inactive NHS numbers (REPC_MT000005GB01).
// [Decoder] reads the upload strictly, one record at a time; [CompileSelector]
// compiles paths into a record; the Encode functions write all messages.
// [DecodeQuery] reads a trust's query, QUPC_MT000006GB01, which
// REPC_MT000007GB01 answers.
//
// Sources of the rules: the CP-IS Domain Message Specification schemas
// (re-expressed in model.go) and Spine's own per-record checks (rules.go).
package cpis

// Namespaces of the messages.
const (
	NamespaceHL7          = "urn:hl7-org:v3"
	NamespaceLocalisation = "NPFIT:HL7:Localisation"
	namespaceXSI          = "http://www.w3.org/2001/XMLSchema-instance"
	namespaceXML          = "http://www.w3.org/XML/1998/namespace"
	namespaceXMLNS        = "http://www.w3.org/2000/xmlns/"
)

// Object identifiers that the messages use. Source: CP-IS DMS schemas.
const (
	OIDOrganisation = "2.16.840.1.113883.2.1.3.2.4.19.1"  // ODS organisation
	OIDSite         = "2.16.840.1.113883.2.1.3.2.4.19.2"  // ODS organisation site
	OIDNHSNumber    = "2.16.840.1.113883.2.1.4.1"         // verified NHS number
	OIDLocalID      = "2.16.840.1.113883.2.1.3.2.4.18.24" // the authority's own id for the child
	OIDTemplate     = "2.16.840.1.113883.2.1.3.2.4.18.16" // npfitlc:contentId
	OIDRecordCode   = "2.16.840.1.113883.2.1.3.2.4.17.473"
	OIDJobRole      = "2.16.840.1.113883.2.1.3.2.4.17.196"
	OIDUser         = "1.2.826.0.1285.0.2.0.65"  // SDS user
	OIDRoleProfile  = "1.2.826.0.1285.0.2.0.67"  // SDS role profile
	OIDDevice       = "1.2.826.0.1285.0.2.0.107" // accredited system id
)

// FileCode is the outcome of a whole upload, vocabulary CP-ISUploadFileResponse.
type FileCode string

// The file outcomes. Source: CPVocab.xsd.
const (
	FileError        FileCode = "CPF01"
	FileAccepted     FileCode = "CPF02"
	FilePartial      FileCode = "CPF03"
	FileUnsuccessful FileCode = "CPF04"
	FilePDSDown      FileCode = "CPF05"
	FileOldClient    FileCode = "CPF06"
)

// Display gives the wire's own words for the code, or "" for an unknown code.
func (c FileCode) Display() string {
	switch c {
	case FileError:
		return "File Level Error"
	case FileAccepted:
		return "Successful File Upload"
	case FilePartial:
		return "Partial File Upload"
	case FileUnsuccessful:
		return "Unsuccessful File Upload"
	case FilePDSDown:
		return "PDS Error - PDS Unavailable"
	case FileOldClient:
		return "Spine ii rejected the request because this version of the CPIS Client is no longer supported"
	}
	return ""
}

// RecordCode is the outcome of one record, vocabulary CP-ISUploadRecordResponse.
type RecordCode string

// The record outcomes. Source: CPVocab.xsd.
const (
	RecordNoMatch      RecordCode = "CPR01"
	RecordSensitive    RecordCode = "CPR02"
	RecordNotVerified  RecordCode = "CPR03"
	RecordBadFormat    RecordCode = "CPR04"
	RecordSuperseded   RecordCode = "CPR05"
	RecordAccepted     RecordCode = "CPR06"
	RecordUnsuccessful RecordCode = "CPR07"
)

// Display gives the wire's own words for the code, or "" for an unknown code.
// "Unsucessful" is how the vocabulary spells it.
func (c RecordCode) Display() string {
	switch c {
	case RecordNoMatch:
		return "PDS Error - No Match Found for NHS Number"
	case RecordSensitive:
		return "PDS Error - NHS Number Matched, but Sensitive Record"
	case RecordNotVerified:
		return "PDS Error - NHS Number not Verified"
	case RecordBadFormat:
		return "PDS Error - NHS Number Format Incorrect"
	case RecordSuperseded:
		return "PDS Error - NHS Number Verified, but Superseded"
	case RecordAccepted:
		return "Successful Record Upload"
	case RecordUnsuccessful:
		return "Unsucessful Record Upload"
	}
	return ""
}
