package fhirr4

import (
	"iter"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
)

// Survey yields every primitive of the Bundle. Its path names the elements without their places, a resource by its type:
// "Bundle.entry.resource(Encounter).period.start". Of a Bundle that is not well-formed it yields nothing.
func (a *Adapter) Survey(msg engine.Message, _ engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		doc, err := fhir.ReadEither(msg.Body, a.limits)
		if err != nil || doc == nil {
			return
		}
		root := doc.Root()
		survey(root, root.ResourceType(), yield)
	}
}

func survey(n *fhir.Node, path string, yield func(engine.Cell) bool) bool {
	switch n.Kind() {
	case fhir.Object, fhir.Array:
		for c := range n.Children {
			below := path
			if name := c.Name(); name != "" {
				below += "." + name
			}
			if t := c.ResourceType(); t != "" {
				below += "(" + t + ")"
			}
			if !survey(c, below, yield) {
				return false
			}
		}
		return true
	case fhir.Null:
		return true
	}
	escape := engine.EscapeJSON
	if n.Document().XML() {
		escape = engine.EscapeXML
	}
	start, end := n.ValueRange()
	return yield(engine.Cell{Record: 1, Path: path, Text: n.Text(), Start: start, End: end, Fixed: structural(path, n.Kind()), Escape: escape})
}

// structural tells of what R4 or a profile fixes: types, systems, codes, addresses of definitions.
func structural(path string, kind fhir.Kind) bool {
	if kind == fhir.Bool {
		return true
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch name {
	case "resourceType", "system", "code", "use", "type", "status", "url", "profile", "mode", "gender", "div", "unit", "version":
		return true
	}
	return false
}

// Profile recognises a message Bundle and declares what an access is made of, as far as it is there: the elements that UK Core and FHIR R4 messages
// have for it.
func (a *Adapter) Profile(sample []byte) (engine.Profile, bool) {
	doc, err := fhir.ReadEither(sample, a.limits)
	if err != nil || doc == nil || doc.Type() != "Bundle" {
		return engine.Profile{}, false
	}
	form := "JSON"
	if doc.XML() {
		form = "XML"
	}
	p := engine.Profile{Schema: engine.Schema{Format: Format}, Reasons: []string{"format fhir-r4: the file is a FHIR Bundle in " + form}}
	if t := doc.Root().Child("type"); t != nil && t.Text() == bundleMessage {
		p.Schema.Options = map[string]string{OptionBundle: bundleMessage}
	}
	for _, c := range candidates() {
		selector, err := a.Compile(c.Select, p.Schema)
		if err != nil || len(selector.Select(&record{doc: doc}, nil)) == 0 {
			continue
		}
		c.Type = engine.TypeString
		p.Schema.Fields = append(p.Schema.Fields, c)
	}
	return p, len(p.Schema.Fields) > 0
}

const (
	ofEncounter    = "Bundle.entry.resource.ofType(Encounter)"
	ofPatient      = ofEncounter + ".subject.resolve().ofType(Patient)"
	ofRole         = ofEncounter + ".participant.individual.resolve().ofType(PractitionerRole)"
	ofPractitioner = ofRole + ".practitioner.resolve().ofType(Practitioner)"
	ofDirect       = ofEncounter + ".participant.individual.resolve().ofType(Practitioner)"
	ofProvider     = ofEncounter + ".serviceProvider.resolve().ofType(Organization)"
)

// candidates are the elements that an access can be made of.
func candidates() []engine.Field {
	return []engine.Field{
		{Name: "event", Select: "Bundle.entry.resource.ofType(MessageHeader).event.ofType(Coding).code"},
		{Name: "encounter_id", Select: ofEncounter + ".identifier.value"},
		{Name: "care_class", Select: ofEncounter + ".class.code"},
		{Name: "started", Select: ofEncounter + ".period.start"},
		{Name: "nhs_number", Select: ofPatient + ".identifier.where(system = 'https://fhir.nhs.uk/Id/nhs-number').value"},
		{Name: "birth_date", Select: ofPatient + ".birthDate"},
		{Name: "given", Select: ofPatient + ".name.given.first()"},
		{Name: "family", Select: ofPatient + ".name.family.first()"},
		{Name: "user_id", Select: ofPractitioner + ".identifier.where(system = 'https://fhir.nhs.uk/Id/sds-user-id').value"},
		{Name: "direct_user_id", Select: ofDirect + ".identifier.where(system = 'https://fhir.nhs.uk/Id/sds-user-id').value"},
		{Name: "role_code", Select: ofRole + ".code.coding.code"},
		{Name: "role_name", Select: ofRole + ".code.coding.display"},
		{Name: "person_name", Select: ofPractitioner + ".name.text"},
		{Name: "system_id", Select: "Bundle.entry.resource.ofType(MessageHeader).source.endpoint"},
		{Name: "organisation_code", Select: ofProvider + ".identifier.where(system = 'https://fhir.nhs.uk/Id/ods-organization-code').value"},
		{Name: "organisation_name", Select: ofProvider + ".name"},
	}
}
