package day

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/mesh"
)

// askers is how many settings ask at the same time.
const askers = 8

// job is one question.
type job func() error

// crowd runs jobs from so many askers; what goes wrong is noted, and the others go on.
type crowd struct {
	jobs chan job
	wg   sync.WaitGroup
	done atomic.Int64
}

func (d *day) crowd() *crowd {
	c := &crowd{jobs: make(chan job)}
	for range askers {
		c.wg.Go(func() {
			for j := range c.jobs {
				if err := j(); err != nil {
					d.m.mu.Lock()
					d.m.blame("%v", err)
					d.m.mu.Unlock()
				}
				c.done.Add(1)
			}
		})
	}
	return c
}

func (c *crowd) finish() {
	close(c.jobs)
	c.wg.Wait()
}

// through is the day: authorities send their changes while settings ask, and then they ask on. The engine is killed in both.
func (d *day) through(t *testing.T) {
	busy := d.crowd()
	half, kills := d.size.queries/2, d.size.kills*3/8
	for i := range half {
		busy.jobs <- d.question()
		if kills > 0 && i%(half/(kills+1)+1) == half/(kills+1) {
			d.kill(t)
			d.start(t)
		}
		if i%max(1, half/(4*len(d.m.las))) == 0 {
			d.sendNext(t)
		}
	}
	busy.finish()
	d.until(t, "the day's files", func() bool { d.sendNext(t); acks, _ := d.m.waiting(); return acks == 0 && d.allSent() })
	d.await(t)
	calm := d.crowd()
	for i := range d.size.queries - half {
		calm.jobs <- d.question()
		if kills > 0 && i%(half/(kills+1)+1) == half/(kills+1) {
			d.kill(t)
			d.start(t)
		}
	}
	calm.finish()
}

// sendNext lets one authority send its next file: once the last was answered, or at once where it does not wait.
func (d *day) sendNext(t *testing.T) {
	var ready []*authority
	d.m.mu.Lock()
	for _, la := range d.m.las {
		if la.sent < len(la.files) && (la.acked == la.sent || la.index%12 == 11) {
			ready = append(ready, la)
		}
	}
	d.m.mu.Unlock()
	if len(ready) == 0 {
		return
	}
	la := ready[d.rng.IntN(len(ready))]
	d.send(t, la)
	if la.index%12 == 11 && la.sent < len(la.files) {
		d.send(t, la)
	}
}

func (d *day) allSent() bool {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for _, la := range d.m.las {
		if la.sent < len(la.files) {
			return false
		}
	}
	return true
}

// question makes the next question: who asks about whom, how, and what is wrong with it.
func (d *day) question() job {
	who := d.m.people[d.rng.IntN(len(d.m.people))].number
	switch draw := d.rng.IntN(100); {
	case draw < 5:
		who = d.m.strangers[d.rng.IntN(len(d.m.strangers))].number
	case draw < 20:
		who = d.m.people[d.rng.IntN(2)].number // seen everywhere
	}
	s := d.m.settings[d.next[who]%len(d.m.settings)]
	if d.rng.IntN(100) < 3 && d.next[who] < len(d.m.settings) {
		d.next[who]++
		wrong := d.rng.IntN(len(wrongs))
		return func() error { return d.refused(s, who, wrongs[wrong]) }
	}
	scheduled, repeat := d.rng.IntN(100) < 30 || d.next[who] >= len(d.m.settings), d.rng.IntN(20) == 0
	if !scheduled {
		d.next[who]++
	}
	way := ways[d.rng.IntN(len(ways))]
	switch {
	case s.sends:
		way, scheduled = "message", false
		if d.next[who]++; d.next[who] > len(d.m.settings) {
			return func() error { return nil }
		}
	case scheduled && way == "message":
		way = "CareTeam"
	}
	return func() error { return d.x.look(s, who, way, scheduled, repeat) }
}

// wrong is a question that has to be refused, and leaves no trace.
type wrong struct {
	name   string
	status int
	ask    func(x *trust, s *setting, number string) (int, []byte, error)
}

