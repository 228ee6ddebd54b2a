package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
)

func date(t testing.TB, text string) engine.Date {
	t.Helper()
	d, err := engine.MustLayout(engine.LayoutHL7).Parse(text)
	require.NoError(t, err)
	return d
}

func number(t testing.TB) engine.NHSNumber {
	t.Helper()
	n, err := engine.ParseNHSNumber(child)
	require.NoError(t, err)
	return n
}

// flags: two authorities, three plans, one of them ended.
func flags(t testing.TB) []engine.Flag {
	t.Helper()
	north := engine.Authority{ODSCode: "TSTLA1", Name: "Northshire Council", OfficeHours: "01632960001", EmergencyDuty: "01632960002"}
	test := engine.Authority{ODSCode: "TSTLA2", Name: "Testshire Council", EmergencyDuty: "01632960003"}
	s := engine.Subject{NHSNumber: number(t), Given: "Robin", Family: "Sample"}
	return []engine.Flag{
		{Subject: s, Authority: north, Plan: engine.Plan{Type: engine.ChildProtection, Start: date(t, "202601120930")}},
		{Subject: s, Authority: north, Plan: engine.Plan{Type: engine.LookedAfter, Start: date(t, "202405010000"), End: date(t, "202512310000")}},
		{Subject: s, Authority: test, Plan: engine.Plan{Type: engine.UnbornChildProtection, Start: date(t, "202602010000"), End: date(t, "202607150000")}},
	}
}

func history(t testing.TB) []engine.Access {
	t.Helper()
	trust := engine.Organisation{ODSCode: "TST01", Name: "Testshire Hospitals NHS Trust"}
	return []engine.Access{
		{ID: "2e5d9f84-3a0c-4f66-a4c5-9d3f0b8e6b03", Subject: engine.Subject{NHSNumber: number(t)}, At: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
			By: engine.Actor{Organisation: trust, DeviceID: "999999990001", Person: &engine.Person{UserID: "999900001234", RoleCode: "R0260", RoleName: "General Medical Practitioner", Name: "Dr Casey Invented"}}},
		{ID: "not a uuid", Subject: engine.Subject{NHSNumber: number(t)}, At: time.Date(2025, 7, 1, 23, 30, 0, 0, time.FixedZone("", 3600)),
			By: engine.Actor{Organisation: trust, DeviceID: "999999990001"}},
	}
}

// recorded are the times at which the files of flags came.
func recorded() []time.Time {
	first := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	return []time.Time{first.Add(time.Hour), first, first.Add(24 * time.Hour)}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, got, "", "  "))
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, pretty.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), pretty.String())
}

func TestGoldenAnswers(t *testing.T) {
	for name, line := range map[string]string{"careteam.json": careTeam, "auditevent.json": auditEvent, "patientflag.json": patientFlag} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.desk.flags, b.desk.history, b.desk.recorded = flags(t), history(t), recorded()
			w := b.call(line, "", "TraceID: "+traceID)
			require.Equal(t, 200, w.Code)
			sound(t, w)
			assert.NotContains(t, w.Body.String(), `"profile"`, "resources carry no meta.profile")
			assert.NotContains(t, w.Body.String(), "999900001234", "the user's id stays inside")
			golden(t, name, w.Body.Bytes())
			again := b.call(line, "", "TraceID: "+traceID)
			assert.Equal(t, w.Body.String(), again.Body.String(), "a repeat gets the same answer")
		})
	}
}

func TestNoneIsAnEmptySearchset(t *testing.T) {
	for _, line := range []string{careTeam, auditEvent, patientFlag} {
		b := newBench(t)
		w := b.call(line, "")
		assert.Equal(t, 200, w.Code)
		sound(t, w)
		assert.JSONEq(t, `{"resourceType":"Bundle","type":"searchset","total":0}`, w.Body.String())
	}
}

// TestEveryPlanAndTelephoneIsThere is the promise of the answer, whichever way it was asked for.
func TestEveryPlanAndTelephoneIsThere(t *testing.T) {
	b := newBench(t)
	b.desk.flags = flags(t)
	moved := b.desk.flags[0] // the same authority with another number for another plan
	moved.Plan.Type, moved.Authority.EmergencyDuty = engine.UnbornChildProtection, "01632960009"
	b.desk.flags = append(b.desk.flags, moved)
	for _, line := range []string{careTeam, patientFlag} {
		w := b.call(line, "")
		doc := sound(t, w)
		for _, f := range b.desk.flags {
			code, _ := snomed(f.Plan.Type)
			assert.Contains(t, w.Body.String(), code)
			assert.Contains(t, w.Body.String(), `"`+f.Authority.EmergencyDuty+`"`)
			if f.Authority.OfficeHours != "" {
				assert.Contains(t, w.Body.String(), `"`+f.Authority.OfficeHours+`"`)
			}
			assert.Contains(t, w.Body.String(), f.Authority.Name)
		}
		urls := strings.Fields(values(t, doc, "Bundle.entry.fullUrl"))
		seen := map[string]bool{}
		for _, u := range urls {
			assert.False(t, seen[u], "fullUrl twice")
			seen[u] = true
		}
	}
	doc := sound(t, b.call(patientFlag, ""))
	assert.Equal(t, "1", values(t, doc, "Bundle.total"))
	plans := strings.Fields(values(t, doc, "Bundle.entry.resource.ofType(Flag).extension('http://hl7.org/fhir/StructureDefinition/flag-detail').value.resolve().ofType(CarePlan).category.coding.code"))
	assert.Len(t, plans, 4, "every flag-detail leads to its plan")
	teams := strings.Fields(values(t, doc, "Bundle.entry.resource.ofType(CarePlan).careTeam.resolve().ofType(CareTeam).telecom.where(use = 'mobile').value"))
	assert.Equal(t, []string{"01632960002", "01632960002", "01632960003", "01632960009"}, teams)
	assert.Equal(t, "2024-05-01", values(t, doc, "Bundle.entry.resource.ofType(Flag).period.start"))
}

func TestHistoryIsAtMost25(t *testing.T) {
	b := newBench(t)
	for i := range 40 {
		a := history(t)[0]
		a.ID = fmt.Sprintf("a%d", i)
		b.desk.history = append(b.desk.history, a)
	}
	doc := sound(t, b.call(auditEvent, ""))
	assert.Equal(t, "25", values(t, doc, "Bundle.total"))
	assert.Len(t, strings.Fields(values(t, doc, "Bundle.entry.fullUrl")), 50)
	doc = sound(t, b.call(strings.Split(auditEvent, "&")[0], ""))
	assert.Len(t, strings.Fields(values(t, doc, "Bundle.entry.fullUrl")), 25, "roles come only when asked for")
}
