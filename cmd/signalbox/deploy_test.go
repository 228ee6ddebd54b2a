package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Every command line in deploy/ is one that this binary takes: the command is there, and so are its flags.
func TestTheDeployedCommandLinesAreOurs(t *testing.T) {
	read := func(path string) string {
		raw, err := os.ReadFile("../../deploy/" + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var lines [][]string
	for _, m := range regexp.MustCompile(`(?m)^Exec\w+=/usr/local/bin/signalbox (.*)$`).FindAllStringSubmatch(read("systemd/signalbox.service"), -1) {
		lines = append(lines, strings.Fields(m[1]))
	}
	var compose struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal([]byte(read("compose/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^CMD (\[.*\])$`).FindStringSubmatch(read("compose/Dockerfile"))
	if m == nil {
		t.Fatal("the image has no CMD")
	}
	var image []string
	if err := yaml.Unmarshal([]byte(m[1]), &image); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(image, compose.Services["signalbox"].Command) {
		t.Errorf("the image runs %q, the compose file %q", image, compose.Services["signalbox"].Command)
	}
	if lines = append(lines, image); len(lines) < 3 {
		t.Fatalf("only %d command lines were found", len(lines))
	}
	for _, line := range append(lines, []string{"run", "--no-such-flag"}) {
		root := rootCommand()
		root.SetOut(io.Discard)
		c, rest, err := root.Find(line)
		if err == nil && c.Name() != line[0] {
			t.Errorf("%q: there is no such command", line)
		}
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if wanted := line[len(line)-1] != "--no-such-flag"; (err == nil) != wanted {
			t.Errorf("%q: %v", line, err)
		}
	}
}