var wrongs = []wrong{
	{"a number with the wrong check digit", http.StatusBadRequest, func(x *trust, s *setting, number string) (int, []byte, error) {
		return x.search("CareTeam", wrongDigit(number), s.token, nil)
	}},
	{"a token that nobody has", http.StatusUnauthorized, func(x *trust, _ *setting, number string) (int, []byte, error) {
		return x.search("PatientFlag", number, "somebody-elses-token", nil)
	}},
	{"a header that says neither", http.StatusBadRequest, func(x *trust, s *setting, number string) (int, []byte, error) {
		return x.search("CareTeam", number, s.token, map[string]string{"IsUnscheduledAccessEvent": "perhaps"})
	}},
	{"no number", http.StatusBadRequest, func(x *trust, s *setting, _ string) (int, []byte, error) {
		return x.call(http.MethodGet, x.base+"/PatientFlag", s.token, nil, "")
	}},
	{"a message cut short", http.StatusBadRequest, func(x *trust, s *setting, _ string) (int, []byte, error) {
		return x.call(http.MethodPost, x.base+"/$process-message", s.token, map[string]string{"Content-Type": "application/fhir+json"}, x.message[:len(x.message)/2])
	}},
	{"a query in HL7 V3 without a number", http.StatusBadRequest, func(x *trust, s *setting, number string) (int, []byte, error) {
		query := strings.Replace(queryMessage("3C4C0AEF-3537-44C4-A8B5-F0C313603458", number, s.ods, time.Now()), `extension="`+number+`"`, `extension=""`, 1)
		return x.call(http.MethodPost, x.hl7v3, s.token, map[string]string{"Content-Type": "text/xml"}, query)
	}},
}

// refused asks wrongly. Who may only send is told so first.
func (d *day) refused(s *setting, number string, how wrong) error {
	status, body, err := how.ask(d.x, s, number)
	if err != nil {
		return err
	}
	want := how.status
	if s.sends && want == http.StatusBadRequest && !strings.Contains(how.name, "message") {
		want = http.StatusForbidden
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	d.m.checked.refusedQueries++
	if status != want {
		d.m.blame("%s is answered with %d, want %d", how.name, status, want)
	}
	if strings.Contains(string(body), number) || strings.Contains(string(body), wrongDigit(number)) {
		d.m.blame("%s: the refusal repeats the number", how.name)
	}
	if !strings.Contains(how.name, "HL7") && !strings.Contains(string(body), "OperationOutcome") {
		d.m.blame("%s: the refusal is no OperationOutcome", how.name)
	}
	return nil
}

// evening asks about everybody, by a scheduled access that tells nobody, and for the history of everybody who was looked at.
func (d *day) evening(t *testing.T) {
	asks := d.m.settings[0]
	c := d.crowd()
	for _, p := range append(append([]*person(nil), d.m.people...), d.m.strangers...) {
		c.jobs <- func() error {
			seen := d.m.open(p.number)
			status, body, err := d.x.search("CareTeam", p.number, asks.token, headers("", true))
			if err != nil || status != http.StatusOK {
				return fmt.Errorf("the evening's question: %d, %w", status, err)
			}
			got, err := readSearch("CareTeam", body)
			if err != nil {
				return err
			}
			d.m.judge(p.number, seen, got)
			d.m.mu.Lock()
			d.m.checked.states++
			d.m.mu.Unlock()
			return nil
		}
	}
	d.m.mu.Lock()
	var looked []string
	for number := range d.m.looks {
		looked = append(looked, number)
	}
	d.m.mu.Unlock()
	for _, number := range looked {
		c.jobs <- func() error {
			status, body, err := d.x.search("AuditEvent", number, asks.token, headers("", true))
			if err != nil || status != http.StatusOK {
				return fmt.Errorf("the evening's history: %d, %w", status, err)
			}
			got, err := readHistory(body)
			if err == nil {
				d.m.judgeHistory(number, got)
			}
			return err
		}
	}
	c.finish()
}

// collect empties the authorities' mailboxes until the day is over.
func (d *day) collect(t *testing.T) {
	t.Helper()
	const collectors = 4
	for c := range collectors {
		var boxes []*mesh.Client
		for i := c; i < len(d.m.las); i += collectors {
			boxes = append(boxes, d.w.Client(t, d.m.las[i].mailbox))
		}
		d.workers.Go(func() {
			for {
				for _, box := range boxes {
					if err := d.empty(box); err != nil {
						d.m.mu.Lock()
						d.m.blame("a mailbox: %v", err)
						d.m.mu.Unlock()
					}
				}
				select {
				case <-d.stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	var once sync.Once
	t.Cleanup(func() { // where the test ends early
		once.Do(func() {
			select {
			case <-d.stop:
			default:
				close(d.stop)
			}
			d.workers.Wait()
		})
	})
}

// empty takes what an authority has received.
func (d *day) empty(box *mesh.Client) error {
	if len(d.w.Mesh.Inbox(box.MailboxID())) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	la := d.m.byBox[box.MailboxID()]
	for id, err := range box.List(ctx, mesh.ListOptions{}) {
		if err != nil {
			return err
		}
		in, err := box.Get(ctx, id)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(in)
		in.Close()
		if err == nil {
			err = box.Acknowledge(ctx, id)
		}
		if err != nil {
			return err
		}
		d.m.mu.Lock()
		switch in.Header.WorkflowID {
		case "TEST_CPIS_ACK":
			d.m.acknowledged(la, body)
		case "TEST_CPIS_ACCESS":
			d.m.notified(la, body)
		default:
			d.m.blame("%s received a message of a workflow that is not its own", la.name)
		}
		d.m.mu.Unlock()
	}
	return nil
}
