package mappings_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

// refused is what a test wants of a record, or a file, that is not accepted.
var refused = regexp.MustCompile(`(?m)^(record \d+|file) (rejected|parked)$|^  ! `)

// TestSuppliers lints every supplier's folder and runs its tests. SIGNALBOX_UPDATE=1 rewrites what they want.
func TestSuppliers(t *testing.T) {
	root := os.DirFS("suppliers")
	dirs, err := fs.ReadDir(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	var options []mappings.TestOption
	if os.Getenv("SIGNALBOX_UPDATE") != "" {
		options = append(options, mappings.Update(func(path string, content []byte) error {
			return os.WriteFile(filepath.Join("suppliers", path), content, 0o644)
		}))
	}
	for _, dir := range dirs {
		t.Run(dir.Name(), func(t *testing.T) {
			m, err := mappings.Load(root, dir.Name(), adapters.All())
			if err != nil {
				t.Fatalf("lint:\n%s", render(t, err, root))
			}
			report, err := mappings.RunTests(root, dir.Name(), m, options...)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Results) < 12 || report.Failed() > 0 {
				var b strings.Builder
				_ = report.Render(&b)
				t.Errorf("at least twelve tests, none failing:\n%s", b.String())
			}
			bad := 0
			for _, r := range report.Results {
				raw, err := fs.ReadFile(root, r.Path)
				if err != nil {
					t.Fatal(err)
				}
				if refused.Match(raw) {
					bad++
				}
			}
			t.Logf("%d tests, %d of bad input", len(report.Results), bad)
			if bad*2 < len(report.Results) {
				t.Errorf("%d of %d tests are of bad input: half of them should be", bad, len(report.Results))
			}
			if _, err := fs.Stat(root, dir.Name()+"/README.md"); err != nil {
				t.Errorf("a supplier has a README.md of its quirks: %v", err)
			}
		})
	}
}

func render(t *testing.T, err error, source fs.FS) string {
	t.Helper()
	problems, ok := err.(mappings.Problems)
	if !ok {
		return err.Error()
	}
	var b strings.Builder
	if err := problems.Render(&b, source); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
