package pds

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"

	"signalbox/fhir"
)

// Query is a search for the one patient that has these details. Family and BirthDate are needed (patient-search.yaml, "Non-fuzzy search").
type Query struct {
	Given     []string
	Family    string
	BirthDate string // yyyy-mm-dd
	Postcode  string
	History   bool // previous names count too
}

// Search returns the single patient that matches exactly: application-restricted access gets one unique match or none. What it finds is a proposal:
// a number that was found by search is for a person to confirm. The error's Kind is NotFound when there is none or more than one.
func (c *Client) Search(ctx context.Context, q Query) (Patient, error) {
	if q.Family == "" || q.BirthDate == "" {
		return Patient{}, &Error{Op: "search", Kind: Refused, Err: errors.New("a search needs a family name and a birth date")}
	}
	values := url.Values{"family": {q.Family}, "birthdate": {"eq" + q.BirthDate}, "_max-results": {"1"}}
	if q.History {
		values.Set("_history", "true")
	} else {
		values.Set("_exact-match", "true")
	}
	for _, given := range q.Given {
		values.Add("given", given)
	}
	if q.Postcode != "" {
		values.Set("address-postalcode", q.Postcode)
	}
	return c.ask(ctx, question{op: "search", path: "/Patient", query: values, read: readSearch})
}

// readSearch takes a searchset with one patient. "Too many matches" comes as an OperationOutcome with status 200 (patient-search.yaml).
func readSearch(doc *fhir.Document) (Patient, error) {
	if slices.Contains(codes(doc), codeTooMany) {
		return Patient{}, &Error{Kind: NotFound, Status: http.StatusOK, Err: errors.New("more than one patient matches")}
	}
	if doc.Type() != "Bundle" {
		return Patient{}, errors.New("the answer is no Bundle")
	}
	var found []*fhir.Node
	for entry := range each(doc.Root(), "entry") {
		if r := entry.Child("resource"); r.ResourceType() == "Patient" {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return Patient{}, &Error{Kind: NotFound, Status: http.StatusOK, Err: errors.New("no single patient matches")}
	}
	return patientOf(found[0])
}

// text returns the text of a child, or nothing.
func text(n *fhir.Node, name string) string {
	if n == nil {
		return ""
	}
	if child := n.Child(name); child != nil {
		return child.Text()
	}
	return ""
}

// each yields the items of a list.
func each(n *fhir.Node, name string) iter.Seq[*fhir.Node] {
	return func(yield func(*fhir.Node) bool) {
		if n == nil {
			return
		}
		list := n.Child(name)
		if list == nil {
			return
		}
		for item := range list.Children {
			if !yield(item) {
				return
			}
		}
	}
}
