package rules

import "signalbox/mesh/cpis"

// Rules that only the order of an authority's files can break, and a refresh that leaves children out.
const (
	SequenceRepeated = "sequence-repeated" // the file id of an earlier file
	SequenceSkipped  = "sequence-skipped"  // ids between the last file's and this one were never seen
	SequenceOlder    = "sequence-older"    // a lower id than the last file's
	SequenceRefused  = "sequence-refused"  // any of them, where the operator wants such files refused
	RefreshAbsent    = "refresh-absent"    // children who stand were not in a full refresh
)

// What a trace with the Personal Demographics Service finds.
const (
	PDSNoMatch     = "pds-no-match"
	PDSSensitive   = "pds-sensitive"
	PDSNotVerified = "pds-not-verified"
	PDSBadFormat   = "pds-bad-format"
	PDSSuperseded  = "pds-superseded"
	PDSInactive    = "pds-inactive"
	PDSUnavailable = "pds-unavailable"
	OldClient      = "old-client"
)

// table is never changed.
var table = [...]Rule{
	{cpis.RuleEncoding, "XML 1.0; UTF-8 alone: ours", Refuse, File, Codec, cpis.FileError, "",
		"Write the file in UTF-8 without characters that XML 1.0 forbids, and declare no other encoding."},
	{cpis.RuleWellFormed, "XML 1.0 with namespaces", Refuse, File, Codec, cpis.FileError, "",
		"Mend the XML where the line and column point: every tag closed, every prefix declared, nothing after the last tag."},
	{cpis.RuleDoctype, "ours: no entity can be smuggled in", Refuse, File, Codec, cpis.FileError, "",
		"Leave the document type declaration out."},
	{cpis.RuleInstruction, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Leave processing instructions out."},
	{cpis.RuleLimitSize, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Send the file in parts, each with a file id of its own, or ask the operator for a higher limit."},
	{cpis.RuleLimitDepth, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Take out the elements that are nested where the message has none."},
	{cpis.RuleLimitAttributes, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Take out attributes and namespace declarations that the message does not ask for."},
	{cpis.RuleLimitValue, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Shorten the value: no field of the message is that long."},
	{cpis.RuleLimitElements, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Take out what does not belong into the record."},
	{cpis.RuleLimitRecords, "ours", Refuse, File, Codec, cpis.FileError, "",
		"Send the records in several files, each with a file id of its own."},
	{cpis.RuleRoot, "schema", Refuse, File, Codec, cpis.FileError, "",
		"Begin the message with File in the namespace urn:hl7-org:v3, and send nothing else under this workflow id."},
	{cpis.RuleElement, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Take the element out, or spell it as the message does."},
	{cpis.RuleNamespace, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Put contentId into NPFIT:HL7:Localisation and everything else into urn:hl7-org:v3."},
	{cpis.RuleOrder, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Put the elements into the order of the message specification."},
	{cpis.RuleMissing, "schema; Spine: MISSING_MANDATORY_FIELD", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Send the mandatory element: among them the plan's start, the end of an unborn plan, birth date, one given name and one family name."},
	{cpis.RuleTooMany, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Send the element as often as the message allows: one given name, two telephones, two ids, three plans at most."},
	{cpis.RuleAttribute, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Leave the attribute out: fixed values such as classCode are prohibited on the wire."},
	{cpis.RuleAttributeMissing, "schema; Spine: MISSING_MANDATORY_FIELD", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Send the attribute with its value."},
	{cpis.RuleValue, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Write the value as its type asks: plan dates yyyymmddhhmm, birth dates without hyphens, telephones tel: and digits without spaces, OIDs from the list."},
	{cpis.RuleText, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Take the text or the white space out of the element."},
	{cpis.RuleNil, "schema", Refuse, Both, Codec, cpis.FileError, cpis.RecordUnsuccessful,
		"Leave xsi:nil out, or the content; a start date and an unborn plan's dates may never be nil."},
	{cpis.RuleFileID, "Spine: MISSING_MANDATORY_FIELD|File ID", Refuse, File, Codec, cpis.FileError, "",
		"Number the file: an id that grows by one with each file."},
	{cpis.RuleOrgID, "Spine: MISSING_MANDATORY_FIELD|Organisation ID", Refuse, File, Codec, cpis.FileError, "",
		"Send the authority's ODS code."},
	{cpis.RuleOrgName, "Spine: MISSING_MANDATORY_FIELD|Organisation Name", Refuse, File, Codec, cpis.FileError, "",
		"Send the authority's name."},
	{cpis.RuleTelecomEC, "Spine: MISSING_MANDATORY_TELECOM_TYPE|EC", Refuse, File, Codec, cpis.FileError, "",
		"Send the emergency duty team's telephone with use EC: a clinician calls it at night."},
	{cpis.RuleTelecomTwiceEC, "Spine: DUPLICATE_TELECOM_TYPE|EC", Refuse, File, Codec, cpis.FileError, "",
		"Send one telephone with use EC; the office's has use WP."},
	{cpis.RuleTelecomValue, "Spine: TELECOM_VALUE_IS_MANDATORY", Refuse, File, Codec, cpis.FileError, "",
		"Send the telephone's digits, or leave the telephone out."},
	{cpis.RuleOnePlan, "Spine: MISSING_MANDATORY_FIELD|Care Plan Type", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Send one record for each plan of a child."},
	{cpis.RuleNHSNumber, "Spine: MISSING_MANDATORY_FIELD|NHS Number; two: ours", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Send the NHS number, the mother's for an unborn child, exactly once."},
	{cpis.RuleTelecomUse, "ours: the schema takes H and lists", Refuse, File, Codec, cpis.FileError, "",
		"Give each telephone one use: WP for the office, EC for the emergency duty team."},
	{cpis.RuleTelecomOffice, "ours: schema and Spine take one telephone", Warn, File, Codec, cpis.FileAccepted, "",
		"Send the office's telephone as well, with use WP: by day nobody answers the emergency duty team's."},
	{cpis.RuleDate, "ours: the schema takes 31 February", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Send a date that is in the calendar."},
	{cpis.RuleOneSubject, "ours: the schema takes two", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Send one record for each child."},
	{cpis.RulePlanSubject, "ours: the schema does not tie plan and subject", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Send an unborn plan with the unborn child's mother, any other plan with the child."},
	{cpis.RuleContentID, "ours: the schema does not tie them", Refuse, Record, Codec, "", cpis.RecordUnsuccessful,
		"Name in contentId the template that follows it."},
	{"record-count", "ours: schema and Spine take any number", Doubt, File, Mapping, cpis.FilePartial, "",
		"Announce the number of records that the file holds; if it held fewer than it should, send the rest in a new file."},
	{"nhs-number", "ours: the schema takes any text, Spine any that PDS knows", Refuse, Record, Mapping, "", cpis.RecordBadFormat,
		"Check the NHS number with the child's record: it is not ten digits, or its check digit does not fit."},
	{"date", "ours: what the mapping reads as a date", Refuse, Record, Mapping, "", cpis.RecordUnsuccessful,
		"Send the date whole, day and month and year, in the layout that was agreed."},
	{"plan-period", "ours: schema and Spine take it", Refuse, Record, Mapping, "", cpis.RecordUnsuccessful,
		"Mend the dates: a plan ends on the day on which it starts, or later."},
	{"foreign-authority", "ours: a mailbox speaks for its own authority", Refuse, Record, Pipeline, "", cpis.RecordUnsuccessful,
		"Send the file from the mailbox of the authority that it names."},
	{SequenceRepeated, "ours: the scheme's text is not public", Warn, File, Pipeline, cpis.FileAccepted, "",
		"Give each file an id that was not used before; if the file was sent twice by mistake, nothing need be done."},
	{SequenceSkipped, "ours: the scheme's text is not public", Warn, File, Pipeline, cpis.FileAccepted, "",
		"Look for the files between this id and the last: what they said is not known here."},
	{SequenceOlder, "ours: the scheme's text is not public", Warn, File, Pipeline, cpis.FileAccepted, "",
		"Check which file is the newest: what this older id says is now what stands."},
	{SequenceRefused, "ours, where the operator has chosen it", Refuse, File, Pipeline, cpis.FileError, "",
		"Send the file again under the next file id."},
	{RefreshAbsent, "ours: absence never deletes", Warn, File, Pipeline, cpis.FileAccepted, "",
		"Send an end or delete date for each child that shall no longer stand; absence from a file changes nothing."},
}

// outcomes is never changed.
var outcomes = [...]Rule{
	{PDSNoMatch, "vocabulary", Refuse, Record, Tracer, "", cpis.RecordNoMatch,
		"Compare name, birth date and NHS number with the child's record; a name that differs is the commonest cause."},
	{PDSSensitive, "vocabulary", Refuse, Record, Tracer, "", cpis.RecordSensitive,
		"This is no typing error: ask the safeguarding lead, and do not change the number."},
	{PDSNotVerified, "vocabulary", Refuse, Record, Tracer, "", cpis.RecordNotVerified,
		"Have the NHS number verified before sending the child again."},
	{PDSBadFormat, "vocabulary", Refuse, Record, Tracer, "", cpis.RecordBadFormat,
		"Check the NHS number with the child's record: it is not one in today's format."},
	{PDSSuperseded, "vocabulary", Refuse, Record, Tracer, "", cpis.RecordSuperseded,
		"A person has to find the child's present number: nothing is swapped by itself."},
	// The vocabulary has no code of its own for a number without a successor: that it is "not verified" is an assumption.
	{PDSInactive, "assumption", Refuse, Record, Tracer, "", cpis.RecordNotVerified,
		"A person has to find the child's present number: this one is no longer in use."},
	{PDSUnavailable, "vocabulary", Doubt, File, Tracer, cpis.FilePDSDown, "",
		"Nothing is wrong with the file: it is tried again, or can be sent again later."},
	{OldClient, "vocabulary", Refuse, File, Nobody, cpis.FileOldClient, "",
		"Use a client that the national service still supports."},
}
