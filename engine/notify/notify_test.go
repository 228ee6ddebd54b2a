package notify

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB) *store.Store {
	t.Helper()
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	s, err := store.Open(ctx, cfg, time.Now)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func testshire() Party {
	return Party{
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", OfficeHours: "01632960001", EmergencyDuty: "01632960002"},
		Dialect:   CPISXML, SystemID: "999000000001",
	}
}

func flag(t testing.TB, fileID, localID string) engine.Envelope {
	t.Helper()
	n, err := engine.ParseNHSNumber("9990000018")
	must(t, err)
	start, err := engine.NewDate(2026, 9, 1)
	must(t, err)
	e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: "mesh/A/B", Message: engine.NewMessageID("mesh/A/B", fileID), Position: 1})
	e.Flag = &engine.Flag{
		Subject: engine.Subject{NHSNumber: n, BirthDate: start}, Plan: engine.Plan{Type: engine.ChildProtection, Start: start},
		Authority: testshire().Authority, FileID: fileID, LocalID: engine.Personal(localID),
	}
	return e
}

func access(f engine.Envelope, id string, by engine.Actor) engine.Envelope {
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/x", Message: engine.NewMessageID("fhir/x", id)})
	e.Access = &engine.Access{ID: id, Subject: f.Flag.Subject, At: time.Date(2026, 10, 1, 4, 22, 33, 0, time.UTC), By: by}
	return e
}

// gather tells the party of the accesses and returns the notification that was planned.
func gather(t testing.TB, s *store.Store, f engine.Envelope, accesses ...engine.Envelope) *cpis.NotificationSummary {
	t.Helper()
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddFact(f); err != nil {
			return err
		}
		for _, a := range accesses {
			if err := tx.AddFact(a); err != nil {
				return err
			}
			if err := tx.PutNotice(store.Notice{Authority: "999", Access: a, Flag: f}); err != nil {
				return err
			}
		}
		n, err := Gather(tx, testshire())
		if err == nil && n != len(accesses) {
			t.Errorf("told of %d accesses, want %d", n, len(accesses))
		}
		return err
	}))
	due, err := s.DueEffects(ctx, 10)
	must(t, err)
	if len(due) != 1 {
		t.Fatalf("%d notifications are planned", len(due))
	}
	n, err := cpis.DecodeNotification(due[0].Body)
	must(t, err)
	must(t, s.MarkSent(ctx, due[0].ID, "MESH"))
	return n
}

func TestNotificationNamesWhoLooked(t *testing.T) {
	organisation := engine.Organisation{ODSCode: "RXX99", Name: "TEST EMERGENCY DEPARTMENT"}
	full := engine.Person{UserID: "555012345678", RoleCode: "R0260", RoleName: "General Medical Practitioner", Name: "Dr Eve Clinician"}
	nameless := full
	nameless.Name = ""
	for name, tc := range map[string]struct {
		by             engine.Actor
		person, device string
	}{
		"a person":                           {engine.Actor{Person: &full, DeviceID: "999000000002", Organisation: organisation}, "Dr Eve Clinician", ""},
		"a system":                           {engine.Actor{DeviceID: "999000000002", Organisation: organisation}, "", "999000000002"},
		"a person without a name":            {engine.Actor{Person: &nameless, DeviceID: "999000000002", Organisation: organisation}, "", "999000000002"},
		"nobody in full":                     {engine.Actor{Person: &nameless, Organisation: organisation}, "", "999000000001"},
		"a system with an id of its own":     {engine.Actor{DeviceID: "urn:x", Organisation: organisation}, "", "999000000001"},
		"an organisation without a name":     {engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX99"}}, "", "999000000002"},
		"a name that XML cannot carry":       {engine.Actor{Person: &engine.Person{UserID: "1", RoleCode: "R 1", RoleName: "Ro\x01le", Name: "E\x00ve"}, Organisation: organisation}, "Eve", ""},
		"an organisation name with a bell\a": {engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX99", Name: "A\aB"}}, "", "999000000002"},
	} {
		t.Run(name, func(t *testing.T) {
			f := flag(t, "1042", "LA-1001")
			n := gather(t, open(t), f, access(f, "3c4c0aef-3537-44c4-a8b5-f0c313603458", tc.by))
			got := n.Accesses[0]
			if got.Person != tc.person || got.Device != tc.device || got.Organisation != "RXX99" || got.FileID != "1042" || got.LocalID != "LA-1001" {
				t.Errorf("told: %+v", got)
			}
			if got.ID != "3C4C0AEF-3537-44C4-A8B5-F0C313603458" {
				t.Errorf("the query's UUID is %s", got.ID)
			}
		})
	}
}

// Whatever a source brings, one odd access never holds up the others: every notification can be written and read back.
func TestAnyAccessCanBeTold(t *testing.T) {
	s := open(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		text := rapid.String()
		f := flag(t, fmt.Sprint(round), text.Draw(rt, "local id"))
		f.Flag.FileID = text.Draw(rt, "file id")
		var all []engine.Envelope
		for i := range rapid.IntRange(1, 4).Draw(rt, "accesses") {
			by := engine.Actor{DeviceID: text.Draw(rt, "device"), Organisation: engine.Organisation{ODSCode: "RXX99", Name: text.Draw(rt, "organisation")}}
			if rapid.Bool().Draw(rt, "person") {
				by.Person = &engine.Person{UserID: text.Draw(rt, "user"), RoleCode: text.Draw(rt, "role"), RoleName: text.Draw(rt, "role name"),
					RoleProfile: text.Draw(rt, "profile"), Name: engine.Personal(text.Draw(rt, "name"))}
			}
			all = append(all, access(f, fmt.Sprintf("%d-%d-%s", round, i, text.Draw(rt, "id")), by))
		}
		if n := gather(t, s, f, all...); len(n.Accesses) != len(all) {
			rt.Fatalf("told of %d of %d", len(n.Accesses), len(all))
		}
	})
}

func TestNothingToTellPlansNothing(t *testing.T) {
	s := open(t)
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		n, err := Gather(tx, testshire())
		if n != 0 {
			t.Errorf("told of %d accesses", n)
		}
		return err
	}))
	if due, err := s.DueEffects(ctx, 1); err != nil || len(due) != 0 {
		t.Errorf("%d notifications are planned, %v", len(due), err)
	}
}

