package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := Dir(dir); err != nil {
		t.Error(err)
	}
	if err := Dir(filepath.Join(dir, "ann-smith")); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "ann-smith") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestNameless(t *testing.T) {
	dir := t.TempDir()
	_, opened := os.Open(filepath.Join(dir, "ann-smith"))
	renamed := os.Rename(filepath.Join(dir, "ann-smith"), filepath.Join(dir, "ann-brown"))
	for _, err := range []error{opened, renamed} {
		got := Nameless(err)
		if !errors.Is(got, fs.ErrNotExist) || strings.Contains(got.Error(), "ann-") || !strings.Contains(err.Error(), "ann-") {
			t.Errorf("%v became %v", err, got)
		}
	}
	if other := errors.New("other"); Nameless(other) != other || Nameless(nil) != nil {
		t.Error("what names no file was changed")
	}
}
