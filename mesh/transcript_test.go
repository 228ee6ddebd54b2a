package mesh_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"signalbox/mesh"
)

// rows are the rows of the API's description that a client sees: calls by version, error shapes, and statuses. A transcript names
// the rows that it shows in its first line.
func rows() []string {
	var out []string
	for _, call := range []string{"handshake", "inbox", "download", "head", "chunk", "acknowledge", "count", "send", "send chunk", "track", "lookup"} {
		out = append(out, call+" v1", call+" v2")
	}
	out = append(out, "track by local id", "search", "ping", "rich inbox", "report",
		"error v1", "error v2", "error validation", "error internal", "error string", "error edge")
	for _, status := range []int{300, 400, 403, 404, 406, 410, 417, 422, 423, 425, 429, 500, 502, 503, 504} {
		out = append(out, fmt.Sprint("status ", status))
	}
	return out
}

// Each file of testdata/transcripts is one call: what is asked for, the request that must go out, the answer as it came over the
// wire, and what the caller gets. Dropping in a file adds a test.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	covered := map[string]bool{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(raw)
		first, _, _ := strings.Cut(string(archive.Comment), "\n")
		for row := range strings.SplitSeq(strings.TrimPrefix(first, "rows: "), ", ") {
			if !slices.Contains(rows(), row) {
				t.Errorf("%s: names the row %q, which there is not", name, row)
			}
			covered[row] = true
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { runTranscript(t, archive) })
	}
	for _, row := range rows() {
		if !covered[row] {
			t.Errorf("row without a transcript: %s", row)
		}
	}
}

// transcript is one file.
type transcript struct {
	t       *testing.T
	parts   map[string]string
	answers []string
	asked   []string
}

func runTranscript(t *testing.T, a *txtar.Archive) {
	tr := &transcript{t: t, parts: map[string]string{}}
	for _, f := range a.Files {
		text := strings.TrimSuffix(string(f.Data), "\n")
		if f.Name == "answer" {
			tr.answers = append(tr.answers, text)
			continue
		}
		tr.parts[f.Name] = text
	}
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Transport = "https://mesh.test", "X26ABC1", "password", "TestKey", tr
	cfg.Attempts, cfg.ChunkSize = 1, 4
	cfg.Now = func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
	cfg.Nonce = func() string { return "2c001608-5f09-4840-9611-bea43e666a30" }
	words := strings.Fields(tr.parts["call"])
	if words[len(words)-1] == "v1" {
		cfg.APIVersion, words = 1, words[:len(words)-1]
	}
	c, err := mesh.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	value, err := perform(t.Context(), c, words)
	got := render(t, value)
	if err != nil {
		got = err.Error()
	}
	if want := tr.parts["result"]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := strings.Join(tr.asked, "\n"), tr.parts["request"]; got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
}

// RoundTrip notes the request, without what Go adds, and gives the next answer.
func (tr *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	lines := []string{r.Method + " " + r.URL.RequestURI()}
	for name := range r.Header {
		if name != "User-Agent" {
			lines = append(lines, name+": "+strings.Join(r.Header[name], ", "))
		}
	}
	slices.Sort(lines[1:])
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "> "+string(body))
	}
	tr.asked = append(tr.asked, lines...)
	if len(tr.answers) == 0 {
		return nil, errors.New("no further answer")
	}
	answer := strings.ReplaceAll(tr.answers[0], "\n", "\r\n")
	if !strings.Contains(answer, "\r\n\r\n") {
		answer += "\r\n\r\n"
	}
	tr.answers = tr.answers[1:]
	return http.ReadResponse(bufio.NewReader(bytes.NewReader([]byte(answer))), r)
}

// perform makes the call that a transcript names.
func perform(ctx context.Context, c *mesh.Client, words []string) (any, error) {
	arg := append(words[1:], "", "")
	switch words[0] {
	case "handshake":
		return "valid", c.Handshake(ctx)
	case "ping":
		return "answers", c.Ping(ctx)
	case "inbox":
		return collect(c.List(ctx, mesh.ListOptions{}))
	case "count":
		return c.Count(ctx)
	case "download":
		var body bytes.Buffer
		h, _, err := c.Download(ctx, arg[0], &body)
		return []any{h, body.String()}, err
	case "head":
		return c.Head(ctx, arg[0])
	case "acknowledge":
		return "acknowledged", c.Acknowledge(ctx, arg[0])
	case "send":
		return c.Send(ctx, mesh.Outgoing{To: "X26ABC2", WorkflowID: "TEST_WORKFLOW", LocalID: "L1", Body: strings.NewReader(arg[0])})
	case "track":
		return c.Track(ctx, arg[0])
	case "track-local":
		return c.TrackByLocalID(ctx, arg[0])
	case "lookup":
		return c.EndpointLookup(ctx, arg[0], arg[1])
	case "search":
		return c.WorkflowSearch(ctx, arg[0])
	case "rich":
		return c.RichInbox(ctx, mesh.RichOptions{})
	}
	return nil, errors.New("no such call")
}

// render writes a result as JSON without what is empty.
func render(t *testing.T, value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(prune(plain))
	return string(out)
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if item == "" || item == false || item == float64(0) || item == "0001-01-01T00:00:00Z" {
				delete(v, k)
				continue
			}
			v[k] = prune(item)
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}
