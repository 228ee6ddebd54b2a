package conformance_test

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/hook"
	"signalbox/engine/pipeline"
)

const (
	topic         = "https://signalbox.testshire.example/SubscriptionTopic/access-to-service"
	receiverToken = "receiver-token"
	receiverKey   = "a key of more than thirty-two bytes, for tests"
)

// receiver is an authority's system that takes notifications over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	mode  string // "": takes them; "drop": reads them and hangs up; "500": refuses them
	posts []posted
}

type posted struct {
	header http.Header
	body   string
	mode   string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	mode := r.mode
	r.posts = append(r.posts, posted{header: req.Header.Clone(), body: string(body), mode: mode})
	r.mu.Unlock()
	switch mode {
	case "drop":
		panic(http.ErrAbortHandler)
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (r *receiver) turn(mode string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = mode
}

// event is what the receiver reads of a post.
type event struct {
	kind, status string
	numbers      []string
	persons      []string // NHS numbers in full resources
	focus        []string
}

func readNotification(t testing.TB, body string) event {
	t.Helper()
	var b struct {
		Type  string
		Entry []struct {
			Resource struct {
				ResourceType string
				Parameter    []struct {
					Name, ValueCode string
					Part            []struct {
						Name, ValueString string
						ValueReference    struct{ Reference string }
					}
				}
				Entity []struct {
					What struct{ Identifier struct{ Value string } }
				}
			}
		}
	}
	harness.Must(t, json.Unmarshal([]byte(body), &b))
	if b.Type != "history" || len(b.Entry) == 0 || b.Entry[0].Resource.ResourceType != "Parameters" {
		t.Fatalf("no notification: %s", body)
	}
	var out event
	for _, p := range b.Entry[0].Resource.Parameter {
		switch p.Name {
		case "type":
			out.kind = p.ValueCode
		case "status":
			out.status = p.ValueCode
		case "notification-event":
			for _, part := range p.Part {
				if part.Name == "event-number" {
					out.numbers = append(out.numbers, part.ValueString)
				}
				if part.Name == "focus" {
					out.focus = append(out.focus, part.ValueReference.Reference)
				}
			}
		}
	}
	for _, e := range b.Entry[1:] {
		if e.Resource.ResourceType == "AuditEvent" {
			out.persons = append(out.persons, e.Resource.Entity[0].What.Identifier.Value)
		}
	}
	return out
}

// events returns the posts that told of accesses, once n of them or more are there.
func (r *receiver) events(t testing.TB, n int) []posted {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var out []posted
		r.mu.Lock()
		all := append([]posted(nil), r.posts...)
		r.mu.Unlock()
		for _, p := range all {
			if readNotification(t, p.body).kind == "event-notification" {
				out = append(out, p)
			}
		}
		if len(out) >= n {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("the receiver was told %d times, want %d", len(out), n)
		}
	}
}

// subscribed is a world in which Testshire's system may subscribe.
func subscribed(t testing.TB, r *receiver, change func(*harness.World)) *harness.World {
	return flagged(t, func(w *harness.World) {
		w.Config.Listen.PublicURL = "https://signalbox.testshire.example/FHIR/R4"
		w.Config.Subscriptions = app.Subscriptions{Topic: topic, Receivers: []app.Receiver{{Name: "testshire-eds", Authority: "999",
			Token: app.Held(receiverToken), Key: app.Held(receiverKey), Endpoints: []string{r.URL + "/notify"}, Private: true, Insecure: true}}}
		w.Rhythm = func(c *pipeline.Config) {
			c.HookTries, c.Retry.Base, c.Retry.Max = 12, 5*time.Millisecond, 40*time.Millisecond
		}
		if change != nil {
			change(w)
		}
	})
}

func subscribe(t testing.TB, w *harness.World, endpoint, content string) (int, string, string) {
	t.Helper()
	body := fmt.Sprintf(`{"resourceType":"Subscription","status":"requested","reason":"access notifications","criteria":%q,
		"channel":{"type":"rest-hook","endpoint":%q,"header":["Authorization: Bearer of-the-receiver"],"payload":"application/fhir+json",
		"_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":%q}]}}}`,
		topic, endpoint, content)
	status, header, raw := call(t, w, http.MethodPost, w.FHIR+"/Subscription", receiverToken, map[string]string{"Content-Type": "application/fhir+json"}, body)
	where := header.Get("Location")
	return status, w.FHIR + where[min(len(where), len("https://signalbox.testshire.example/FHIR/R4")):], string(raw)
}

func standing(t testing.TB, w *harness.World, where, want string) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		status, _, raw := call(t, w, http.MethodGet, where, receiverToken, nil, "")
		if status == http.StatusOK && strings.Contains(string(raw), `"status":"`+want+`"`) {
			return string(raw)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the subscription never became %s: %d %s", want, status, raw)
		}
	}
}

