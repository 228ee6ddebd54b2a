package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// publishedSchemasTake has the published schemas judge every XML message that the engine sent to an authority in the tests of this package: the
// files of a folder. They and Java have to be had; that nothing was judged is said, and is no failure: our own rules have judged each already.
func publishedSchemasTake(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) == 0 {
		return err
	}
	java, err := exec.LookPath("java")
	validator := filepath.Join("..", "shared", "bin", "CpisValidate.java")
	if _, missing := os.Stat(filepath.Join("..", validator)); missing != nil || err != nil || testing.Short() {
		fmt.Printf("NOT RUN: the published schemas, or Java, are not here (or -short): %d messages were held to our own rules alone\n", len(files))
		return nil
	}
	command := exec.Command(java, append([]string{validator}, files...)...)
	command.Dir = ".."
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the published schemas: %w\n%s", err, out)
	}
	if n := strings.Count(string(out), ": valid "); n != len(files) {
		return fmt.Errorf("the published schemas take %d of %d messages:\n%s", n, len(files), out)
	}
	fmt.Printf("the published schemas take all %d messages that the engine sent\n", len(files))
	return nil
}
