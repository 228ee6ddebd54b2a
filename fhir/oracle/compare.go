package oracle

import "signalbox/fhir"

// Opinions are the verdicts of both readers on one document. They hold rules and places, and no datum.
type Opinions struct {
	Ours, Theirs fhir.Faults
	Class        string // which decided kind of difference this is; Agreed where both say the same, Undecided where nobody has decided it
}

// Words for Opinions.Class beside the names of the decided differences.
const (
	Agreed    = "agreed"
	Undecided = "undecided"
)

// Differ reports whether one reader takes what the other refuses.
func (o Opinions) Differ() bool { return o.Class != Agreed }

// Compare asks both readers about a document in JSON, or in XML, which the other reader gets as JSON. A document that our reader cannot read at all
// in XML has only our verdict.
func Compare(data []byte, limits fhir.Limits, other fhir.SecondOpinion) Opinions {
	var o Opinions
	var doc *fhir.Document
	if fhir.IsXML(data) {
		if doc, o.Ours = fhir.ExamineXML(data, limits, nil); doc == nil {
			o.Class = Agreed
			return o
		}
		data = fhir.AppendJSON(nil, doc)
	} else {
		doc, o.Ours = fhir.Examine(data, limits, nil)
	}
	for _, f := range other.Check(data) {
		doc.Locate(f)
		o.Theirs = append(o.Theirs, f)
	}
	o.Class = o.classify(doc)
	return o
}
