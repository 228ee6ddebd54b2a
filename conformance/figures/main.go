// Command figures runs the benchmarks and ends with one line a figure: figure <room>/<name> <value> <unit> ratio=<r> of=<reference>.
// A ratio above 1 means better than the reference, which was measured in the same run.
//
//	go run ./conformance/figures            every room
//	go run ./conformance/figures mesh       one room and what is below it
//
// The comparisons with the stock Watermill driver and with Bloblang stand in a module of their own and come with the rooms engine/stream and
// mappings; where its modules cannot be had, a line says that they were not run.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// comparison is a module of its own, with modules that the product does not need: the stock Watermill driver, Bloblang.
const comparison = "conformance/bench"

func main() {
	room := "..."
	if len(os.Args) == 2 {
		room = strings.Trim(os.Args[1], "./")
	}
	if err := run(room, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// run takes the figures of a room and, where they belong to it, those of the comparison; the figure lines come last.
func run(room string, out io.Writer) error {
	rooms := "./..."
	if room != "" && room != "..." {
		rooms = "./" + room + "/..."
	}
	var figures []string
	var failed error
	if room != comparison {
		figures, failed = bench(".", rooms, ".", out)
	}
	if pattern := comparisonFor(room); pattern != "" {
		if text, err := exec.Command("go", "-C", comparison, "mod", "download").CombinedOutput(); err != nil {
			fmt.Fprintf(out, "\nNOT RUN: %s, because its modules cannot be had here: %s\n", comparison, text)
		} else {
			more, err := bench(comparison, "./...", pattern, out)
			figures, failed = append(figures, more...), errors.Join(failed, err)
		}
	}
	fmt.Fprintln(out)
	for _, f := range figures {
		fmt.Fprintln(out, f)
	}
	return failed
}

// comparisonFor says which benchmarks of the comparison belong to a room: none where it is empty.
func comparisonFor(room string) string {
	switch room {
	case "", "...", "conformance", comparison:
		return "."
	case "mappings":
		return "WholeCSV"
	case "engine", "engine/stream":
		return "Consume|Publish|Latency"
	}
	return ""
}

// bench runs the benchmarks that match of one module's packages, passes their output on and returns the figures in it.
func bench(dir, packages, pattern string, out io.Writer) ([]string, error) {
	cmd := exec.Command("go", "-C", dir, "test", "-run", "^$", "-bench", pattern, "-benchtime", "1s", "-timeout", "60m", "-p", "1", packages)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var figures []string
	room := ""
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(out, line)
		if pkg, ok := strings.CutPrefix(line, "pkg: signalbox/"); ok {
			room = pkg
		}
		figures = append(figures, figuresOf(room, line)...)
	}
	return figures, cmd.Wait()
}

// prefix begins the unit of a ratio: x_ref:<reference>.
const prefix = "x_ref"

// figuresOf reads one line of a benchmark's output. Every metric but the ratio becomes a figure; bytes and allocations do not.
func figuresOf(room, line string) []string {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return nil
	}
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	ratio, reference := "", ""
	var values [][2]string
	for i := 2; i+1 < len(fields); i += 2 {
		value, unit := fields[i], fields[i+1]
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return nil
		}
		switch {
		case strings.HasPrefix(unit, prefix):
			ratio, reference = value, strings.TrimPrefix(strings.TrimPrefix(unit, prefix), ":")
		case unit == "B/op" || unit == "allocs/op":
		default:
			values = append(values, [2]string{value, unit})
		}
	}
	var out []string
	for _, v := range values {
		figure := fmt.Sprintf("figure %s/%s %s %s", room, name, v[0], v[1])
		if ratio != "" {
			if reference == "" {
				reference = "reference"
			}
			figure += fmt.Sprintf(" ratio=%s of=%s", ratio, reference)
		}
		out = append(out, figure)
	}
	return out
}
