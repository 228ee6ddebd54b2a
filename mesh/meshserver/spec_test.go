package meshserver

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every path and method of the published OpenAPI text is answered here, where that text is at hand. It is not part of the
// project.
func TestEveryPublishedCallIsRouted(t *testing.T) {
	name := filepath.Join("..", "..", "..", "shared", "schemas", "mesh", "mesh-api.yaml")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Log("NOT RUN: the published OpenAPI text is not at hand, so the routes are not compared with it")
		return
	}
	known := map[string]bool{}
	for _, rt := range routes(false) {
		known[rt.method+" /"+strings.Join(rt.path, "/")] = true
	}
	path, calls := "", 0
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	for line := range strings.SplitSeq(string(raw), "\n") {
		if p, ok := strings.CutPrefix(line, "  /messageexchange/"); ok {
			p = strings.TrimSuffix(p, ":")
			p = strings.Replace(p, "{mailbox_id}", "<mb>", 1)
			path = "/messageexchange/" + strings.Replace(parameter.ReplaceAllString(p, "{}"), "<mb>", "{mb}", 1)
			continue
		}
		method := strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(line, "    "), ":"))
		switch {
		case path == "" || len(line)-len(strings.TrimLeft(line, " ")) != 4:
		case method == "GET" || method == "POST" || method == "PUT" || method == "HEAD":
			if calls++; !known[method+" "+path] {
				t.Errorf("%s %s is published and not answered", method, path)
			}
		}
	}
	if calls != 13 {
		t.Errorf("%d calls were found in the published text, want 13", calls)
	}
}
