// Command figures runs the benchmarks and ends with one line a figure: figure <room>/<name> <value> <unit> ratio=<r> of=<reference>.
// A ratio above 1 means better than the reference, which was measured in the same run.
//
//	go run ./conformance/figures            every room
//	go run ./conformance/figures mesh       one room and what is below it
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

func main() {
	rooms := []string{"./..."}
	if len(os.Args) == 2 && os.Args[1] != "..." {
		rooms = []string{"./" + strings.Trim(os.Args[1], "./") + "/..."}
	}
	if err := run(rooms, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(rooms []string, out io.Writer) error {
	args := append([]string{"test", "-run", "^$", "-bench", ".", "-benchtime", "1s", "-timeout", "60m", "-p", "1"}, rooms...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
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
	fmt.Fprintln(out)
	for _, f := range figures {
		fmt.Fprintln(out, f)
	}
	return cmd.Wait()
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
