package pipeline_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

// A bench's day is 1 January 2000 (synctest's clock), and the child is under a plan since the day before.
const plan = child + " 199912310000 999"

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012X", n) }

// settle gives everybody time to finish.
func settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// told reads the notifications that wait for the authority and returns the access ids of each.
func (b *bench) told(t *testing.T) [][]string {
	t.Helper()
	var out [][]string
	for _, body := range b.letters(t, "TEST_ACCESS") {
		n, err := cpis.DecodeNotification(body)
		must(t, err)
		ids := []string{}
		for _, a := range n.Accesses {
			ids = append(ids, a.ID)
		}
		out = append(out, ids)
	}
	return out
}

func (b *bench) history(t *testing.T, id string) []string {
	t.Helper()
	number, err := engine.ParseNHSNumber(child)
	must(t, err)
	answer, err := b.pipe.Ask(context.Background(), engine.Access{ID: id, Subject: engine.Subject{NHSNumber: number}, At: b.now(), Scheduled: true,
		By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX98", Name: "TEST SCHOOL NURSES"}}}, register.WhoLooked)
	must(t, err)
	var out []string
	for _, a := range answer.History {
		out = append(out, a.ID)
	}
	return out
}

// An emergency department looks at a child: the next who asks sees that in the history, and the social worker is told.
func TestUnscheduledCareIsRememberedAndTold(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		b.ask(t, uuid(1), false)
		settle()
		if got := b.history(t, uuid(2)); !slices.Equal(got, []string{uuid(1)}) {
			t.Errorf("history %v", got)
		}
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{uuid(1)}}) {
			t.Errorf("told %v", got)
		}
	})
}

// A school nurse looks at a child as planned: the flag is shown, nobody is told and no history grows.
func TestScheduledCareLeavesNoTrace(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		if got := b.ask(t, uuid(1), true); len(got) != 1 {
			t.Fatalf("%d flags are shown, want 1", len(got))
		}
		settle()
		if got := b.history(t, uuid(2)); len(got) != 0 {
			t.Errorf("history %v", got)
		}
		if got := b.told(t); len(got) != 0 {
			t.Errorf("told %v", got)
		}
	})
}

// The same query sent again, because its answer was lost, is answered again and counts once.
func TestARepeatedQueryIsToldOnce(t *testing.T) {
	inBubble(t, func(b *bench) { b.window = time.Minute }, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		for range 3 {
			if got := b.ask(t, uuid(1), false); len(got) != 1 {
				t.Fatalf("%d flags are shown, want 1", len(got))
			}
			time.Sleep(50 * time.Second) // into the next window
		}
		time.Sleep(2 * time.Minute)
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{uuid(1)}}) {
			t.Errorf("told %v", got)
		}
		if got := b.history(t, uuid(2)); !slices.Equal(got, []string{uuid(1)}) {
			t.Errorf("history %v", got)
		}
	})
}

// Two authorities have a plan for the child: each is told, each once, and neither of the other.
func TestTwoAuthoritiesAreEachTold(t *testing.T) {
	arrange := func(b *bench) {
		b.more = []pipeline.Route{{
			Name: "northshire", Mailbox: ours, Sender: otherLA, Workflow: "TEST_UPLOAD", Supplier: "test", Mapping: b.mapper, AcknowledgementWorkflow: "TEST_ACK", NotificationWorkflow: "TEST_ACCESS",
			Party: notify.Party{Authority: engine.Authority{ODSCode: "998", Name: "NORTHSHIRE COUNCIL", EmergencyDuty: "01632960004"}, Dialect: notify.CSV, SystemID: "999000000001"},
		}}
	}
	inBubble(t, arrange, func(t *testing.T, b *bench) {
		other := b.client(t, otherLA)
		b.upload(t, plan)
		line := child + " 199912300000 998"
		_, err := other.Send(context.Background(), mesh.Outgoing{To: ours, WorkflowID: "TEST_UPLOAD", Body: strings.NewReader(line), Size: int64(len(line))})
		must(t, err)
		settle()
		if got := b.ask(t, uuid(1), false); len(got) != 2 {
			t.Fatalf("%d flags are shown, want both authorities'", len(got))
		}
		settle()
		for who, from := range map[string]*mesh.Client{"TESTSHIRE COUNTY COUNCIL": b.la, "NORTHSHIRE COUNCIL": other} {
			letters := b.lettersTo(t, from, "TEST_ACCESS")
			if len(letters) != 1 {
				t.Fatalf("%s has %d notifications, want 1", who, len(letters))
			}
			if n, err := cpis.DecodeNotification(letters[0]); err != nil || n.Total != 1 || !bytes.Contains(letters[0], []byte(who)) {
				t.Errorf("%s: %v", who, err)
			}
		}
	})
}

