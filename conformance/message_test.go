package conformance_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/mappings"
)

// answered is what a trust's system reads of an answer to a message or a transaction.
type answered struct {
	ResourceType, Type string
	Entry              []struct {
		Response struct {
			Status  string
			Outcome struct{ Issue []issue }
		}
		Resource struct {
			Response struct{ Identifier, Code string }
			Issue    []issue
		}
	}
	Issue []issue
}

type issue struct {
	Severity, Diagnostics string
	Expression            []string
}

func (a answered) code() string {
	for _, e := range a.Entry {
		if e.Resource.Response.Code != "" {
			return e.Resource.Response.Code
		}
	}
	return ""
}

// post sends a body as FHIR JSON and returns status, header and answer.
func post(t testing.TB, w *harness.World, path, token, requestID, body string) (int, http.Header, []byte) {
	t.Helper()
	return call(t, w, http.MethodPost, w.FHIR+path, token, map[string]string{"Content-Type": "application/fhir+json", "X-Request-ID": requestID}, body)
}

func call(t testing.TB, w *harness.World, method, address, token string, headers map[string]string, body string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	harness.Must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := httpClient(t).Do(req)
	harness.Must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	harness.Must(t, err)
	return res.StatusCode, res.Header, raw
}

func readAnswer(t testing.TB, raw []byte) answered {
	t.Helper()
	var a answered
	harness.Must(t, json.Unmarshal(raw, &a))
	return a
}

func supplied(t testing.TB, path string, replace ...string) string {
	t.Helper()
	raw, err := fs.ReadFile(mappings.Embedded(), path)
	harness.Must(t, err)
	return strings.NewReplacer(replace...).Replace(string(raw))
}

// flagged is a world in which Testshire has flagged two children.
func flagged(t testing.TB, change func(*harness.World)) *harness.World {
	t.Helper()
	w := harness.New(t, harness.Testshire())
	if change != nil {
		change(w)
	}
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1", upload(t, "1", child(ada, "LA-1", openPlan()), child(ben, "LA-2", openPlan())))
	w.Receive(t, box, 1)
	return w
}

func TestAMessageIsAnsweredWithWhatBecameOfIt(t *testing.T) {
	const public = "https://signalbox.testshire.example/FHIR/R4"
	w := flagged(t, func(w *harness.World) { w.Config.Listen.PublicURL = public })
	box := w.Client(t, "TESTLA01")
	request, encounter := uuid.NewString(), uuid.NewString()
	body := supplied(t, "testshire-trust-fhir/sample/attendance.json", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", encounter)
	status, header, first := post(t, w, "/$process-message", harness.Token, request, body)
	a := readAnswer(t, first)
	if status != http.StatusOK || a.Type != "message" || a.code() != "ok" || a.Entry[0].Resource.Response.Identifier != "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01" {
		t.Fatalf("%d %s", status, first)
	}
	if header.Get("X-Request-ID") != request {
		t.Error("the request id does not come back")
	}
	if n := toldOf(t, w, box, 1); n != 1 {
		t.Errorf("told of %d accesses", n)
	}

	// The same id again, also after a restart: the same bytes, and nobody is told again. A mended body about the same attendance is a new
	// message, and no second access.
	w.Stop(t)
	w.Start(t)
	if status, _, again := post(t, w, "/$process-message", harness.Token, request, body); status != http.StatusOK || !bytes.Equal(first, again) {
		t.Errorf("the same id has another answer: %d %s", status, again)
	}
	if status, _, mended := post(t, w, "/$process-message", harness.Token, request, body+"\n"); status != http.StatusOK || bytes.Equal(first, mended) {
		t.Errorf("a mended body: %d %s", status, mended)
	}

	// async: the address in Content-Location has the answer in the end, and holds no datum.
	status, header, raw := post(t, w, "/$process-message?async=true", harness.Token, uuid.NewString(), strings.Replace(body, encounter, uuid.NewString(), 1))
	where := header.Get("Content-Location")
	if status != http.StatusAccepted || !strings.HasPrefix(where, public) || strings.Contains(where, "999000") {
		t.Fatalf("async: %d %q %s", status, where, raw)
	}
	where = w.FHIR + strings.TrimPrefix(where, public)
	for status = http.StatusAccepted; status == http.StatusAccepted; time.Sleep(10 * time.Millisecond) {
		status, _, raw = call(t, w, http.MethodGet, where, harness.Token, nil, "")
	}
	if status != http.StatusOK || readAnswer(t, raw).code() != "ok" {
		t.Errorf("asked later: %d %s", status, raw)
	}
	if status, _, raw = call(t, w, http.MethodGet, where, harness.SendToken, nil, ""); status != http.StatusNotFound {
		t.Errorf("another client learns what became of the message: %d %s", status, raw)
	}

	// What translation refuses: 422, fatal-error and the place.
	status, _, raw = post(t, w, "/$process-message", harness.Token, uuid.NewString(), strings.Replace(body, ada, "9990000019", 1))
	a = readAnswer(t, raw)
	if status != http.StatusUnprocessableEntity || a.code() != "fatal-error" || !strings.Contains(string(raw), "Bundle.entry[2].resource.identifier[0].value") ||
		strings.Contains(string(raw), "9990000019") {
		t.Errorf("a bad number: %d %s", status, raw)
	}
	if n := toldOf(t, w, box, 1); n != 1 {
		t.Errorf("told of %d accesses", n)
	}
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		t.Errorf("%d notifications too many", len(left))
	}
	noPersonalData(t, w)
}

