package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/store"
	"signalbox/engine/stream/redistest"
	"signalbox/mesh"
)

// sharedWorld is a world whose engines share one PostgreSQL and one Redis. Its store is open for the test, to look at.
func sharedWorld(t testing.TB) *harness.World {
	t.Helper()
	w := harness.New(t, harness.Testshire())
	pg := server.Get(t)
	w.Config.Store = app.Store{URL: pg.Database(t), Lease: w.Config.Store.Lease, Password: app.Held(pg.Password())}
	w.Config.Stream.URLs = []string{redistest.Start(t, redistest.Durable()...).URL()}
	cfg := store.Default()
	cfg.URL, cfg.Password = w.Config.Store.URL, pg.Password()
	s, err := store.Open(context.Background(), cfg, nil)
	harness.Must(t, err)
	t.Cleanup(func() { harness.Must(t, s.Close()) })
	w.State.Store = s
	return w
}

// sends sends files first to last-1, each with one child.
func sends(t *testing.T, w *harness.World, box *mesh.Client, first, last int) {
	t.Helper()
	for i := first; i < last; i++ {
		w.Send(t, box, fmt.Sprint(i), upload(t, fmt.Sprint(i+1), child(harness.Number(i), fmt.Sprint("LA-", i), openPlan())))
	}
}

// asks asks one engine about a child.
func asks(t *testing.T, p *harness.Process, w *harness.World, number string) {
	t.Helper()
	q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + number}}
	at := *w
	at.FHIR = p.FHIR
	if status, body := at.Ask(t, httpClient(t), http.MethodGet, "/CareTeam?"+q.Encode(), harness.Token, nil, nil); status != http.StatusOK {
		t.Errorf("the engine answers %d: %s", status, body)
	}
}

// mail sorts what an authority received: acknowledged files and accesses told of, each with how often.
type mail struct{ files, accesses map[string]int }

func (m mail) take(t *testing.T, letters []harness.Letter) {
	t.Helper()
	for _, l := range letters {
		if l.Header.WorkflowID == "TEST_CPIS_ACK" {
			m.files[response(t, l).FileID]++
			continue
		}
		for _, a := range notification(t, l).Accesses {
			m.accesses[a.ID]++
		}
	}
}

// await receives until so many files are acknowledged and so many accesses told.
func (m mail) await(t *testing.T, w *harness.World, box *mesh.Client, files, accesses int) {
	t.Helper()
	for len(m.files) < files || len(m.accesses) < accesses {
		m.take(t, w.Receive(t, box, 1))
	}
}

func (m mail) once(t *testing.T) {
	t.Helper()
	for _, all := range []map[string]int{m.files, m.accesses} {
		for what, n := range all {
			if n != 1 {
				t.Errorf("%s was told %d times", what, n)
			}
		}
	}
}

func holdsAll(p *harness.Process) bool {
	return slices.Contains(p.Holds(), "relay") && slices.Contains(p.Holds(), "courier") && slices.Contains(p.Holds(), "reconcile") &&
		slices.Contains(p.Holds(), "mailbox/"+harness.Mailbox)
}

func awaitHolder(t *testing.T, p *harness.Process) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holdsAll(p); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the leases were not taken over: the engine holds %v", p.Holds())
		}
	}
}

// Two engines on one PostgreSQL and one Redis: whoever holds the leases is killed in the middle of the work, twice; the other takes over,
// nothing is lost and nothing happens twice.
func TestOneOfTwoEnginesIsKilled(t *testing.T) {
	w := sharedWorld(t)
	box := w.Client(t, "TESTLA01")
	got := mail{map[string]int{}, map[string]int{}}
	first := w.StartProcess(t, "first")
	awaitHolder(t, first)
	second := w.StartProcess(t, "second")
	const files = 24
	sends(t, w, box, 0, files/3)
	got.await(t, w, box, files/3, 0)
	if len(second.Holds()) != 0 {
		t.Errorf("the second engine holds %v while the first one lives", second.Holds())
	}
	for _, p := range []*harness.Process{first, second} { // both answer, whoever holds the leases
		asks(t, p, w, harness.Number(0))
	}
	sends(t, w, box, files/3, files*2/3)
	first.Kill()
	awaitHolder(t, second)
	got.await(t, w, box, files*2/3, 2)
	third := w.StartProcess(t, "first") // it comes back under its name
	sends(t, w, box, files*2/3, files)
	asks(t, second, w, harness.Number(1))
	got.await(t, w, box, files*2/3+2, 2)
	second.Kill()
	awaitHolder(t, third)
	asks(t, third, w, harness.Number(2))
	got.await(t, w, box, files, 4)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		got.take(t, w.Receive(t, box, len(left)))
	}
	got.once(t)
	w.FHIR = third.FHIR
	for i := range files {
		if _, names := careTeams(t, w, harness.Number(i), map[string]string{"IsUnscheduledAccessEvent": "false"}); len(names) != 1 {
			t.Errorf("the child of file %d is not flagged", i+1)
		}
	}
	backlog, err := w.State.Store.Backlog(context.Background())
	if harness.Must(t, err); backlog.Quarantined != 0 {
		t.Errorf("%d events in quarantine", backlog.Quarantined)
	}
	for _, p := range []*harness.Process{first, second, third} {
		if strings.Contains(p.Log.String(), "99900000") {
			t.Error("an engine logged an NHS number")
		}
	}
}

// An engine that is frozen past its leases and then goes on finds that they have gone, and does nothing twice.
func TestOneOfTwoEnginesIsFrozen(t *testing.T) {
	w := sharedWorld(t)
	box := w.Client(t, "TESTLA01")
	got := mail{map[string]int{}, map[string]int{}}
	first := w.StartProcess(t, "first")
	awaitHolder(t, first)
	second := w.StartProcess(t, "second")
	const files = 12
	sends(t, w, box, 0, 1)
	got.await(t, w, box, 1, 0)
	asks(t, first, w, harness.Number(0))
	sends(t, w, box, 1, files/2)
	first.Freeze(t)
	awaitHolder(t, second)
	sends(t, w, box, files/2, files)
	asks(t, second, w, harness.Number(0))
	got.await(t, w, box, files/2+1, 0)
	first.Thaw(t)
	got.await(t, w, box, files, 2)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		got.take(t, w.Receive(t, box, len(left)))
	}
	if got.once(t); len(got.files) != files {
		t.Errorf("%d files are acknowledged, want %d", len(got.files), files)
	}
}
