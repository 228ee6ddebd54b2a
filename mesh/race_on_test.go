//go:build race

package mesh_test

// raceEnabled makes tests that move much data smaller.
const raceEnabled = true
