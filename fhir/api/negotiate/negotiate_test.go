package negotiate

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAccept(t *testing.T) {
	const neither = Format(-1)
	for header, want := range map[string]Format{
		"":                      JSON,
		"*/*":                   JSON,
		"application/*":         JSON,
		"application/fhir+json": JSON,
		"application/json":      JSON,
		"application/fhir+xml":  XML,
		"text/xml":              XML,
		"APPLICATION/FHIR+XML":  XML,
		"application/fhir+xml, application/fhir+json":               JSON,
		"application/fhir+xml;q=0.9, application/fhir+json;q=0.8":   XML,
		"application/fhir+json;q=0.1, application/fhir+xml; q=0.2":  XML,
		"*/*;q=0.5, application/fhir+xml":                           XML,
		"*/*, application/fhir+json;q=0":                            XML,
		"application/*, application/fhir+json;q=0.5":                XML,
		"application/fhir+json;q=0.5, application/json;q=1, */*":    XML,
		"text/html, application/xhtml+xml, */*;q=0.1":               JSON,
		"application/fhir+json; fhirVersion=4.0":                    JSON,
		"application/fhir+json; fhirVersion=3.0":                    neither,
		"application/fhir+json;fhirVersion=3.0, application/json":   JSON,
		"application/fhir+json;q=0":                                 neither,
		"application/fhir+json;q=0.000":                             neither,
		"*/*;q=0":                                                   neither,
		"text/html":                                                 neither,
		"application/fhir+json;q=2":                                 neither,
		"application/fhir+json;q=0.0001":                            neither,
		"application/fhir+json;q=x":                                 neither,
		"application/fhir+json;q=-1":                                neither,
		"application/fhir+turtle":                                   neither,
		"application/fhir+turtle, application/fhir+xml;q=0.001":     XML,
		"application/fhir+xml;charset=utf-8;q=1,application/json;q": XML,
	} {
		got, ok := Accept(header)
		if want == neither {
			assert.False(t, ok, header)
			continue
		}
		assert.True(t, ok, header)
		assert.Equal(t, want, got, header)
	}
}

func TestParam(t *testing.T) {
	for value, want := range map[string]Format{
		"json": JSON, "xml": XML, "application/fhir+json": JSON, "application/fhir xml": XML, "application/fhir+xml; fhirVersion=4.0": XML, "text/xml": XML,
		"application/json": JSON,
	} {
		got, ok := Param(value)
		assert.True(t, ok, value)
		assert.Equal(t, want, got, value)
	}
	for _, value := range []string{"", "ttl", "html", "JSON", "application/fhir+json; fhirVersion=5.0", "application/pdf"} {
		_, ok := Param(value)
		assert.False(t, ok, value)
	}
	assert.Equal(t, "application/fhir+json", JSON.MediaType())
	assert.Equal(t, "application/fhir+xml", XML.MediaType())
}

func TestTakesGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "deflate, GZIP;q=0.5": true, "gzip;q=0": false, "*": true, "*;q=0": false, "identity": false, "gzip;q=0, *": false, "br": false,
	} {
		assert.Equal(t, want, TakesGzip(header), header)
	}
}

func TestPrefer(t *testing.T) {
	assert.Equal(t, Preferences{}, Prefer(nil))
	assert.Equal(t, Preferences{Return: Minimal, Lenient: true}, Prefer([]string{"return=minimal; handling=strict, handling=lenient"}))
	assert.Equal(t, Preferences{Return: OperationOutcome, Strict: true, RespondAsync: true},
		Prefer([]string{`return="OperationOutcome"`, "respond-async, wait=10, handling=strict, handling=lenient"}))
	assert.Equal(t, Preferences{Return: Representation}, Prefer([]string{"RETURN=representation, return=minimal, handling=loose"}))
	assert.Equal(t, Preferences{}, Prefer([]string{"return=everything"}))
}

func FuzzHeaders(f *testing.F) {
	f.Add("application/fhir+json;q=0.5, */*")
	f.Add("return=minimal, handling=lenient")
	f.Fuzz(func(t *testing.T, header string) {
		if format, ok := Accept(header); !ok && format != JSON {
			t.Error("what is not acceptable is told in JSON")
		}
		Param(header)
		TakesGzip(header)
		if p := Prefer([]string{header}); p.Lenient && p.Strict {
			t.Error("both lenient and strict")
		}
	})
}
