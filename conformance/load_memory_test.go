package conformance_test

import (
	"testing"

	"signalbox/conformance/harness"
)

// What a byte of a larger file may cost of memory at most: a file is in memory as it came, as its decoder reads it, as it is kept and as its
// events, one more of them than there are processors, and the garbage collector lets that double.
const memoryPerByte = 32

// The engine's memory is that of a few files and not of the register: ten times the files take less than twice as much, most of it the database's
// bounded cache, and the same records in files ten times as large take a quarter and so many bytes more for each byte by which the largest grew.
func TestMemoryStaysFlatAsFilesGrow(t *testing.T) {
	binary := harness.Binary(t)
	load := func(files, records int) (peak int64, largest int) {
		w, bodies := loadWorld(t, files, records)
		sendLoad(t, w, bodies)
		engine := w.StartBinary(t, binary, "flat")
		awaitLoad(t, w)
		peak = engine.Usage(t).Peak
		engine.Kill()
		for _, b := range bodies {
			largest = max(largest, len(b))
		}
		t.Logf("%6d records in %3d files, the largest of %8d bytes: %4d MB at most", records, files, largest, peak/1e6)
		return peak, largest
	}
	few, small := load(4, 1_200)
	many, _ := load(40, 12_000)
	grown, large := load(4, 12_000)
	if many > 2*few {
		t.Errorf("ten times the files of one size take %d MB, and not %d", many/1e6, few/1e6)
	}
	if allowed := many + many/4 + int64(large-small)*memoryPerByte; grown > allowed {
		t.Errorf("files ten times as large take %d MB, and not %d or less", grown/1e6, allowed/1e6)
	}
}
