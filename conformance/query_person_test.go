package conformance_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signalbox/conformance/harness"
)

// TestTheAuthorityIsToldWhichPersonLooked follows a token's claims into the notification that leaves over MESH.
func TestTheAuthorityIsToldWhichPersonLooked(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	token := w.Issuer(t)
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1", upload(t, "1", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	path := "/CareTeam?" + url.Values{"patient": {ada}}.Encode()
	for _, refused := range []string{"B0170", "", "B0264"} {
		if status, _ := w.Ask(t, http.DefaultClient, http.MethodGet, path, token("999900001234", refused), nil, nil); status != http.StatusForbidden {
			t.Errorf("with %q: status %d", refused, status)
		}
	}
	if status, body := w.Ask(t, http.DefaultClient, http.MethodGet, path, token("999900001234", "B0107"), nil, nil); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	n := notification(t, w.Receive(t, box, 1)[0])
	if len(n.Accesses) != 1 || n.Accesses[0].Person != "Dr Casey Invented" || n.Accesses[0].Organisation != "RXX99" {
		t.Errorf("%d accesses were told, or not of the token's person", len(n.Accesses))
	}
	for _, never := range []string{"999900001234", "Casey", ada} {
		if strings.Contains(w.Log.String(), never) {
			t.Errorf("the log holds %s", never)
		}
	}
}
