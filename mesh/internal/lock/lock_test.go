package lock

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHolderAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(name); !errors.Is(err, ErrHeld) {
		t.Errorf("a second holder: %v", err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(name)
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

// The name of the file may be an application's and is in no error.
func TestErrorsNameNoFile(t *testing.T) {
	_, err := Take(filepath.Join(t.TempDir(), "ann-smith", "lock"))
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "ann-smith") {
		t.Errorf("%v", err)
	}
}