// A child under two plans of one authority is one child: its social worker hears of an access once, and the trust sees both plans.
func TestTwoPlansOfOneAuthorityAreToldOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, plan, child+" 199912010000 999 "+string(engine.LookedAfter))
		settle()
		if got := b.ask(t, uuid(1), false); len(got) != 2 {
			t.Fatalf("%d flags are shown, want both plans", len(got))
		}
		settle()
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{uuid(1)}}) {
			t.Errorf("told %v", got)
		}
	})
}

// Of thirty visits the history shows the last twenty-five, newest first; the authority is told of all thirty.
func TestHistoryShowsTheLastTwentyFive(t *testing.T) {
	inBubble(t, func(b *bench) { b.window = time.Hour }, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		var want []string
		for n := range 30 {
			b.ask(t, uuid(n), false)
			time.Sleep(time.Second)
			want = append([]string{uuid(n)}, want...)
		}
		if got := b.history(t, uuid(99)); !slices.Equal(got, want[:25]) {
			t.Errorf("history %v", got)
		}
		b.leap(time.Hour)
		if got := b.told(t); len(got) != 1 || len(got[0]) != 30 {
			t.Errorf("told %v", got)
		}
	})
}

// An authority that wants to hear of each access at once gets one notification for each, and waits for no window.
func TestAnUrgentAuthorityIsToldEachAccessAtOnce(t *testing.T) {
	urgent := func(r *pipeline.Route) { r.Party.Urgent = true }
	inBubble(t, func(b *bench) { b.window, b.route = time.Hour, urgent }, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		for n := range 3 {
			b.ask(t, uuid(n), false)
		}
		settle()
		got := b.told(t)
		slices.SortFunc(got, slices.Compare)
		if fmt.Sprint(got) != fmt.Sprint([][]string{{uuid(0)}, {uuid(1)}, {uuid(2)}}) {
			t.Errorf("told %v", got)
		}
	})
}

// Where it is configured, an authority that nobody asked about for a day gets a valid notification of nothing. It is no news: it tells of no
// child, nobody waits for its collection, and it is not sent beside a real one.
func TestAnEmptyNotificationAlertsNobody(t *testing.T) {
	daily := func(r *pipeline.Route) { r.EmptyAfter = 24 * time.Hour }
	inBubble(t, func(b *bench) { b.route = daily }, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		b.leap(time.Minute)
		if got := b.told(t); fmt.Sprint(got) != "[[]]" {
			t.Fatalf("told %v, want one notification of nothing", got)
		}
		b.leap(23 * time.Hour)
		b.ask(t, uuid(1), false)
		settle()
		for range 4 { // until 23 hours after the real one
			b.leap(23 * time.Hour / 4)
		}
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{}, {uuid(1)}}) {
			t.Fatalf("told %v", got)
		}
		b.leap(2 * time.Hour)
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{}, {uuid(1)}, {}}) {
			t.Errorf("told %v", got)
		}
		waiting, err := b.store.Uncollected(context.Background())
		must(t, err)
		for _, u := range waiting {
			if u.Kind == store.EmptyNotification {
				t.Error("the engine waits for the collection of a notification of nothing")
			}
		}
		raw := b.letters(t, "TEST_ACCESS")[0]
		if n, err := cpis.DecodeNotification(raw); err != nil || n.Total != 0 {
			t.Errorf("total %+v, %v", n, err)
		}
	})
}

// An authority that reads CSV is told in our own CSV.
func TestAnAuthorityThatReadsCSVIsToldInCSV(t *testing.T) {
	inCSV := func(r *pipeline.Route) { r.Party.Told = notify.CSV }
	inBubble(t, func(b *bench) { b.route = inCSV }, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		b.ask(t, uuid(1), false)
		settle()
		letters := b.letters(t, "TEST_ACCESS")
		if len(letters) != 1 {
			t.Fatalf("%d notifications", len(letters))
		}
		rows, err := csv.NewReader(bytes.NewReader(letters[0])).ReadAll()
		must(t, err)
		if len(rows) != 2 || rows[1][0] != uuid(1) || rows[1][2] != child || rows[1][3] != "L"+child || rows[1][6] != "RXX99" {
			t.Errorf("rows %q", rows)
		}
		if name := b.mesh.Inbox(la)[0].FileName; !strings.HasSuffix(name, ".csv") && !strings.HasSuffix(b.mesh.Inbox(la)[1].FileName, ".csv") {
			t.Errorf("file name %s", name)
		}
	})
}

// collect takes everything out of the authority's mailbox.
func (b *bench) collect(t *testing.T) {
	t.Helper()
	for id, err := range b.la.List(context.Background(), mesh.ListOptions{}) {
		must(t, err)
		in, err := b.la.Get(context.Background(), id)
		must(t, err)
		_, err = io.Copy(io.Discard, in)
		must(t, err)
		must(t, in.Close())
		must(t, b.la.Acknowledge(context.Background(), id))
	}
}

