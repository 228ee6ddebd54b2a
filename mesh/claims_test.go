package mesh_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each claim of the README names tests that are there.
func TestClaimsHaveTests(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	must(t, err)
	_, table, ok := strings.Cut(string(raw), "## What is claimed")
	table, _, ended := strings.Cut(table, "\n## ")
	if !ok || !ended {
		t.Fatal("the README has no table of claims")
	}
	there := map[string]bool{}
	for _, dir := range []string{".", "folder", "../cmd/signalbox", "../engine/pipeline"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		must(t, err)
		for _, name := range files {
			code, err := os.ReadFile(name)
			must(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(code), -1) {
				there[m[1]] = true
			}
		}
	}
	claims := 0
	for _, row := range regexp.MustCompile(`(?m)^\| .* \|$`).FindAllString(table, -1)[1:] {
		names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(row, -1)
		if len(names) == 0 {
			t.Errorf("a claim without a test: %s", row)
		}
		for _, n := range names {
			if !there[n[1]] {
				t.Errorf("no test %s, of %s", n[1], row)
			}
		}
		claims++
	}
	if claims < 30 {
		t.Errorf("%d claims were read", claims)
	}
}
