package mappings_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
)

// TestArchiveIsTheMapping loads every supplier from its own archive: same digest, same archive.
func TestArchiveIsTheMapping(t *testing.T) {
	dirs, err := os.ReadDir("suppliers")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		m, err := mappings.Load(mappings.Embedded(), dir.Name(), adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		again, err := mappings.LoadArchive(m.Archive(), adapters.All())
		if err != nil {
			t.Fatalf("%s: %v", dir.Name(), err)
		}
		if again.Digest() != m.Digest() || string(again.Archive()) != string(m.Archive()) || again.Supplier() != dir.Name() || again.Emit() != m.Emit() {
			t.Errorf("%s: the archive makes another mapping", dir.Name())
		}
		if len(m.Digest()) != 64 || m.Digest() != engine.Digest(m.Archive()) {
			t.Errorf("%s: the digest is not the archive's", dir.Name())
		}
	}
}

// TestDigest says what a mapping's identity hangs on: its rules, its source and its tables, not its tests nor a checkout's line ends.
func TestDigest(t *testing.T) {
	digest := func(change func(fstest.MapFS)) string {
		folder := copyOf(t, model)
		change(folder)
		m, err := mappings.Load(folder, model, adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		return m.Digest()
	}
	want := digest(func(fstest.MapFS) {})
	for name, change := range map[string]func(fstest.MapFS){
		"a test":    func(f fstest.MapFS) { f[model+"/tests/new.txtar"] = &fstest.MapFile{Data: []byte("x")} },
		"the notes": func(f fstest.MapFS) { delete(f, model+"/README.md") },
		"line ends": func(f fstest.MapFS) {
			for _, file := range f {
				file.Data = []byte(strings.ReplaceAll(string(file.Data), "\n", "\r\n"))
			}
		},
		"a last line break": func(f fstest.MapFS) {
			file := f[model+"/source.yaml"]
			file.Data = []byte(strings.TrimRight(string(file.Data), "\n"))
		},
	} {
		if digest(change) != want {
			t.Errorf("%s changes the digest", name)
		}
	}
	for _, line := range []string{
		`mapping.yaml: const: "998" => const: "997"`,
		`source.yaml: encoding: windows-1252 => encoding: iso-8859-15`,
		`tables/plan-type.csv: CP plan => plan`,
	} {
		if digest(func(f fstest.MapFS) { edit(t, f, model, line) }) == want {
			t.Errorf("%s does not change the digest", line)
		}
	}
}

func TestLoadArchiveRefuses(t *testing.T) {
	m := northshire(t)
	for name, raw := range map[string]string{
		"nothing":          "",
		"noise":            "noise",
		"another order":    "-- source.yaml --\nformat: csv\n-- mapping.yaml --\nsupplier: x\n",
		"a missing file":   "-- mapping.yaml --\nsupplier: x\n",
		"comment before":   "hello\n" + string(m.Archive()),
		"bad mapping":      strings.Replace(string(m.Archive()), "from: start_dt", "from: strat_dt", 1),
		"windows line end": strings.ReplaceAll(string(m.Archive()), "\n", "\r\n"),
	} {
		if _, err := mappings.LoadArchive([]byte(raw), adapters.All()); err == nil {
			t.Errorf("%s is loaded", name)
		}
	}
}

func TestLoadRefusesFolders(t *testing.T) {
	tests := map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"no mapping": {func(f fstest.MapFS) { delete(f, model+"/mapping.yaml") }, "northshire-csv/mapping.yaml: E124 the file is missing"},
		"no source":  {func(f fstest.MapFS) { delete(f, model+"/source.yaml") }, "northshire-csv/source.yaml: E124 the file is missing"},
		"empty":      {func(f fstest.MapFS) { f[model+"/mapping.yaml"].Data = nil }, "E100 the file is empty"},
		"marker line": {func(f fstest.MapFS) {
			f[model+"/source.yaml"].Data = append(f[model+"/source.yaml"].Data, "-- x --\n"...)
		}, "cannot stand in a mapping"},
		"too large": {func(f fstest.MapFS) {
			f[model+"/source.yaml"].Data = make([]byte, 5<<20)
		}, "larger than"},
		"two documents": {func(f fstest.MapFS) {
			f[model+"/mapping.yaml"].Data = append(f[model+"/mapping.yaml"].Data, "---\na: b\n"...)
		}, "a second document follows"},
	}
	for name, tt := range tests {
		folder := copyOf(t, model)
		tt.change(folder)
		_, err := mappings.Load(folder, model, adapters.All())
		if _, ok := errors.AsType[mappings.Problems](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
