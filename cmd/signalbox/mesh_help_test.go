package main

import (
	"strings"
	"testing"
)

// Every mesh command explains itself with an example that is itself a command line, and the flags that users of the NHS Python client
// know are there under their names.
func TestMeshHelp(t *testing.T) {
	top := meshCommand()
	for _, c := range append(top.Commands(), top) {
		if c.Name() == "serve" {
			continue
		}
		if c.Long == "" || !strings.Contains(c.Example, "signalbox mesh ") {
			t.Errorf("%s: no text or no example", c.Name())
		}
		for _, line := range strings.Split(c.Example, "\n") {
			if words := strings.Fields(line); len(words) > 2 && words[0] == "signalbox" && words[1] == "mesh" {
				exampleParses(t, words[2:])
			}
		}
	}
	code, out, _ := command(t, "mesh", "send", "--help")
	for _, flag := range []string{"--to", "--workflow-id", "--filename", "--local-id", "--subject", "--encrypted", "--compressed", "--checksum", "--content-type",
		"--compress", "--max-chunk-size", "--url", "--mailbox", "--cert", "--timeout", "--json"} {
		if code != exitOK || !strings.Contains(out, flag+" ") {
			t.Errorf("send has no %s", flag)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, errOut := command(t, "completion", shell); code != exitOK || len(out) < 500 {
			t.Errorf("%s: exit %d, %s", shell, code, errOut)
		}
	}
	if _, out, _ := command(t, "__complete", "mesh", "list", "--api-version", ""); !strings.HasPrefix(out, "1\n2\n") {
		t.Errorf("versions complete to %q", out)
	}
}

// exampleParses checks that an example's flags are flags.
func exampleParses(t *testing.T, words []string) {
	t.Helper()
	c, rest, err := meshCommand().Find(words)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range rest {
		if w == "|" || w == "||" || w == ">" {
			rest = rest[:i]
			break
		}
	}
	c.InheritedFlags()
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", strings.Join(words, " "), err)
	}
}