func TestTransactionsAndBatches(t *testing.T) {
	w := flagged(t, nil)
	box := w.Client(t, "TESTLA01")
	fresh := func(kind string, more ...string) string {
		return supplied(t, "testshire-trust-encounters/sample/two-attendances.json", append([]string{`"transaction"`, `"` + kind + `"`,
			"7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c21", uuid.NewString(), "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c22", uuid.NewString(), `"AMB"`, `"EMER"`}, more...)...)
	}

	// One bad entry: of the transaction nothing is taken, of the batch the other.
	status, _, raw := post(t, w, "/", harness.Token, uuid.NewString(), fresh("transaction", ben, "9990000027"))
	a := readAnswer(t, raw)
	if status != http.StatusUnprocessableEntity || a.ResourceType != "OperationOutcome" || len(a.Issue) != 2 || len(a.Issue[0].Expression) != 1 ||
		a.Issue[0].Expression[0] != "Bundle.entry[3].resource.identifier[0].value" {
		t.Errorf("a transaction with a bad entry: %d %s", status, raw)
	}
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		t.Fatal("a refused transaction was told of")
	}
	status, _, raw = post(t, w, "/", harness.Token, uuid.NewString(), fresh("batch", ben, "9990000027"))
	a = readAnswer(t, raw)
	if status != http.StatusOK || a.Type != "batch-response" || len(a.Entry) != 7 || a.Entry[0].Response.Status != "202 Accepted" ||
		a.Entry[2].Response.Status != "422 Unprocessable Entity" || a.Entry[2].Response.Outcome.Issue[0].Severity != "error" {
		t.Errorf("a batch with a bad entry: %d %s", status, raw)
	}
	if n := toldOf(t, w, box, 1); n != 1 {
		t.Errorf("told of %d accesses", n)
	}

	// A modifier extension that nobody understands: likewise.
	modified := []string{`"resourceType": "Encounter",`, `"resourceType": "Encounter", "modifierExtension": [{"url": "urn:not", "valueBoolean": true}],`}
	status, _, raw = post(t, w, "/", harness.Token, uuid.NewString(), fresh("transaction", modified...))
	if a = readAnswer(t, raw); status != http.StatusUnprocessableEntity || len(a.Issue) < 2 {
		t.Errorf("a transaction with modifiers: %d %s", status, raw)
	}
	body := strings.Replace(fresh("batch"), modified[0], modified[1], 1)
	status, _, raw = post(t, w, "/", harness.Token, uuid.NewString(), body)
	a = readAnswer(t, raw)
	if status != http.StatusOK || len(a.Entry) != 7 || a.Entry[0].Response.Status != "422 Unprocessable Entity" || a.Entry[2].Response.Status != "202 Accepted" ||
		a.Entry[0].Response.Outcome.Issue[0].Expression[0] != "Bundle.entry[0].resource.modifierExtension[0]" {
		t.Errorf("a batch with a modifier: %d %s", status, raw)
	}
	if n := toldOf(t, w, box, 1); n != 1 {
		t.Errorf("told of %d accesses", n)
	}

	request := uuid.NewString()
	body = fresh("transaction")
	status, _, raw = post(t, w, "", harness.Token, request, body)
	if a = readAnswer(t, raw); status != http.StatusOK || a.Type != "transaction-response" || len(a.Entry) != 7 {
		t.Errorf("a transaction: %d %s", status, raw)
	}
	if n := toldOf(t, w, box, 2); n != 2 {
		t.Errorf("told of %d accesses", n)
	}
	if status, _, again := post(t, w, "", harness.Token, request, body); status != http.StatusOK || !bytes.Equal(raw, again) {
		t.Errorf("the same id has another answer: %d %s", status, again)
	}
	if status, _, raw = post(t, w, "/", harness.QueryToken, request, body); status != http.StatusForbidden {
		t.Errorf("who may not send: %d %s", status, raw)
	}
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); len(left) != 0 {
		t.Errorf("%d notifications too many", len(left))
	}
	noPersonalData(t, w)
}
