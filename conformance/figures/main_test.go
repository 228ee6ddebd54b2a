package main

import (
	"strings"
	"testing"
)

func TestFiguresOf(t *testing.T) {
	line := "BenchmarkDecode/csv-2   100   12345 ns/op   2.50 x_ref:encoding/csv   81000 rows/s   16 B/op   2 allocs/op"
	want := "figure adapters/csv/Decode/csv 12345 ns/op ratio=2.50 of=encoding/csv\nfigure adapters/csv/Decode/csv 81000 rows/s ratio=2.50 of=encoding/csv"
	if got := strings.Join(figuresOf("adapters/csv", line), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range []string{"ok  signalbox 1s", "BenchmarkBroken-2 100", "BenchmarkOdd-2 100 x ns/op", ""} {
		if got := figuresOf("x", line); got != nil {
			t.Errorf("%q gives %v", line, got)
		}
	}
}

// Each comparison belongs to a room: asking for another room does not run it.
func TestTheComparisonComesWithItsRooms(t *testing.T) {
	for room, want := range map[string]string{"...": ".", "engine/stream": "Consume|Publish|Latency", comparison: ".", "mappings": "WholeCSV", "mesh": "", "engine/store": ""} {
		if got := comparisonFor(room); got != want {
			t.Errorf("%s: %q, want %q", room, got, want)
		}
	}
}
