package cpis

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that README.md names as proof exists somewhere in the repository.
func TestReadmeNamesTestsThatExist(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(readme), "## What is known of the scheme")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "## Assumptions")
	var sources strings.Builder
	require.NoError(t, filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		sources.Write(source)
		return err
	}))
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(table, -1)
	require.Greater(t, len(named), 15)
	for _, m := range named {
		require.Contains(t, sources.String(), "func "+m[1]+"(", "README.md names a test that is not there")
	}
}