// A subscriber is told of each access once, under one number, through lost answers and restarts; when it cannot be reached its authority is
// told over MESH.
func TestASubscriberIsToldOnce(t *testing.T) {
	r := newReceiver(t)
	w := subscribed(t, r, nil)
	status, where, raw := subscribe(t, w, r.URL+"/notify", "full-resource")
	if status != http.StatusCreated || strings.Contains(raw, "of-the-receiver") {
		t.Fatalf("subscribe: %d %s", status, raw)
	}
	standing(t, w, where, "active")
	if status, _, raw := subscribe(t, w, r.URL+"/notify", "id-only"); status != http.StatusConflict {
		t.Errorf("a second subscription of one authority: %d %s", status, raw)
	}

	careTeams(t, w, ada, nil)
	first := r.events(t, 1)[0]
	got := readNotification(t, first.body)
	if fmt.Sprint(got.numbers, got.persons, got.status) != fmt.Sprint([]string{"1"}, []string{ada}, "active") {
		t.Errorf("told: %+v", got)
	}
	signed(t, first)
	if first.header.Get("Authorization") != "Bearer of-the-receiver" {
		t.Error("the receiver's own header is not sent")
	}

	// The answer is lost: the same again, under the same number, also by the engine that is started next.
	r.turn("drop")
	careTeams(t, w, ben, nil)
	r.events(t, 3)
	w.Stop(t)
	w.Start(t)
	base := w.FHIR
	where = base + where[strings.Index(where, "/Subscription"):]
	r.events(t, len(r.events(t, 3))+1)
	r.turn("")
	w.Settle(t)
	seen := map[string]string{} // event number -> body
	for _, p := range r.events(t, 5) {
		n := readNotification(t, p.body)
		key := strings.Join(n.numbers, ",")
		if body, again := seen[key]; again && body != p.body+p.header.Get("X-Request-ID") {
			t.Errorf("event %s is told again with another body or request id", key)
		}
		seen[key] = p.body + p.header.Get("X-Request-ID")
	}
	if len(seen) != 2 || seen["1"] == "" || seen["2"] == "" {
		t.Errorf("events under the numbers %v, want 1 and 2", len(seen))
	}
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		t.Errorf("told over MESH as well: %d messages", len(left))
	}

	// $events fills a gap, and says what an id stood for.
	_, _, events := call(t, w, http.MethodGet, where+"/$events?eventsSinceNumber=2&content=full-resource", receiverToken, nil, "")
	if got := readNotification(t, string(events)); got.kind != "query-event" || fmt.Sprint(got.numbers, got.persons) != fmt.Sprint([]string{"2"}, []string{ben}) {
		t.Errorf("$events: %s", events)
	}

	// Nobody answers any more: the subscription is in error, and the authority is told over MESH, of this access alone.
	r.turn("500")
	careTeams(t, w, ada, nil)
	n := notification(t, w.Receive(t, w.Client(t, "TESTLA01"), 1)[0])
	if len(n.Accesses) != 1 || n.Accesses[0].NHSNumber != ada {
		t.Errorf("MESH tells of %+v", n)
	}
	if raw := standing(t, w, where, "error"); !strings.Contains(raw, "answered with 500") {
		t.Errorf("the subscription does not say why: %s", raw)
	}

	// Over: the number of the next subscription begins anew, and MESH is told until then.
	if status, _, _ := call(t, w, http.MethodDelete, where, receiverToken, nil, ""); status != http.StatusNoContent {
		t.Errorf("delete: %d", status)
	}
	if status, _, _ := call(t, w, http.MethodGet, where, receiverToken, nil, ""); status != http.StatusNotFound {
		t.Errorf("a deleted subscription: %d", status)
	}
	r.turn("")
	_, where, _ = subscribe(t, w, r.URL+"/notify", "id-only")
	standing(t, w, where, "active")
	before := len(r.events(t, 0))
	careTeams(t, w, ada, nil)
	last := r.events(t, before+1)[before]
	if got := readNotification(t, last.body); len(got.persons) != 0 || fmt.Sprint(got.numbers) != "[1]" || len(got.focus) != 1 || strings.Contains(last.body, ada) {
		t.Errorf("id-only: %s", last.body)
	}
	w.Settle(t)
	noPersonalData(t, w)
	for _, secret := range []string{"of-the-receiver", receiverKey, receiverToken, r.URL} {
		if strings.Contains(w.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// signed checks the signature as a receiver would.
func signed(t testing.TB, p posted) {
	t.Helper()
	value := p.header.Get(hook.HeaderSignature)
	seconds, err := strconv.ParseInt(strings.TrimPrefix(strings.Split(value, ",")[0], "t="), 10, 64)
	harness.Must(t, err)
	if !hmac.Equal([]byte(value), []byte(hook.Sign([]byte(receiverKey), time.Unix(seconds, 0), []byte(p.body)))) {
		t.Error("the signature is not that of the body")
	}
}

// An authority that is configured to wait is not told over MESH while its subscription is in error; what waited is told once it has none.
func TestASubscriberWithoutFallback(t *testing.T) {
	r := newReceiver(t)
	w := subscribed(t, r, func(w *harness.World) {
		w.Config.Subscriptions.Receivers[0].Fallback = "none"
		w.Rhythm = func(c *pipeline.Config) {
			c.HookTries, c.Retry.Base, c.Retry.Max = 2, 5*time.Millisecond, 20*time.Millisecond
		}
	})
	_, where, _ := subscribe(t, w, r.URL+"/notify", "full-resource")
	standing(t, w, where, "active")
	r.turn("500")
	careTeams(t, w, ada, nil)
	standing(t, w, where, "error")
	counts, err := w.State.Store.EffectCounts(context.Background())
	harness.Must(t, err)
	if len(w.Mesh.Inbox("TESTLA01")) != 0 || counts["planned"]+counts["attempted"] != 1 {
		t.Errorf("in error, without a fallback: %v, %d messages", counts, len(w.Mesh.Inbox("TESTLA01")))
	}
	call(t, w, http.MethodDelete, where, receiverToken, nil, "")
	n := notification(t, w.Receive(t, w.Client(t, "TESTLA01"), 1)[0])
	if len(n.Accesses) != 1 || n.Accesses[0].NHSNumber != ada {
		t.Errorf("MESH tells of %+v", n)
	}
	w.Settle(t)
}
