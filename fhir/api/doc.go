// Package api is the HTTP face that trusts talk to: they ask who is flagged, and they tell who was seen.
//
// It answers the two FHIR designs that NHS England has published for CP-IS, the draft CareTeam and AuditEvent search of 2023 and the
// Patient Flags shape, and takes message Bundles at $process-message. It authenticates (package identity) before it reads anything, asks its Desk for
// everything that has to be durable, and writes no NHS number into a log, an error or a header.
package api