func (b *bench) deliveries(t *testing.T) []store.Delivery {
	t.Helper()
	all, err := b.store.Deliveries(context.Background(), "", time.Time{}, false)
	must(t, err)
	return all
}

// A notification is followed until the authority has taken it out of its mailbox; then MESH is asked no more.
func TestANotificationIsFollowedUntilItIsCollected(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		b.ask(t, uuid(1), false)
		settle()
		b.leap(time.Hour)
		if d := b.deliveries(t); len(d) != 1 || d[0].Accesses != 1 || !d[0].Collected.IsZero() {
			t.Fatalf("before it is collected: %+v", d)
		}
		b.collect(t)
		b.leap(2 * time.Hour)
		if d := b.deliveries(t); len(d) != 1 || d[0].Collected.IsZero() || d[0].State != store.Sent {
			t.Errorf("after it is collected: %+v", d)
		}
		if u, err := b.store.Uncollected(context.Background()); err != nil || len(u) != 0 {
			t.Errorf("still waits: %+v, %v", u, err)
		}
		if b.said.count("message not collected") != 0 {
			t.Error("an alarm was raised")
		}
	})
}

// An authority does not read its mailbox. After four days that is an error in the log, once; after five MESH gives the notification up, and
// the access is told again, once, with the same id, until it is collected.
func TestAnUncollectedNotificationIsToldAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.upload(t, plan)
		settle()
		b.collect(t) // the acknowledgement
		b.ask(t, uuid(1), false)
		settle()
		for range 15 { // three days and eighteen hours
			b.leap(6 * time.Hour)
		}
		if n := b.said.count("message not collected"); n != 0 {
			t.Fatalf("%d alarms within four days", n)
		}
		for range 3 {
			b.leap(6 * time.Hour)
		}
		if n := b.said.count("message not collected"); n != 1 {
			t.Fatalf("%d alarms after four days, want 1", n)
		}
		for range 4 {
			b.leap(6 * time.Hour)
		}
		d := b.deliveries(t)
		if len(d) != 2 || d[0].State != store.Undelivered || d[1].State != store.Sent || d[1].Round != 1 || d[1].Accesses != 1 || d[0].Accesses != 0 {
			t.Fatalf("after five days: %+v", d)
		}
		if !d[1].Since.Equal(d[0].Since) || d[1].Alarmed.IsZero() {
			t.Errorf("the second does not know how long the authority has waited: %+v", d[1])
		}
		if got := b.told(t); fmt.Sprint(got) != fmt.Sprint([][]string{{uuid(1)}}) {
			t.Fatalf("in the mailbox: %v", got)
		}
		b.collect(t)
		for range 4 {
			b.leap(6 * time.Hour)
		}
		if d := b.deliveries(t); len(d) != 2 || d[1].Collected.IsZero() {
			t.Errorf("after it is collected: %+v", d)
		}
		if got := b.told(t); len(got) != 0 {
			t.Errorf("told twice: %v", got)
		}
	})
}

// An authority finds out from its mailbox which of its children no hospital sees, and the child leaves the list when the record is mended.
func TestTheNotProtectedListComesAndAChildLeavesIt(t *testing.T) {
	daily := func(r *pipeline.Route) {
		r.NotProtectedEvery, r.NotProtectedWorkflow = 24*time.Hour, "TEST_NOT_PROTECTED"
	}
	inBubble(t, func(b *bench) { b.route = daily }, func(t *testing.T, b *bench) {
		list := func() [][]string {
			t.Helper()
			letters := b.letters(t, "TEST_NOT_PROTECTED")
			if len(letters) == 0 {
				t.Fatal("no list came")
			}
			rows, err := csv.NewReader(bytes.NewReader(letters[len(letters)-1])).ReadAll()
			must(t, err)
			return rows[1:]
		}
		settle()
		if rows := list(); len(rows) != 0 {
			t.Fatalf("before anything was sent: %q", rows)
		}
		b.upload(t, child+" 199912310000 998") // in another authority's name
		settle()
		b.leap(24 * time.Hour)
		if got := b.ask(t, uuid(1), true); len(got) != 0 {
			t.Fatal("the child is shown")
		}
		rows := list()
		if len(rows) != 1 || rows[0][0] != child || rows[0][1] != "L"+child || rows[0][4] != notify.WhyRejected || rows[0][8] != "1" {
			t.Fatalf("the list: %q", rows)
		}
		b.upload(t, plan)
		settle()
		b.leap(24 * time.Hour)
		if got := b.ask(t, uuid(2), true); len(got) != 1 {
			t.Fatal("the child is not shown")
		}
		if rows := list(); len(rows) != 0 {
			t.Errorf("after the record was mended: %q", rows)
		}
		if n := len(b.letters(t, "TEST_NOT_PROTECTED")); n != 3 {
			t.Errorf("%d lists in three days", n)
		}
	})
}
