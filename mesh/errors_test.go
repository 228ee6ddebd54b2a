package mesh

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/mesh/internal/wire"
)

// One row for each shape in which servers and what stands before them answer errors.
func TestErrorShapes(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   Error
		prints string
	}{
		"version 1": {417, `{"messageID":"M1","errorEvent":"SEND","errorCode":"12","errorDescription":"Unregistered to address"}`,
			Error{Kind: ErrRejected, Code: "12", Event: "SEND", Text: "Unregistered to address", MessageID: "M1"},
			"mesh: op: rejected: HTTP 417 SEND 12 Unregistered to address"},
		"version 1, empty codes": {403, `{"errorEvent":"","errorCode":"","errorDescription":"Invalid Authentication Token"}`,
			Error{Kind: ErrAuth, Text: "Invalid Authentication Token"}, "mesh: op: not authorised: HTTP 403 Invalid Authentication Token"},
		"version 2": {417, `{"message_id":"20240821092056779321_E37F1A","internal_id":"20240821092056761_487199b9","detail":[{"event":"SEND","code":"12","msg":"Unregistered to address"}]}`,
			Error{Kind: ErrRejected, Code: "12", Event: "SEND", Text: "Unregistered to address", MessageID: "20240821092056779321_E37F1A"},
			"mesh: op: rejected: HTTP 417 SEND 12 Unregistered to address"},
		"validation": {400, `{"detail":[{"loc":["header","mex-to"],"msg":"field required","type":"value_error.missing"}]}`,
			Error{Kind: ErrRejected, Text: "header.mex-to: field required"}, "mesh: op: rejected: HTTP 400"},
		"validation, newer, with input": {400, `{"detail":[{"type":"missing","loc":["body",0,"x"],"msg":"Field required","input":"9990000018"}]}`,
			Error{Kind: ErrRejected, Text: "body.0.x: Field required"}, "mesh: op: rejected: HTTP 400"},
		"detail as string": {404, `{"detail":"Not Found"}`, Error{Kind: ErrNotFound, Text: "Not Found"}, "mesh: op: not found: HTTP 404 Not Found"},
		"internal": {423, `{"message":"An internal error occurred.\n\nPlease contact support.","internal_id":"x"}`,
			Error{Kind: ErrComplete, Text: wire.TextInternal}, "mesh: op: message already complete: HTTP 423 An internal error occurred. Please contact support."},
		"known code, own text": {417, `{"detail":[{"event":"SEND","code":"12","msg":"no mailbox for 9990000018"}]}`,
			Error{Kind: ErrRejected, Code: "12", Event: "SEND", Text: "no mailbox for 9990000018"}, "mesh: op: rejected: HTTP 417 SEND 12"},
		"unknown code":       {417, `{"detail":[{"event":"SEND","code":"9990000018","msg":"x"}]}`, Error{Kind: ErrRejected, Code: "9990000018", Event: "SEND", Text: "x"}, "mesh: op: rejected: HTTP 417"},
		"empty list":         {400, `{"detail":[]}`, Error{Kind: ErrRejected}, "mesh: op: rejected: HTTP 400"},
		"list of strings":    {400, `{"detail":["x"]}`, Error{Kind: ErrRejected}, "mesh: op: rejected: HTTP 400"},
		"wrong types":        {400, `{"errorCode":12}`, Error{Kind: ErrRejected}, "mesh: op: rejected: HTTP 400"},
		"null":               {404, `null`, Error{Kind: ErrNotFound}, "mesh: op: not found: HTTP 404"},
		"array":              {404, `[]`, Error{Kind: ErrNotFound}, "mesh: op: not found: HTTP 404"},
		"HTML":               {502, `<html><body>Bad Gateway</body></html>`, Error{Kind: ErrServer}, "mesh: op: server failed: HTTP 502"},
		"XML":                {500, `<?xml version="1.0"?><soap:Fault/>`, Error{Kind: ErrServer}, "mesh: op: server failed: HTTP 500"},
		"empty":              {503, ``, Error{Kind: ErrBusy}, "mesh: op: server busy: HTTP 503"},
		"certificate at TLS": {400, `<html>400 The SSL certificate error</html>`, Error{Kind: ErrRejected}, "mesh: op: rejected: HTTP 400"},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Op, test.want.Status = "op", test.status
			got := errorFrom("op", test.status, strings.NewReader(test.body))
			if *got != test.want {
				t.Errorf("got  %+v\nwant %+v", *got, test.want)
			}
			if got.Error() != test.prints {
				t.Errorf("prints %q, want %q", got, test.prints)
			}
		})
	}
}

func TestErrorKinds(t *testing.T) {
	for status, kind := range map[int]Kind{
		300: ErrNotUnique, 400: ErrRejected, 401: ErrAuth, 403: ErrAuth, 404: ErrNotFound, 406: ErrRejected, 410: ErrGone, 413: ErrRejected, 417: ErrRejected,
		422: ErrRejected, 423: ErrComplete, 425: ErrBusy, 429: ErrBusy, 500: ErrServer, 502: ErrServer, 503: ErrBusy, 504: ErrServer, 302: ErrProtocol, 204: ErrProtocol,
	} {
		err := error(fmt.Errorf("poll: %w", errorFrom("op", status, strings.NewReader(""))))
		if !errors.Is(err, kind) {
			t.Errorf("HTTP %d: %v, want %v", status, err, kind)
		}
		if errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("HTTP %d alone makes the outcome unknown", status)
		}
	}
}

func TestErrorBodiesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, body := range []string{long, `{"detail":"` + long + `"}`, `{"detail":"` + long[:60_000] + `"}`} {
		r := strings.NewReader(body)
		e := errorFrom("op", 400, r)
		if len(e.Text) > maxErrorText || len(body)-r.Len() > maxErrorBody {
			t.Errorf("%d bytes read, %d kept", len(body)-r.Len(), len(e.Text))
		}
	}
}

func TestErrorPrintsCauseAndUnwraps(t *testing.T) {
	cause := errors.New("connection reset")
	e := &Error{Op: "get", Kind: ErrTransport, Err: cause}
	if e.Error() != "mesh: get: transport failed: connection reset" || !errors.Is(e, cause) || !errors.Is(e, ErrTransport) || errors.Is(e, ErrServer) {
		t.Errorf("%v", e)
	}
	if ErrGone.Error() != "mesh: no longer available" {
		t.Errorf("%v", ErrGone)
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2020, 6, 6, 12, 21, 53, 0, time.UTC)
	for s, ok := range map[string]bool{
		"20200606122153": true, "2020-06-06T12:21:53": true, "2020-06-06T12:21:53Z": true, "2020-06-06T13:21:53+01:00": true, "2020-06-06T12:21:53.000000": true,
		"": false, "yesterday": false, "06/06/2020": false,
	} {
		if got := parseTime(s); got.Equal(want) != ok || got.IsZero() == ok {
			t.Errorf("parseTime(%q) = %v", s, got)
		}
	}
}

// Both versions' bodies, with the samples of the specification and with what else was seen.
func TestTrackingShapes(t *testing.T) {
	v2 := `{"message_id":"M","local_id":"L","workflow_id":"W","filename":"f.txt","expiry_time":"20200606122153","upload_timestamp":"2020-06-01T12:21:52",
		"recipient":"R","recipient_name":"N","recipient_ods_code":"O","recipient_org_code":"C","recipient_org_name":"G","status_success":true,
		"status":"accepted","status_event":"TRANSFER","status_timestamp":"2020-06-01T12:21:52","status_description":"D","status_code":"00"}`
	v1 := `{"dtsId":"M","localId":"L","workflowId":"W","fileName":"f.txt","expiryTime":"20200606122153","uploadTimestamp":"20200601122152",
		"recipient":"R","recipientName":"N","meshRecipientOdsCode":"O","recipientOrgCode":"C","recipientOrgName":"G","statusSuccess":"SUCCESS",
		"status":"Accepted","statusEvent":"TRANSFER","statusTimestamp":"20200601122152","statusDescription":"D","statusCode":"00","contentsBase64":true,"fileSize":0,"processId":null,"subject":null}`
	at := time.Date(2020, 6, 1, 12, 21, 52, 0, time.UTC)
	want := Tracking{
		MessageID: "M", LocalID: "L", WorkflowID: "W", FileName: "f.txt", Recipient: "R", RecipientName: "N", RecipientODSCode: "O", RecipientOrgCode: "C",
		RecipientOrgName: "G", Status: Accepted, StatusSuccess: true, StatusEvent: "TRANSFER", StatusCode: "00", StatusDescription: "D",
		StatusTime: at, Uploaded: at, Expires: time.Date(2020, 6, 6, 12, 21, 53, 0, time.UTC),
	}
	for name, body := range map[string]string{"version 2": v2, "version 1": v1, "success as word": strings.Replace(v2, "true", `"SUCCESS"`, 1)} {
		if got, err := trackBody(t, body); err != nil || got != want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, want)
		}
	}
	if got, err := trackBody(t, strings.Replace(v2, "true", "false", 1)); err != nil || got.StatusSuccess {
		t.Errorf("failure read as success: %v", err)
	}
	if _, err := trackBody(t, `{}`); !errors.Is(err, ErrProtocol) {
		t.Errorf("no message id: %v", err)
	}
}

func FuzzErrorBody(f *testing.F) {
	f.Add(417, `{"detail":[{"event":"SEND","code":"12","msg":"Unregistered to address"}]}`)
	f.Add(400, `{"detail":[{"loc":["header","mex-to"],"msg":"field required"}]}`)
	f.Add(404, `{"detail":"Not Found"}`)
	f.Add(500, `<html>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		e := errorFrom("op", status, strings.NewReader(body))
		if e.Kind == "" || len(e.Text) > 2*maxErrorText || e.Error() == "" {
			t.Errorf("%+v", e)
		}
		if e.Text != "" && len(e.Text) > 40 && strings.Contains(e.Error(), e.Text) {
			published := false
			for _, f := range wire.Faults() {
				published = published || f.Text == e.Text
			}
			if !published {
				t.Errorf("the server's own words are printed: %q", e.Error())
			}
		}
	})
}
