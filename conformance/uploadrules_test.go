package conformance_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
	"signalbox/mesh/cpis/rules"
)

// ruleExample is the archive of one rule; limited says that it breaks a limit lower than the engine's own.
func ruleExample(t *testing.T, id string) (files map[string][]byte, limited bool) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("..", "mesh", "cpis", "rules", "testdata", id+".txtar"))
	harness.Must(t, err)
	files = map[string][]byte{}
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	return files, bytes.Contains(archive.Comment, []byte("limits "))
}

// postFile sends a file and returns the local id of the acknowledgement that will answer it.
func postFile(t *testing.T, box *mesh.Client, name string, body []byte) string {
	t.Helper()
	id, err := box.Send(context.Background(), mesh.Outgoing{
		To: harness.Mailbox, WorkflowID: harness.Workflow, LocalID: name, FileName: "upload", Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	harness.Must(t, err)
	return notify.AcknowledgementID(engine.NewMessageID(pipeline.MeshSource(harness.Mailbox, box.MailboxID()), id))
}

// Every good example of the table is taken by the whole engine, and every bad one is answered with its rule, its code and a location that is
// there. Every acknowledgement keeps the published schema.
func TestEveryUploadRuleIsAnsweredByItsCode(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Config.Routes[0].Sequence = notify.Sequence{Repeated: notify.ChooseIgnore, Skipped: notify.ChooseIgnore, Older: notify.ChooseIgnore}
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	type sent struct {
		rule rules.Rule
		name string
		body []byte
	}
	all := map[string]sent{}
	for _, r := range rules.All() {
		files, limited := ruleExample(t, r.ID)
		if files["before.xml"] != nil || limited {
			continue // TestFilesOutOfOrder, and the table's own test
		}
		for name, body := range files {
			all[postFile(t, box, r.ID+"-"+name, body)] = sent{r, name, body}
		}
	}
	for _, letter := range w.Receive(t, box, len(all)) {
		s, ok := all[letter.Header.LocalID]
		if !ok {
			t.Errorf("an acknowledgement answers no file: %s", letter.Header.LocalID)
			continue
		}
		delete(all, letter.Header.LocalID)
		judged(t, s.rule, s.name, s.body, letter.Body)
	}
	if len(all) > 0 {
		t.Errorf("%d files have no acknowledgement", len(all))
	}
}

// judged checks one acknowledgement against the table.
func judged(t *testing.T, rule rules.Rule, name string, upload, ack []byte) {
	t.Helper()
	r, err := cpis.DecodeResponse(ack)
	harness.Must(t, err)
	at := rule.ID + ", " + name + ": "
	for _, record := range r.Records {
		root, in := "/FileResponse", ack
		if strings.HasPrefix(record.Location, "/File/") {
			root, in = "/File", upload
		} else if record.Location == "/File" {
			continue // the whole file, which may be no XML at all
		}
		if n := elementsAt(in, record.Location); n != 1 {
			t.Errorf("%sthe location %s names %d elements of %s", at, record.Location, n, root)
		}
	}
	if name == "good.xml" {
		if r.Codes[0] != cpis.FileAccepted || r.Failed != 0 || len(r.Records) != 0 || r.FileID != "1042" {
			t.Errorf("%sanswered with %v, %+v", at, r.Codes, r.Records)
		}
		return
	}
	i := slices.IndexFunc(r.Records, func(o cpis.RecordOutcome) bool {
		return strings.HasPrefix(o.Reason, rule.ID+": ") || strings.Contains(o.Reason, "; "+rule.ID+": ")
	})
	if i < 0 {
		t.Errorf("%sthe acknowledgement does not name the rule: %+v", at, r.Records)
		return
	}
	want, file := rules.ReasonCode(rule.ID), rule.File
	if rule.Level == rules.Record || name == "bad-record.xml" {
		want, file = rule.Record, cpis.FileUnsuccessful
		if r.Failed != 1 || r.InvalidEchoed > 1 || (r.InvalidEchoed == 0) != strings.HasPrefix(rule.ID, "schema-") {
			t.Errorf("%s%d failed, %d given back", at, r.Failed, r.InvalidEchoed)
		}
	}
	if r.Records[i].Code != want || r.Codes[0] != file {
		t.Errorf("%scodes %s and %s, want %s and %s", at, r.Codes[0], r.Records[i].Code, file, want)
	}
	// What could be read of the file is said back, and only that.
	var known struct {
		ID struct {
			Extension string `xml:"extension,attr"`
		} `xml:"id"`
	}
	if xml.Unmarshal(upload, &known) == nil && strings.TrimSpace(known.ID.Extension) != "" && r.FileID != known.ID.Extension && r.FileID != "-1" {
		t.Errorf("%sthe file id is said to be %q", at, r.FileID)
	}
	if strings.TrimSpace(known.ID.Extension) == "" && rule.ID == cpis.RuleFileID && r.FileID != "-1" {
		t.Errorf("%sa blank file id is answered with %q", at, r.FileID)
	}
	if rule.ID == cpis.RuleRoot && (r.FileID != "-1" || r.Quantity != -1) {
		t.Errorf("%sid %q and quantity %d, want -1 for both", at, r.FileID, r.Quantity)
	}
}

var step = regexp.MustCompile(`^([A-Za-z][\w.-]*)(?:\[(\d+)\])?$`)

// elementsAt counts the elements that a location names: an XPath of child steps by local name with an optional position, which is the whole
// language of the locations.
func elementsAt(body []byte, path string) int {
	type level struct {
		name   string
		number int // among its namesakes
		seen   map[string]int
	}
	var want []level
	for _, s := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		m := step.FindStringSubmatch(s)
		if m == nil {
			return -1
		}
		n, _ := strconv.Atoi(m[2])
		want = append(want, level{name: m[1], number: n})
	}
	found, stack := 0, []level{{seen: map[string]int{}}}
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			return -1
		}
		switch e := token.(type) {
		case xml.StartElement:
			top := stack[len(stack)-1].seen
			top[e.Name.Local]++
			stack = append(stack, level{e.Name.Local, top[e.Name.Local], map[string]int{}})
			if len(stack)-1 != len(want) {
				continue
			}
			match := true
			for i, w := range want {
				match = match && stack[i+1].name == w.name && (w.number == 0 || stack[i+1].number == w.number)
			}
			if match {
				found++
			}
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
}

// Files whose ids are not in order count, are warned of in their acknowledgement, and are refused only where the operator says so. A full
// refresh tells how many were absent and deletes nobody.
func TestFilesOutOfOrder(t *testing.T) {
	for _, id := range []string{rules.SequenceRepeated, rules.SequenceSkipped, rules.SequenceOlder, rules.SequenceRefused, rules.RefreshAbsent} {
		t.Run(id, func(t *testing.T) {
			files, _ := ruleExample(t, id)
			rule, _ := rules.Find(id)
			for _, name := range []string{"good.xml", "bad.xml"} {
				w := harness.New(t, harness.Testshire())
				if id == rules.SequenceRefused {
					w.Config.Routes[0].Sequence.Repeated = notify.ChooseRefuse
				}
				w.Config.Routes[0].FullRefresh = id == rules.RefreshAbsent
				w.Start(t)
				box := w.Client(t, "TESTLA01")
				w.Send(t, box, "before", files["before.xml"])
				w.Receive(t, box, 1)
				w.Settle(t)
				w.Send(t, box, name, files[name])
				r := response(t, w.Receive(t, box, 1)[0])
				said := fmt.Sprint(r.Records)
				switch {
				case name == "good.xml" && (r.Codes[0] != cpis.FileAccepted || len(r.Records) > 0):
					t.Errorf("in order, and answered with %v %s", r.Codes, said)
				case name == "bad.xml" && (r.Codes[0] != rule.File || len(r.Records) == 0 || r.Records[0].Code != rules.ReasonCode(id) || !strings.Contains(said, id+": ")):
					t.Errorf("answered with %v %s", r.Codes, said)
				case name == "bad.xml" && id == rules.SequenceRefused && (r.Failed != 1 || r.Successful != 0):
					t.Errorf("refused, but %d stand", r.Successful)
				}
				if _, names := careTeams(t, w, ada, nil); len(names) != 1 {
					t.Errorf("%s: the child of the file before does not stand", name)
				}
				if u, found, err := w.State.Store.Absences(t.Context(), "999"); id == rules.RefreshAbsent && (err != nil || !found || (len(u.Absent) == 1) != (name == "bad.xml")) {
					t.Errorf("%s: absent: %v, %d, %v", name, found, len(u.Absent), err)
				}
				w.Stop(t)
			}
		})
	}
}
