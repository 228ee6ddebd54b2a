// Package fhirpath finds values in a FHIR R4 document by FHIRPath, with types: a path is checked against R4's elements before it runs.
//
// The rules are those of FHIRPath N1 (HL7, http://hl7.org/fhirpath/N1) and of FHIR R4 (http://hl7.org/fhir/R4/fhirpath.html). What the package
// does not do is refused when the path is compiled, by name; README.md of package fhir has the table. A compiled Path holds no state
// and runs within a bounded number of steps. No error holds a value of the document.
package fhirpath
