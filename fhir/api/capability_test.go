package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stated lists what a CapabilityStatement says, a word for each interaction and operation.
func stated(t *testing.T, b *bench) map[string]bool {
	t.Helper()
	w := b.call("GET /metadata", "", "Authorization: ")
	require.Equal(t, 200, w.Code)
	sound(t, w)
	type coded struct{ Code, Name, Definition string }
	var c struct {
		Rest []struct {
			Documentation          string
			Interaction, Operation []coded
			Resource               []struct {
				Type                   string
				Interaction, Operation []coded
			}
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &c))
	out := map[string]bool{}
	add := func(on string, interactions, operations []coded) {
		for _, i := range interactions {
			assert.False(t, out[on+i.Code], "%s%s is said once", on, i.Code)
			out[on+i.Code] = true
		}
		for _, o := range operations {
			assert.NotEmpty(t, o.Definition)
			out[on+"$"+o.Name] = true
		}
	}
	add("", c.Rest[0].Interaction, c.Rest[0].Operation)
	for _, r := range c.Rest[0].Resource {
		add(r.Type+" ", r.Interaction, r.Operation)
	}
	for _, name := range []string{"metadata", "$message-status"} {
		if strings.Contains(c.Rest[0].Documentation, name) {
			out[name] = true
		}
	}
	return out
}

// calls says how each thing that can be stated is asked for.
func calls() map[string][]string {
	one := "/Subscription/" + freshID
	return map[string][]string{
		"metadata": {"GET /metadata"}, "$process-message": {"POST /$process-message"}, "$message-status": {"GET /$message-status"},
		"transaction": {"POST ", "POST /"}, "batch": {"POST "},
		"CareTeam search-type": {"GET /CareTeam", "POST /CareTeam/_search"}, "AuditEvent search-type": {"GET /AuditEvent", "POST /AuditEvent/_search"},
		"Flag search-type":    {"GET /PatientFlag", "POST /PatientFlag/_search"},
		"Subscription create": {"POST /Subscription"}, "Subscription read": {"GET " + one}, "Subscription delete": {"DELETE " + one},
		"Subscription $status": {"GET " + one + "/$status"}, "Subscription $events": {"GET " + one + "/$events"},
	}
}

// What is stated is mounted, what is mounted is stated, and nothing else: walked both ways, with and without subscriptions. HL7 V3 is no FHIR
// and is left out.
func TestTheCapabilityStatementIsWhatIsMounted(t *testing.T) {
	with, _ := receiving(t)
	for name, b := range map[string]*bench{
		"with subscriptions": with, "without": newBench(t),
		"with HL7 V3": newBench(t, func(c *Config) { c.HL7V3, c.SystemID = "/v3", "999999990009" }),
	} {
		t.Run(name, func(t *testing.T) {
			said := stated(t, b)
			reached := map[string]bool{}
			for what, lines := range calls() {
				for _, line := range lines {
					method, path, _ := strings.Cut(line, " ")
					route, known := b.find(httptest.NewRequest(method, "/FHIR/R4"+path, nil))
					known = known && route.method == method
					assert.Equal(t, known, said[what], "%s: %s", what, line)
					if known {
						reached[route.method+" "+route.pattern] = true
					}
					delete(said, what+" ")
				}
			}
			for what := range said {
				assert.Contains(t, calls(), what, "something is stated that no call asks for")
			}
			for _, r := range b.mounted() {
				assert.True(t, reached[r.method+" "+r.pattern], "%s %s is mounted, and the statement does not say so", r.method, r.pattern)
			}
			mounted := map[string]bool{}
			for _, r := range b.mounted() {
				mounted[r.pattern] = true
			}
			for path, r := range b.routes {
				assert.True(t, r.plain || mounted[r.pattern], "%s is answered outside of the table", path)
			}
		})
	}
	assert.Equal(t, http.MethodGet, with.subscriptionRoutes()[1].method, "the first method of a path is what 405 names")
}
