package conformance_test

import (
	"os"
	"testing"

	"signalbox/conformance/harness"
)

// How much more memory, in bytes, the same records may take in files ten times as large, and in files a hundred times as large: a file is worked
// through in pieces of bounded size, so what is left is the garbage collector's breath and the record's own cache, which a register fills.
const moreForLarger = 48e6

// The engine's memory is that of its pieces and caches: neither many files nor large ones make it grow. SIGNALBOX_LARGE_FILES=1 has the files grow a
// hundredfold too, to 40 MB each.
func TestMemoryStaysFlatAsFilesGrow(t *testing.T) {
	binary := harness.Binary(t)
	load := func(files, records int) (peak int64) {
		w, bodies := loadWorld(t, files, records)
		largest := 0
		for _, b := range bodies {
			largest = max(largest, len(b))
		}
		sendLoad(t, w, bodies)
		engine := w.StartBinary(t, binary, "flat")
		awaitLoad(t, w)
		peak = engine.Usage(t).Peak
		engine.Kill()
		t.Logf("%6d records in %3d files, the largest of %8d bytes: %4d MB at most", records, files, largest, peak/1e6)
		return peak
	}
	few := load(4, 1_200)
	many := load(40, 12_000)
	if many > 2*few {
		t.Errorf("ten times the files of one size take %d MB, and not %d", many/1e6, few/1e6)
	}
	if grown := load(4, 12_000); grown > many+moreForLarger {
		t.Errorf("files ten times as large take %d MB, where small ones took %d", grown/1e6, many/1e6)
	}
	if os.Getenv("SIGNALBOX_LARGE_FILES") == "" {
		return
	}
	register := load(400, 120_000)
	if grown := load(4, 120_000); grown > register+moreForLarger {
		t.Errorf("files a hundred times as large take %d MB, where small ones took %d", grown/1e6, register/1e6)
	}
}
