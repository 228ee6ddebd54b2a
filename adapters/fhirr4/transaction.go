package fhirr4

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
)

// bundleTransaction is the other value of OptionBundle: Bundles of type transaction or batch, one record for each Encounter in them.
const bundleTransaction = "transaction"

// maxEncounters is how many records one Bundle may hold: each is read once more by itself.
const maxEncounters = 100

// RuleInteraction is the rule that an entry of a transaction or batch says "create an Encounter" or brings what Encounters refer to.
const RuleInteraction = "bundle-interaction"

// beside reports whether an entry of this type may stand beside the Encounters, for them to refer to. It makes no record of its own.
func beside(resourceType string) bool {
	switch resourceType {
	case "Patient", "Practitioner", "PractitionerRole", "Organization", "Location", "Device":
		return true
	}
	return false
}

// part is one Encounter of a transaction, or the fault of an entry that asks for something else.
type part struct {
	record *record
	fault  *engine.Error
}

// parts takes a transaction or batch apart, in the order of its entries. A record's position is the number of its entry, from 1. Of a batch an entry
// with a modifier extension that is not understood is refused alone; a transaction is whole, and so is the refusal.
func (a *Adapter) parts(doc *fhir.Document, body []byte, modifiers iter.Seq[*fhir.Fault]) ([]part, fhir.Faults) {
	root := doc.Root()
	kind := root.Child("type")
	if kind == nil || kind.Text() != "transaction" && kind.Text() != "batch" {
		if kind == nil {
			kind = root
		}
		return nil, faultAt(doc, kind, "Bundle.type", "the Bundle is neither of type transaction nor of type batch")
	}
	entries := slices.Collect(root.Child("entry").Children)
	unread := sortModifiers(entries, modifiers)
	if len(unread.whole) > 0 {
		return nil, unread.whole
	}
	if faults := unread.ofTransaction(); len(faults) > 0 && kind.Text() == "transaction" {
		return nil, faults
	}
	var out []part
	encounters := 0
	for i, e := range entries {
		if fault := interaction(doc, e, i); fault != nil {
			out = append(out, part{fault: fault})
			continue
		}
		encounter := e.Child("resource").ResourceType() == "Encounter"
		if !encounter && unread.first[i] == nil {
			continue
		}
		if encounter {
			encounters++
		}
		if encounters > maxEncounters {
			return nil, faultAt(doc, e, "Bundle.entry", "the Bundle holds more than "+strconv.Itoa(maxEncounters)+" Encounters: send them in several")
		}
		if fault := unread.of(i); fault != nil {
			out = append(out, part{fault: fault})
			continue
		}
		out = append(out, a.alone(entries, i, body, unread))
	}
	return out, nil
}

// interaction says what is wrong with what an entry asks for, or nothing.
func interaction(doc *fhir.Document, entry *fhir.Node, i int) *engine.Error {
	at := "Bundle.entry[" + strconv.Itoa(i) + "]"
	fail := func(n *fhir.Node, path, text string) *engine.Error {
		if n == nil {
			n = entry
		}
		start, end := n.Range()
		line, column := doc.Position(start)
		return &engine.Error{Op: "decode fhir-r4", Kind: engine.Invalid, Rule: RuleInteraction, Text: text,
			Place: engine.Place{Record: i + 1, Path: at + path, Line: line, Column: column, Start: start, End: end}}
	}
	request, resource := entry.Child("request"), entry.Child("resource")
	method, url := request.Child("method"), request.Child("url")
	switch {
	case method == nil || url == nil:
		return fail(request, ".request", "an entry says what it asks for: request.method and request.url are needed")
	case method.Text() != "POST":
		return fail(method, ".request.method", "only POST is taken here: nothing that this server keeps can be read, changed or deleted by a client")
	case resource == nil:
		return fail(nil, ".resource", "the resource is missing")
	}
	for _, name := range []string{"ifNoneExist", "ifMatch", "ifNoneMatch", "ifModifiedSince"} {
		if n := request.Child(name); n != nil {
			return fail(n, ".request."+name, "conditional interactions are not offered: repeats are known by X-Request-ID and by the Encounter's own identifier")
		}
	}
	kind := resource.ResourceType()
	if kind != "Encounter" && !beside(kind) {
		return fail(resource, ".resource", "this server takes Encounters, and Patient, Practitioner, PractitionerRole, Organization, Location and Device beside them")
	}
	if url.Text() != kind {
		return fail(url, ".request.url", "the url of a create is the type of its resource")
	}
	return nil
}

// alone reads one Encounter with what stands beside it and is understood. The other entries are blanked out byte for byte, so that every position
// stays as it was sent.
func (a *Adapter) alone(entries []*fhir.Node, i int, body []byte, unread notUnderstood) part {
	kept := make([]int, 0, len(entries))
	for j, e := range entries {
		if j == i || beside(e.Child("resource").ResourceType()) && unread.first[j] == nil {
			kept = append(kept, j)
		}
	}
	doc, faults := fhir.ExamineEither(blank(body, entries, kept), a.limits, nil)
	if len(faults) > 0 {
		faults[0].Text = "the entry cannot be read by itself: " + faults[0].Text
		fault := toError(faults[0])
		fault.Place.Record = i + 1
		return part{fault: fault}
	}
	return part{record: &record{doc: doc, entry: i, kept: kept}}
}

// blank overwrites the entries that are not kept, and the commas that go with them in JSON, with spaces. Line breaks stay.
func blank(body []byte, entries []*fhir.Node, kept []int) []byte {
	out := bytes.Clone(body)
	erase := func(from, to int64) {
		for k := from; k < to; k++ {
			if out[k] != '\n' && out[k] != '\r' {
				out[k] = ' '
			}
		}
	}
	stays := make([]bool, len(entries))
	for _, j := range kept {
		stays[j] = true
	}
	commas := !fhir.IsXML(body)
	before := false // an entry that stays came before
	for j, e := range entries {
		start, end := e.Range()
		if commas && j > 0 && (!stays[j] || !before) {
			_, last := entries[j-1].Range()
			erase(last, start)
		}
		if !stays[j] {
			erase(start, end)
		}
		before = before || stays[j]
	}
	return out
}

// sentPath gives a path in the blanked Bundle the entry number that it had when it was sent.
func (r *record) sentPath(path string) string {
	const prefix = "Bundle.entry["
	rest, ok := strings.CutPrefix(path, prefix)
	if r.kept == nil || !ok {
		return path
	}
	number, tail, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	if err != nil || i >= len(r.kept) {
		return path
	}
	return prefix + strconv.Itoa(r.kept[i]) + "]" + tail
}

// yieldParts hands out what a transaction or batch holds, or returns the faults of the whole of it.
func (a *Adapter) yieldParts(doc *fhir.Document, msg engine.Message, modifiers iter.Seq[*fhir.Fault], yield func(engine.Record, error) bool) fhir.Faults {
	parts, faults := a.parts(doc, msg.Body, modifiers)
	if len(faults) > 0 {
		return faults
	}
	for _, p := range parts {
		var next bool
		if p.fault != nil {
			next = yield(nil, p.fault)
		} else {
			next = yield(p.record, nil)
		}
		if !next {
			break
		}
	}
	return nil
}

func faultAt(doc *fhir.Document, n *fhir.Node, path, text string) fhir.Faults {
	start, _ := n.Range()
	f := &fhir.Fault{Path: path, Offset: start, Rule: fhir.RuleShape, Text: text}
	f.Line, f.Column = doc.Position(start)
	return fhir.Faults{f}
}
