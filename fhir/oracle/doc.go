// Package oracle asks google/fhir's validating R4 reader for a second opinion on a document.
package oracle
