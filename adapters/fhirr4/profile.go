package fhirr4

import (
	"slices"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
	"signalbox/fhir"
)

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
	switch t := doc.Root().Child("type"); {
	case t == nil:
	case t.Text() == bundleMessage:
		p.Schema.Options = map[string]string{OptionBundle: bundleMessage}
	case t.Text() == bundleTransaction, t.Text() == "batch":
		p.Schema.Options = map[string]string{OptionBundle: bundleTransaction}
		p.Reasons = append(p.Reasons, "bundle transaction: the Bundle is of type "+t.Text())
	}
	var records []engine.Record
	for r, err := range a.Decode(engine.Message{Body: sample}, p.Schema) {
		if err == nil {
			records = append(records, r)
		}
	}
	for _, c := range append(candidates(), extensions(doc)...) {
		selector, err := a.Compile(c.Select, p.Schema)
		if err != nil || !slices.ContainsFunc(records, func(r engine.Record) bool { return len(selector.Select(r, nil)) > 0 }) {
			continue
		}
		if slices.ContainsFunc(p.Schema.Fields, func(f engine.Field) bool { return f.Name == c.Name }) {
			continue // an earlier candidate of the name was there
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
	ofBeside       = "Bundle.entry.resource.ofType(Patient)"
	ofProvider     = ofEncounter + ".serviceProvider.resolve().ofType(Organization)"
)

// candidates are the elements that an access can be made of. Of several with one name the first that the sample has is taken.
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
		{Name: "nhs_number", Select: ofBeside + ".identifier.where(system = 'https://fhir.nhs.uk/Id/nhs-number').value"},
		{Name: "birth_date", Select: ofBeside + ".birthDate"},
		{Name: "given", Select: ofBeside + ".name.given.first()"},
		{Name: "family", Select: ofBeside + ".name.family.first()"},
		{Name: "status", Select: ofEncounter + ".status"},
		{Name: "service_setting", Select: ofEncounter + ".serviceType.coding.code"},
		{Name: "user_id", Select: ofPractitioner + ".identifier.where(system = 'https://fhir.nhs.uk/Id/sds-user-id').value"},
		{Name: "direct_user_id", Select: ofDirect + ".identifier.where(system = 'https://fhir.nhs.uk/Id/sds-user-id').value"},
		{Name: "role_code", Select: ofRole + ".code.coding.code"},
		{Name: "role_name", Select: ofRole + ".code.coding.display"},
		{Name: "person_name", Select: ofPractitioner + ".name.text"},
		{Name: "system_id", Select: "Bundle.entry.resource.ofType(MessageHeader).source.endpoint"},
		{Name: "organisation_code", Select: ofProvider + ".identifier.where(system = 'https://fhir.nhs.uk/Id/ods-organization-code').value"},
		{Name: "organisation_name", Select: ofProvider + ".name"},
		{Name: "organisation_code", Select: ofEncounter + ".serviceProvider.identifier.where(system = 'https://fhir.nhs.uk/Id/ods-organization-code').value"},
		{Name: "organisation_name", Select: ofEncounter + ".serviceProvider.display"},
		{Name: "device_id", Select: "Bundle.entry.resource.ofType(Device).identifier.where(system = 'https://fhir.nhs.uk/Id/nhsSpineASID').value"},
	}
}

// extensions declares the supplier's own extensions of the Encounters: a code or text each.
func extensions(doc *fhir.Document) []engine.Field {
	var out []engine.Field
	taken, known := map[string]bool{}, map[string]bool{}
	for e := range doc.Root().Child("entry").Children {
		r := e.Child("resource")
		if r.ResourceType() != "Encounter" {
			continue
		}
		for x := range r.Child("extension").Children {
			url, value := x.Child("url"), (*fhir.Node)(nil)
			for c := range x.Children {
				if strings.HasPrefix(c.Name(), "value") {
					value = c
				}
			}
			if url == nil || value == nil || known[url.Text()] || strings.ContainsAny(url.Text(), `'\\`) {
				continue
			}
			known[url.Text()] = true
			typ := strings.TrimPrefix(value.Name(), "value")
			typ = strings.ToLower(typ[:1]) + typ[1:]
			name := url.Text()[strings.LastIndexByte(url.Text(), '/')+1:]
			out = append(out, engine.Field{Name: chars.FieldName(name, taken), Select: ofEncounter + ".extension('" + url.Text() + "').value.ofType(" + typ + ")"})
		}
	}
	return out
}
