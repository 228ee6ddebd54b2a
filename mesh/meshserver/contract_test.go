package meshserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// contract is the part of the published OpenAPI text that answers can be held against.
type contract struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema schema `yaml:"schema"`
			} `yaml:"content"`
		} `yaml:"responses"`
	} `yaml:"paths"`
}

type schema struct {
	Type       string            `yaml:"type"`
	Required   []string          `yaml:"required"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
}

// published reads the OpenAPI text, which is no part of the project; nil where it is not at hand.
var published = sync.OnceValue(func() *contract {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "schemas", "mesh", "mesh-api.yaml"))
	if err != nil {
		return nil
	}
	c := &contract{}
	if err := yaml.Unmarshal(raw, c); err != nil {
		panic(err)
	}
	return c
})

// undocumented lists what is answered although the published text does not document it, and why.
func undocumented() map[string]string {
	return map[string]string{
		"400 application/vnd.mesh.v2+json":  "codes 06, 07, 08, 11 and bad checksums: the text lists the codes and documents the validation shape alone",
		"404":                               "an id that does not exist, where the text documents no status for it",
		"410":                               "acknowledging what is no longer there",
		"406":                               "a chunk above the total: seen in the sandbox",
		"413":                               "above 100 MB: the text says the limit and not the answer",
		"422":                               "an encoding that is not gzip: seen in the sandbox",
		"304":                               "If-None-Match",
		"500":                               "a body that is not what its sender said",
		"503":                               "injected",
		"502":                               "injected",
		"GET /messageexchange/{mailbox_id}": "the handshake's sample is a GET, its description a POST",
	}
}

// find returns the documented path for a request's.
func (c *contract) find(segments []string) string {
	best, fixed := "", -1
	for path := range c.Paths {
		parts := strings.Split(strings.Trim(path, "/"), "/")
		if len(parts) != len(segments) {
			continue
		}
		same := 0
		for i, part := range parts {
			switch {
			case part == segments[i]:
				same++
			case !strings.HasPrefix(part, "{"):
				same = -1000
			}
		}
		if same > fixed && same >= 0 {
			best, fixed = path, same
		}
	}
	return best
}

// check holds an answer against the text and returns what is wrong with it.
func (c *contract) check(method, path string, status int, media string, body []byte) string {
	exceptions := undocumented()
	call, ok := c.Paths[path][strings.ToLower(method)]
	if !ok {
		if status == http.StatusMethodNotAllowed || exceptions[method+" "+path] != "" {
			return ""
		}
		return "the call is not documented"
	}
	answer, ok := call.Responses[fmt.Sprint(status)]
	if !ok {
		if exceptions[fmt.Sprint(status)] != "" {
			return ""
		}
		return "the status is not documented"
	}
	if len(answer.Content) == 0 || len(body) == 0 {
		return ""
	}
	documented, ok := answer.Content[media]
	switch {
	case ok:
	case exceptions[fmt.Sprint(status, " ", media)] != "":
		return ""
	case answer.Content["application/octet-stream"].Schema.Type != "" || strings.HasPrefix(path, "/messageexchange/{mailbox_id}/inbox/{message_id}"):
		return "" // a body has the type that its sender gave it
	default:
		return "the media type is not documented: " + media
	}
	if !strings.HasSuffix(media, "json") {
		return ""
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return "the body is no JSON"
	}
	return documented.Schema.check(value, "")
}

// check is JSON Schema as far as the text uses it. A null stands for a property that is not there, as in version 1 of the
// tracking.
func (s schema) check(value any, at string) string {
	switch v := value.(type) {
	case map[string]any:
		if s.Type != "object" && s.Type != "" {
			return at + ": is an object"
		}
		for _, name := range s.Required {
			if v[name] == nil {
				return at + "/" + name + ": is missing"
			}
		}
		for name, inner := range v {
			if p, ok := s.Properties[name]; ok && inner != nil {
				if problem := p.check(inner, at+"/"+name); problem != "" {
					return problem
				}
			}
		}
	case []any:
		if s.Type != "array" && s.Type != "" {
			return at + ": is an array"
		}
		for _, inner := range v {
			if s.Items != nil {
				if problem := s.Items.check(inner, at+"/*"); problem != "" {
					return problem
				}
			}
		}
	default:
		got := map[string][]string{"string": {"string"}, "float64": {"integer", "number"}, "bool": {"boolean"}}[fmt.Sprintf("%T", value)]
		if s.Type != "" && !slices.Contains(got, s.Type) {
			return fmt.Sprintf("%s: is a %T and not a %s", at, value, s.Type)
		}
	}
	return ""
}

// answered collects what documented answers were seen, over all tests of the package.
type answered struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (a *answered) add(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[key] = true
}

// held holds every answer of a server against the published text, where it is at hand.
func held(t testing.TB, server http.Handler, seen *answered) http.Handler {
	c := published()
	if c == nil {
		return server
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &holding{ResponseWriter: w, status: http.StatusOK}
		server.ServeHTTP(rec, r)
		segments, _ := splitPath(r.URL.EscapedPath())
		path := c.find(segments)
		if path == "" || rec.status == http.StatusTemporaryRedirect {
			return
		}
		if problem := c.check(r.Method, path, rec.status, w.Header().Get("Content-Type"), rec.body); problem != "" {
			t.Errorf("contract: %s %s %d: %s: %s", r.Method, path, rec.status, problem, rec.body)
		}
		seen.add(fmt.Sprint(r.Method, " ", path, " ", rec.status))
	})
}

type holding struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (h *holding) WriteHeader(status int) {
	h.status = status
	h.ResponseWriter.WriteHeader(status)
}

func (h *holding) Write(p []byte) (int, error) {
	if len(h.body) < 1<<20 {
		h.body = append(h.body, p...)
	}
	return h.ResponseWriter.Write(p)
}

func (h *holding) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// The transcripts of the strict profile keep to the published text, and between them they see every answer that it
// documents.
func TestTranscriptsKeepTheContract(t *testing.T) {
	c := published()
	if c == nil {
		t.Log("NOT RUN: the published OpenAPI text is not at hand, so no answer is held against it")
		return
	}
	seen := &answered{seen: map[string]bool{}}
	for _, file := range transcripts(t).Files {
		if !strings.HasPrefix(string(file.Data), notTested) {
			t.Run(file.Name, func(t *testing.T) { playWith(t, Strict, string(file.Data), seen) })
		}
	}
	for path, calls := range c.Paths {
		for method, call := range calls {
			for status := range call.Responses {
				key := strings.ToUpper(method) + " " + path + " " + status
				if why := unreachable(key); !seen.seen[key] && why == "" {
					t.Errorf("%s is documented and was never answered", key)
				}
			}
		}
	}
}

// unreachable says why an answer that is documented is never given.
func unreachable(key string) string {
	switch {
	case strings.HasSuffix(key, " 400") && !strings.Contains(key, "/outbox"):
		return "the text documents a validation error for every call; most have nothing to validate but Accept, which is tested with one"
	case strings.HasPrefix(key, "HEAD ") && strings.HasSuffix(key, " 403"):
		return "a token that does not hold, as with every call; HEAD by a stranger is 404 as in the sandbox"
	case strings.HasSuffix(key, " 403"):
		return "a token that does not hold: TestEveryMailboxCallAsksForAToken has it for every call"
	case strings.Contains(key, "/tracking") && strings.HasSuffix(key, " 400"):
		return "as above"
	case strings.Contains(key, "/{chunk_number} 410"):
		return "as for the first chunk"
	}
	return ""
}
