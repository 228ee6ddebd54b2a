package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"signalbox/fhir"
)

// bodyRoutes are all the paths that read a body.
func bodyRoutes() []string {
	return []string{"/FHIR/R4/$process-message", "/FHIR/R4", "/FHIR/R4/CareTeam/_search", "/FHIR/R4/AuditEvent/_search", "/FHIR/R4/PatientFlag/_search",
		"/FHIR/R4/Subscription", "/v3"}
}

// FuzzBodies: whatever a body holds and however it is said to be written, the answer is one that is published, it is sound FHIR (or V3), it
// does not panic, and what was refused was neither kept nor counted as an access.
func FuzzBodies(f *testing.F) {
	sample, err := os.ReadFile(sampleRel)
	if err != nil {
		f.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(sample); err != nil {
		f.Fatal(err)
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(0), "application/fhir+json", "", sample)
	f.Add(uint8(0), "application/fhir+json", "gzip", zipped.Bytes())
	f.Add(uint8(0), "application/fhir+json", "gzip", zipped.Bytes()[:zipped.Len()/2])
	f.Add(uint8(1), "application/fhir+xml", "", []byte(`<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/></Bundle>`))
	f.Add(uint8(2), "application/x-www-form-urlencoded", "", []byte("patient="+child+"&_count=1&_format=xml"))
	f.Add(uint8(3), "application/x-www-form-urlencoded; charset=latin1", "identity", []byte("%zz"))
	f.Add(uint8(5), "application/fhir+json", "deflate", []byte(`{"resourceType":"Subscription"}`))
	f.Add(uint8(6), "application/xml", "", []byte(`<CP-ISQueryStub xmlns="urn:hl7-org:v3"/>`))
	b := newBench(f, func(c *Config) {
		c.HL7V3, c.SystemID, c.MaxBody = "/v3", "999000000001", 1<<16
		c.Strangers.PerSecond = 0
	})
	b.cfg.Opinion = nil // its own fuzzing is elsewhere
	f.Fuzz(func(t *testing.T, route uint8, kind, encoding string, body []byte) {
		b.log.Reset()
		b.desk.accesses, b.desk.messages = nil, nil
		path := bodyRoutes()[int(route)%len(bodyRoutes())]
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header["Content-Type"] = []string{kind}
		if encoding != "" {
			r.Header["Content-Encoding"] = []string{encoding}
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if strings.Contains(b.log.String(), "fhir panic") || w.Code == http.StatusInternalServerError {
			t.Fatalf("%s: %d: %s", path, w.Code, b.log)
		}
		if w.Code >= 400 && w.Code != http.StatusUnprocessableEntity && len(b.desk.accesses)+len(b.desk.messages) > 0 {
			t.Fatalf("%s: refused with %d, and yet taken", path, w.Code)
		}
		if path == "/v3" || w.Body.Len() == 0 {
			return
		}
		read := fhir.Read
		if strings.Contains(w.Header().Get("Content-Type"), "xml") {
			read = fhir.ReadXML
		}
		if _, err := read(w.Body.Bytes(), fhir.Limits{}); err != nil {
			t.Fatalf("%s: the answer is not sound: %v", path, err)
		}
	})
}
