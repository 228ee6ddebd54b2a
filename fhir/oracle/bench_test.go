package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// message is a message Bundle of about 9 KB: the supplier's sample with two more patients.
func message(b *testing.B) []byte {
	b.Helper()
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json")
	require.NoError(b, err)
	doc, err := fhir.Read(raw, fhir.Limits{})
	require.NoError(b, err)
	compact := fhir.AppendJSON(nil, doc)
	var patient []byte
	for entry := range doc.Root().Child("entry").Children {
		if r := entry.Child("resource"); r.ResourceType() == "Encounter" {
			patient = r.AppendJSON(nil)
		}
	}
	out := compact[:len(compact)-2]
	for i := 0; len(out) < 8800; i++ {
		out = append(out, fmt.Sprintf(`,{"fullUrl":"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-%012d","resource":`, i)...)
		out = append(append(out, patient...), '}')
	}
	return append(out, "]}"...)
}

// round times one call.
func round(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// BenchmarkStrictRead reads and checks a message Bundle of 9 KB. The references take turns with it on the same bytes: google/fhir's validating
// reader, and encoding/json into samply's structs (with Bundle entries as raw JSON that are decoded again into theirs), which checks nothing.
func BenchmarkStrictRead(b *testing.B) {
	raw := message(b)
	v := newValidator(b)
	require.Empty(b, v.Check(raw))
	ours := func() {
		if _, faults := fhir.Examine(raw, fhir.Limits{}, nil); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
	var mine, google, samply time.Duration
	rounds := 0
	for b.Loop() {
		for range 8 {
			mine += round(ours)
			samply += round(func() { samplyRead(b, raw) })
		}
		google += round(func() { v.Check(raw) })
		rounds++
	}
	b.ReportMetric(float64(mine.Nanoseconds())/float64(8*rounds), "ns/document")
	b.ReportMetric(8*float64(google)/float64(mine), "x_ref:google/fhir")
	b.ReportMetric(float64(samply)/float64(mine), "x_ref:samply-structs")
}

func samplyRead(b *testing.B, raw []byte) {
	bundle, err := models.UnmarshalBundle(raw)
	require.NoError(b, err)
	for _, e := range bundle.Entry {
		var kind struct {
			ResourceType string `json:"resourceType"`
		}
		if err = json.Unmarshal(e.Resource, &kind); err == nil {
			switch kind.ResourceType {
			case "Encounter":
				_, err = models.UnmarshalEncounter(e.Resource)
			case "MessageHeader":
				_, err = models.UnmarshalMessageHeader(e.Resource)
			case "Patient":
				_, err = models.UnmarshalPatient(e.Resource)
			case "Organization":
				_, err = models.UnmarshalOrganization(e.Resource)
			case "Practitioner":
				_, err = models.UnmarshalPractitioner(e.Resource)
			}
		}
		require.NoError(b, err)
	}
}

// BenchmarkXML takes the same Bundle through XML: writing it and reading it strictly again. x_ref is reading the JSON.
func BenchmarkXML(b *testing.B) {
	doc, err := fhir.Read(message(b), fhir.Limits{})
	require.NoError(b, err)
	asXML, err := fhir.AppendXML(nil, doc)
	require.NoError(b, err)
	asJSON := fhir.AppendJSON(nil, doc)
	var ours, plain time.Duration
	for b.Loop() {
		ours += round(func() {
			if _, faults := fhir.ExamineXML(asXML, fhir.Limits{}, nil); len(faults) > 0 {
				b.Fatal(faults)
			}
		})
		plain += round(func() { fhir.Examine(asJSON, fhir.Limits{}, nil) })
	}
	b.ReportMetric(float64(plain)/float64(ours), "x_ref:JSON")
}
