package folder

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// sentHeaders sends a pair with a control file and returns the headers of the request that the service got.
func sentHeaders(t *testing.T, c Control) http.Header {
	t.Helper()
	y := newYard(t)
	var mu sync.Mutex
	var got http.Header
	y.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/outbox") {
			mu.Lock()
			got = r.Header.Clone()
			mu.Unlock()
		}
		y.server.ServeHTTP(w, r)
	})
	y.put("upload", c, []byte("payload"))
	if n, _, err := y.bridge().SendReady(t.Context()); n != 1 || err != nil || !exists(y.at(sentName, "upload.ctl")) {
		t.Fatalf("%d sent, %v; FAILED %q", n, err, y.names(failedName))
	}
	mu.Lock()
	defer mu.Unlock()
	return got
}

// Each element of a control file in OUT becomes the header that the interface pairs it with, or none where the API has none.
func TestEachElementBecomesItsHeader(t *testing.T) {
	c := full()
	c.Encrypted, c.IsCompressed = "Y", "Y"
	got := sentHeaders(t, c)
	for name, want := range map[string]string{
		"Mex-To": trust, "Mex-WorkflowID": flow, "Mex-Subject": "Daily <file> & more", "Mex-LocalID": "batch-7", "Mex-PartnerID": "X1",
		"Mex-Content-Encrypted": "Y", "Mex-Content-Compressed": "Y", "Mex-Content-Checksum": "md5:0a1b", "Content-Encoding": "gzip",
		"Mex-ProcessID": "", "Mex-FromSMTP": "", "Mex-ToSMTP": "", "Mex-AddressType": "", "Mex-Version": "", "Mex-MessageID": "", "Mex-FileName": "",
		"Mex-From": "", // the path and the token say who sends
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	c.Compress, c.Encrypted, c.IsCompressed = "N", "", ""
	got = sentHeaders(t, c)
	for _, name := range []string{"Content-Encoding", "Mex-Content-Encrypted", "Mex-Content-Compressed"} {
		if got.Get(name) == "Y" || got.Get(name) == "gzip" {
			t.Errorf("%s: %q without being asked for", name, got.Get(name))
		}
	}
}

// Each header of a message becomes the element of the control file in IN, those that are constants included.
func TestEachHeaderBecomesItsElement(t *testing.T) {
	y := newYard(t)
	id := y.send([]byte("payload"), func(m *mesh.Outgoing) {
		m.LocalID, m.Subject, m.PartnerID, m.Checksum, m.Encrypted, m.Compressed = "L1", "S", "X1", "md5:0a1b", true, true
	})
	report, err := y.server.PutReport(meshserver.Report{To: la, Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days", LinkedMessageID: id, WorkflowID: flow})
	y.must(err)
	for _, id := range []string{id, report} {
		y.must(y.bridge().Receive(t.Context(), id))
	}
	got := y.control(inName, id+".ctl")
	at := got.Status.DateTime
	got.Status.DateTime = time.Time{}
	status := Status{Event: "TRANSFER", Status: "SUCCESS", StatusCode: "00", Description: "Transferred to recipient mailbox"}
	if *got.Status != status || time.Since(at).Abs() > time.Hour {
		t.Errorf("status %+v at %v", *got.Status, at)
	}
	got.Status = nil
	want := Control{
		Version: "1.0", AddressType: "ALL", MessageType: "Data", WorkflowID: flow, FromDTS: trust, ToDTS: la, Subject: "S", LocalID: "L1", DTSID: id,
		Encrypted: "Y", IsCompressed: "Y", DataChecksum: "md5:0a1b", PartnerID: "X1",
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if c := y.control(inName, report+".ctl"); c.MessageType != "Report" || c.Status.Event != "SEND" || c.Status.Status != "ERROR" || c.Status.StatusCode != "14" || c.Status.DateTime.IsZero() {
		t.Errorf("report %+v, %+v", c, c.Status)
	}
}

// What the interface calls mandatory may be missing where there is only one thing that it can be; the rest is refused with the code
// that the list has for it.
func TestMandatoryElements(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Control)
		code   string // empty: it can be sent
	}{
		"nothing but recipient and workflow": {func(c *Control) { *c = Control{ToDTS: trust, WorkflowID: flow} }, ""},
		"Version":                            {func(c *Control) { c.Version = "" }, ""},
		"AddressType":                        {func(c *Control) { c.AddressType = "" }, ""},
		"AddressType ALL":                    {func(c *Control) { c.AddressType = "ALL" }, ""},
		"AddressType in other letters":       {func(c *Control) { c.AddressType = "dts" }, ""},
		"AddressType SMTP":                   {func(c *Control) { c.AddressType = "SMTP" }, "10"},
		"MessageType":                        {func(c *Control) { c.MessageType = "" }, ""},
		"MessageType Report":                 {func(c *Control) { c.MessageType = "Report" }, "11"},
		"From_DTS":                           {func(c *Control) { c.FromDTS = "" }, ""},
		"To_DTS":                             {func(c *Control) { c.ToDTS = "" }, "08"},
		"To_ESMTP alone":                     {func(c *Control) { c.ToDTS, c.ToESMTP = "", "b@example.test" }, "08"},
		"WorkflowId":                         {func(c *Control) { c.WorkflowID = "" }, "06"},
	} {
		c := order()
		test.change(&c)
		_, err := c.outgoing(la)
		want := "<nil>"
		if test.code != "" {
			want = "folder: control file: " + test.code + " "
		}
		if !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// Flags that are not there mean what the schema says; a message that would need chunks is refused when its control file says that it
// may have none.
func TestFlagsHaveTheirDefaults(t *testing.T) {
	m, err := Control{ToDTS: trust, WorkflowID: flow}.outgoing(la)
	if err != nil || !m.Compress || m.Encrypted || m.Compressed {
		t.Errorf("%+v, %v", m, err)
	}
	y := newYard(t)
	c := order()
	c.AllowChunking = "N"
	y.put("small", c, []byte("x"))
	y.put("large", c, []byte("x"))
	y.must(os.Truncate(y.at(outName, "large.dat"), mesh.Default().ChunkSize+1)) // a hole, which takes no room
	if _, _, err := y.bridge().SendReady(t.Context()); err != nil || y.names(sentName) != "small.ctl small.dat" || y.names(failedName) != "large.ctl large.dat" {
		t.Fatalf("%v: SENT %q, FAILED %q", err, y.names(sentName), y.names(failedName))
	}
	if s := y.control(failedName, "large.ctl").Status; s.StatusCode != "06" || !strings.Contains(s.Description, "AllowChunking") {
		t.Errorf("status %+v", s)
	}
}
