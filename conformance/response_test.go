package conformance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/pipeline"
	"signalbox/fhir"
)

// wait returns the posts once there are n of them.
func (r *receiver) wait(t testing.TB, n int) []posted {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		all := append([]posted(nil), r.posts...)
		r.mu.Unlock()
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("there were %d posts, want %d", len(all), n)
		}
	}
}

// A sender that does not wait has its answer posted to the address that it names, of those that it may: again until it is taken, and again when
// it asks again, each time the same bytes under the same request id.
func TestAMessageIsAnsweredElsewhere(t *testing.T) {
	sender := newReceiver(t)
	sender.turn("500")
	w := flagged(t, func(w *harness.World) {
		w.Config.Listen.PublicURL = "https://signalbox.testshire.example/FHIR/R4"
		for i := range w.Config.Trusts {
			if w.Config.Trusts[i].Name == "both" {
				w.Config.Trusts[i].Responses = app.Responses{Endpoints: []string{sender.URL + "/answers"}, Key: app.Held(receiverKey), Private: true, Insecure: true}
			}
		}
		w.Rhythm = func(c *pipeline.Config) {
			c.HookTries, c.Retry.Base, c.Retry.Max = 1000, 5*time.Millisecond, 40*time.Millisecond
		}
	})
	body := supplied(t, "testshire-trust-fhir/sample/attendance.json", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString())
	request := uuid.NewString()
	to := "/$process-message?async=true&response-url=" + url.QueryEscape(sender.URL+"/answers")
	if status, _, raw := post(t, w, to, harness.Token, request, body); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, raw)
	}
	first := sender.wait(t, 2)[0]
	w.Stop(t) // what is not answered yet is in the record
	w.Start(t)
	sender.turn("")
	for before := len(sender.wait(t, 0)); ; before++ {
		if all := sender.wait(t, before+1); all[len(all)-1].mode == "" {
			break
		}
	}
	status, _, waited := post(t, w, "/$process-message", harness.Token, request, body)
	for _, p := range sender.wait(t, 3) {
		if status != http.StatusOK || p.body != string(waited) || p.header.Get("X-Request-ID") != first.header.Get("X-Request-ID") || p.header.Get("X-Signalbox-Signature") == "" {
			t.Fatalf("an answer that is posted differs from that of waiting: %d\n%s\n%s", status, p.body, waited)
		}
	}
	n := len(sender.wait(t, 0))
	if status, _, raw := post(t, w, to, harness.Token, request, body); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, raw)
	}
	if again := sender.wait(t, n+1)[n]; again.body != first.body {
		t.Errorf("asked again, another answer: %s", again.body)
	}
	elsewhere := "/$process-message?async=true&response-url=" + url.QueryEscape(sender.URL+"/elsewhere")
	if status, _, raw := post(t, w, elsewhere, harness.Token, uuid.NewString(), body); status != http.StatusUnprocessableEntity {
		t.Errorf("an address that is not allowed: %d %s", status, raw)
	}
}

// The same attendance in XML is the same access: translated, told once, answered in the form that is asked for, places those of the XML.
func TestAMessageInXML(t *testing.T) {
	w := flagged(t, func(w *harness.World) { w.Config.Listen.PublicURL = "https://signalbox.testshire.example/FHIR/R4" })
	raw := []byte(supplied(t, "testshire-trust-fhir/sample/attendance.json", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString()))
	doc, err := fhir.Read(raw, fhir.Limits{})
	harness.Must(t, err)
	xml, err := fhir.AppendXML(nil, doc)
	harness.Must(t, err)
	send := func(body []byte, mediaType string) (int, []byte) {
		status, _, answer := call(t, w, http.MethodPost, w.FHIR+"/$process-message", harness.Token,
			map[string]string{"Content-Type": mediaType, "X-Request-ID": uuid.NewString(), "Accept": fhir.MediaType}, string(body))
		return status, answer
	}
	status, answer := send(xml, fhir.MediaTypeXML)
	if a := readAnswer(t, answer); status != http.StatusOK || a.code() != "ok" {
		t.Fatalf("%d %s", status, answer)
	}
	if n := toldOf(t, w, w.Client(t, "TESTLA01"), 1); n != 1 {
		t.Errorf("told of %d accesses", n)
	}
	status, answer = send(bytes.ReplaceAll(xml, []byte(ada), []byte("9990000019")), fhir.MediaTypeXML)
	var b struct {
		Entry []struct {
			Resource struct {
				Issue []struct{ Expression []string }
			}
		}
	}
	harness.Must(t, json.Unmarshal(answer, &b))
	if status != http.StatusUnprocessableEntity || len(b.Entry) != 2 || len(b.Entry[1].Resource.Issue[0].Expression) != 1 {
		t.Errorf("a number that fails its check digit: %d %s", status, answer)
	}
}