func TestEffectIDs(t *testing.T) {
	id := EffectID(store.Notification, "cause")
	if id != EffectID(store.Notification, "cause") || id == EffectID(store.Acknowledgement, "cause") || id == EffectID(store.Notification, "other") {
		t.Error("effect ids are not one to a cause")
	}
	if len(id) > 300 || strings.ContainsAny(id, "/\\ .") {
		t.Errorf("%q is not fit to be a local id and a file name", id)
	}
}

func fault(record int, rule, text string) store.Fault {
	return store.Fault{Outcome: engine.Rejected, Error: engine.Error{Rule: rule, Text: text, Place: engine.Place{Record: record, Path: "column dob", Line: record + 1, Column: 3}}}
}

// listed is a list as the record gives it.
func listed[T any](all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	}
}

func TestAcknowledgeCSV(t *testing.T) {
	var raw bytes.Buffer
	must(t, acknowledgeCSV(&raw, &report{
		file:   []store.Fault{fault(0, "record-count", "one too few")},
		faults: newCursor(listed(fault(2, "date", "no such day, \"really\""), fault(2, "nhs-number", "fails"), fault(3, "type", "left empty"))),
		stands: newCursor(listed(1, 3)),
	}))
	rows, err := csv.NewReader(strings.NewReader(raw.String())).ReadAll()
	must(t, err)
	want := [][]string{
		{"row", "status", "rule", "where", "reason"},
		{"0", "rejected", "record-count", "column dob, line 1:3", "one too few"},
		{"1", "accepted", "", "", ""},
		{"2", "rejected", "date; nhs-number", "column dob, line 3:3; column dob, line 3:3", "no such day, \"really\"; fails"},
		{"3", "accepted", "type", "column dob, line 4:3", "left empty"},
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) || !strings.Contains(raw.String(), "\r\n") {
		t.Errorf("got %v", rows)
	}
}

func TestFileCode(t *testing.T) {
	wrong := report{file: []store.Fault{fault(0, "record-count", "x")}}
	for name, tc := range map[string]struct {
		valid, invalid int
		report         report
		unreadable     bool
		want           cpis.FileCode
	}{
		"all stand":                {2, 0, report{}, false, cpis.FileAccepted},
		"some stand":               {1, 1, report{}, false, cpis.FilePartial},
		"none stands":              {0, 1, report{}, false, cpis.FileUnsuccessful},
		"all stand, count is off":  {1, 0, wrong, false, cpis.FilePartial},
		"no record could be read":  {0, 0, wrong, false, cpis.FileError},
		"the header is unreadable": {0, 0, wrong, true, cpis.FileError},
	} {
		if got := tc.report.fileCode(tc.valid, tc.invalid, !tc.unreadable); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
