// Package fhir reads FHIR R4 strictly, in JSON and XML, holds it against R4's elements and against profiles, and builds what Signalbox answers with.
//
// Values are found in what it has read by package fhirpath.
//
// It knows the whole of R4's element table (elements.txt, made from the descriptors of google/fhir and checked against them by a test
// in fhir/oracle), so that a misspelt element is an error with its place and the nearest name. It imports nothing else of Signalbox.
// No error, fault or path that it makes holds a value of the document: a fault names the place and the rule.
package fhir

// Identifier systems and code systems that Signalbox reads and writes, each from a published NHS England artefact.
const (
	SystemNHSNumber = "https://fhir.nhs.uk/Id/nhs-number"
	SystemODS       = "https://fhir.nhs.uk/Id/ods-organization-code"
	SystemSNOMED    = "http://snomed.info/sct"
	SystemSDSUser   = "https://fhir.nhs.uk/Id/sds-user-id" // GP Connect, Practitioner.identifier

	// SystemFlagCategory and CodeCPIS are England-FlagCategoryPatient v0.5.0 (draft) and its code for CP-IS.
	SystemFlagCategory = "https://fhir.nhs.uk/England/CodeSystem/England-FlagCategoryPatient"
	CodeCPIS           = "child-protection-information-system-flag"
	DisplayCPIS        = "Child Protection Information System Flag"

	// ExtensionFlagDetail leads from a Flag to the record behind it (HL7, flag-detail).
	ExtensionFlagDetail = "http://hl7.org/fhir/StructureDefinition/flag-detail"

	// SystemRoleClass and CodeAssigned are what a consumer asks to be included with AuditEvents (CP-IS FHIR R4 API Consumer guide, draft 2023).
	SystemRoleClass = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
	CodeAssigned    = "ASSIGNED"

	// SystemSDSRole is the code system of SDS job roles that the published CP-IS Flag example uses.
	SystemSDSRole = "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1"

	// SystemSpineError is the code system of Spine's error codes (retired Reasonable Adjustment Flag API, kept as a convention).
	SystemSpineError = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"
)

// MediaType is the media type of FHIR JSON.
const MediaType = "application/fhir+json"
