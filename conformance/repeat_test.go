package conformance_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/mesh"
)

// replyTo is what one of many callers got.
type replyTo struct {
	status int
	body   []byte
	err    error
}

// crowd sends the same request so many times at once, in turns to each address, and returns every answer.
func crowd(t testing.TB, n int, method string, addresses []string, token string, headers map[string]string, body string) []replyTo {
	t.Helper()
	client, out := httpClient(t), make([]replyTo, n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			req, err := http.NewRequest(method, addresses[i%len(addresses)], strings.NewReader(body))
			if err != nil {
				out[i].err = err
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			for k, v := range headers {
				req.Header.Set(k, v)
			}
			res, err := client.Do(req)
			if err != nil {
				out[i].err = err
				return
			}
			defer res.Body.Close()
			raw, err := io.ReadAll(res.Body)
			out[i] = replyTo{res.StatusCode, raw, err}
		})
	}
	wg.Wait()
	for _, one := range out {
		harness.Must(t, one.err)
	}
	return out
}

// same checks that all have one answer, and returns it. A 202 says only that nothing is known yet.
func same(t testing.TB, what string, all []replyTo) []byte {
	t.Helper()
	var first []byte
	for _, one := range all {
		switch {
		case one.status == http.StatusAccepted:
		case one.status != http.StatusOK:
			t.Fatalf("%s: %d %s", what, one.status, one.body)
		case first == nil:
			first = one.body
		case !bytes.Equal(first, one.body):
			t.Errorf("%s: the same id has two answers:\n%s\n%s", what, first, one.body)
		}
	}
	if first == nil {
		t.Fatalf("%s: nobody was answered", what)
	}
	return first
}

// repeated is the three ways in which a trust may say one thing twice: four accesses in all.
type repeated struct {
	look, tell, room              map[string]string
	query, attendance, encounters string
}

func newRepeated(t testing.TB) repeated {
	id := func() map[string]string {
		return map[string]string{"X-Request-ID": uuid.NewString(), "X-Correlation-ID": uuid.NewString(), "Content-Type": "application/fhir+json"}
	}
	return repeated{
		look: id(), tell: id(), room: id(),
		query:      "/CareTeam?" + url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + ada}}.Encode(),
		attendance: supplied(t, "testshire-trust-fhir/sample/attendance.json", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString()),
		encounters: supplied(t, "testshire-trust-encounters/sample/two-attendances.json", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c21", uuid.NewString(),
			"7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c22", uuid.NewString(), `"AMB"`, `"EMER"`),
	}
}

// ask sends all three, each many times at once, and returns the answers.
func (r repeated) ask(t testing.TB, n int, bases ...string) [3][]byte {
	t.Helper()
	at := func(path string) (out []string) {
		for _, b := range bases {
			out = append(out, b+path)
		}
		return out
	}
	return [3][]byte{
		same(t, "CareTeam", crowd(t, n, http.MethodGet, at(r.query), harness.Token, r.look, "")),
		same(t, "$process-message", crowd(t, n, http.MethodPost, at("/$process-message"), harness.Token, r.tell, r.attendance)),
		same(t, "transaction", crowd(t, n, http.MethodPost, at(""), harness.Token, r.room, r.encounters)),
	}
}

func (r repeated) compare(t testing.TB, when string, first, again [3][]byte) {
	t.Helper()
	for i, what := range []string{"CareTeam", "$process-message", "transaction"} {
		if !bytes.Equal(first[i], again[i]) {
			t.Errorf("%s, %s: the same id has another answer:\n%s\n%s", what, when, first[i], again[i])
		}
	}
}

// toldFour checks that an authority is told of four accesses, each once, and of nothing else.
func toldFour(t testing.TB, w *harness.World, box *mesh.Client, before map[string]int) map[string]int {
	t.Helper()
	told := maps.Clone(before)
	for len(told) < 4 {
		countTold(t, told, w.Receive(t, box, 1))
	}
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) > 0 {
		countTold(t, told, w.Receive(t, box, len(left)))
	}
	for id, n := range told {
		if n != 1 || len(told) != 4 {
			t.Errorf("of %d accesses, %s was told %d times", len(told), id, n)
		}
	}
	return told
}

func countTold(t testing.TB, told map[string]int, letters []harness.Letter) {
	t.Helper()
	for _, l := range letters {
		for _, a := range notification(t, l).Accesses {
			told[a.ID]++
		}
	}
}

// seenAs is the address at which trusts see every engine, before and after a restart: an answer says who gives it.
const seenAs = "https://signalbox.testshire.example/FHIR/R4"

// The same X-Request-ID many times at once, and again after a restart: one answer to the byte, and each access told once.
func TestARepeatIsOneAccessAlsoAtOnceAndAfterARestart(t *testing.T) {
	w := flagged(t, func(w *harness.World) { w.Config.Listen.PublicURL = seenAs })
	box, r := w.Client(t, "TESTLA01"), newRepeated(t)
	first := r.ask(t, 12, w.FHIR)
	told := toldFour(t, w, box, map[string]int{})
	w.Stop(t)
	w.Start(t)
	r.compare(t, "after a restart", first, r.ask(t, 4, w.FHIR))
	toldFour(t, w, box, told)
	noPersonalData(t, w)
}

// Two engines in processes of their own on one PostgreSQL: a repeat is one access whichever of them is asked, and a one-use token is used
// once, also when both are asked at the same moment, and when one of them was killed and came back.
func TestARepeatIsOneAccessAcrossEngines(t *testing.T) {
	w := sharedWorld(t)
	w.Config.Listen.PublicURL = seenAs
	tokenOf := w.Issuer(t)
	w.Config.FHIR.Issuers[0].OneUse = true
	first, second := w.StartProcess(t, "first"), w.StartProcess(t, "second")
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1", upload(t, "1", child(ada, "LA-1", openPlan()), child(ben, "LA-2", openPlan())))
	w.Receive(t, box, 1)
	r := newRepeated(t)
	answers := r.ask(t, 12, first.FHIR, second.FHIR)
	r.compare(t, "each engine", answers, r.ask(t, 2, first.FHIR))
	told := toldFour(t, w, box, map[string]int{})

	token := tokenOf("999900001234", "B0170")
	scheduled := map[string]string{"IsUnscheduledAccessEvent": "false"}
	let := func(n int, bases ...string) (taken int) {
		for _, one := range crowd(t, n, http.MethodGet, bases, token, scheduled, "") {
			switch one.status {
			case http.StatusOK:
				taken++
			case http.StatusUnauthorized:
			default:
				t.Errorf("a one-use token: %d %s", one.status, one.body)
			}
		}
		return taken
	}
	if n := let(12, first.FHIR+r.query, second.FHIR+r.query); n != 1 {
		t.Errorf("a one-use token was used %d times", n)
	}
	first.Kill()
	back := w.StartProcess(t, "first")
	if n := let(2, back.FHIR+r.query, second.FHIR+r.query); n != 0 {
		t.Error("a one-use token was used again after a restart")
	}
	r.compare(t, "after a restart", answers, r.ask(t, 2, back.FHIR))
	toldFour(t, w, box, told)
}
