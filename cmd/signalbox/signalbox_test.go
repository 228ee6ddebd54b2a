package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"signalbox/engine"
	"signalbox/engine/stream/redistest"
)

// envBinary makes the test binary the command itself, so that tests can run it as a process of its own and kill it.
const envBinary = "SIGNALBOX_TEST_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(envBinary) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// command runs one command line and returns its exit code and what it printed.
func command(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := execute(context.Background(), args, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestExitCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want int
	}{
		"help":              {[]string{"--help"}, exitOK},
		"nothing":           {nil, exitOK},
		"version":           {[]string{"version"}, exitOK},
		"schema":            {[]string{"schema", "event"}, exitOK},
		"unknown command":   {[]string{"dance"}, exitUsage},
		"unknown flag":      {[]string{"run", "--fast"}, exitUsage},
		"too many words":    {[]string{"version", "now"}, exitUsage},
		"no configuration":  {[]string{"check", "--config", "nowhere.yaml"}, exitFailed},
		"bad log level":     {[]string{"run", "--log-level", "loud"}, exitFailed},
		"update everything": {[]string{"mapping", "test", "--update"}, exitFailed},
	} {
		code, out, errOut := command(t, tc.args...)
		if code != tc.want {
			t.Errorf("%s: exit %d, want %d: %s%s", name, code, tc.want, out, errOut)
		}
		if code != exitOK && errOut == "" {
			t.Errorf("%s: fails without a word", name)
		}
	}
}

func TestBuiltInSuppliersLintAndPassTheirTests(t *testing.T) {
	for _, args := range [][]string{{"mapping", "lint"}, {"mapping", "test"}} {
		code, out, errOut := command(t, args...)
		if code != exitOK || strings.Contains(out, "FAIL") || strings.Count(out, "northshire-csv") == 0 {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, errOut)
		}
	}
}

// A newcomer's mistake is shown with its place and what may have been meant; the exit code tells a script.
func TestMappingWithAMistake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "northshire-csv")
	if err := os.CopyFS(dir, os.DirFS("../../mappings/suppliers/northshire-csv")); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := command(t, "mapping", "test", dir); code != exitOK {
		t.Fatalf("a copy of a good folder: exit %d\n%s", code, out)
	}
	path := filepath.Join(dir, "mapping.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(raw, []byte("from: start_dt"), []byte("from: strat_dt"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := command(t, "mapping", "lint", dir)
	if code != exitFailed || !strings.Contains(out, "strat_dt") || !strings.Contains(out, "^^^^^^^^") || !strings.Contains(out, `did you mean "start_dt"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	code, out, errOut := command(t, "demo", "--dir", dir)
	if code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	for _, want := range []string{
		"CPF03 Partial File Upload", "CPF01 File Level Error", "row 3 parked: code-unmapped", "CareTeam about Ada: 2 plans stand",
		"call work 01632960001, mobile 01632960002", "total 0", "Northshire is told: its child NS-2", "6. ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the story does not say %q:\n%s", want, out)
		}
	}
	for mailbox, want := range map[string]int{"TESTLA01": 4, "TESTLA02": 3} {
		if files, _ := filepath.Glob(filepath.Join(dir, "la", mailbox, "*")); len(files) != want {
			t.Errorf("%s received %d files, want %d", mailbox, len(files), want)
		}
	}
	validateXML(t, dir)
	if code, _, errOut := command(t, "demo", "--dir", dir); code != exitFailed || !strings.Contains(errOut, "not empty") {
		t.Errorf("a second demo in the same folder: exit %d, %s", code, errOut)
	}
	if code, out, errOut := command(t, "check", "--config", filepath.Join(dir, "signalbox.yaml")); code != exitOK || !strings.Contains(out, "northshire-csv") {
		t.Errorf("the demo's own configuration: exit %d, %s", code, errOut)
	}
}

// validateXML holds every XML file of the demo against the published schemas, where they and a Java are at hand.
func validateXML(t *testing.T, dir string) {
	t.Helper()
	shared, err := filepath.Abs("../../../shared")
	if err != nil {
		t.Fatal(err)
	}
	java, err := exec.LookPath("java")
	if _, statErr := os.Stat(filepath.Join(shared, "bin", "CpisValidate.java")); err != nil || statErr != nil {
		t.Log("NOT RUN: the published schemas or java are not here, so the demo's XML was not held against them")
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "la", "*", "*.xml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d XML files, %v", len(files), err)
	}
	cmd := exec.Command(java, append([]string{filepath.Join(shared, "bin", "CpisValidate.java")}, files...)...)
	cmd.Env = append(os.Environ(), "CPIS_SCHEMAS="+filepath.Join(shared, "schemas", "cpis"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": valid") != len(files) {
		t.Errorf("the schemas refuse what an authority received: %v\n%s", err, out)
	}
}

func TestDemoOverRedis(t *testing.T) {
	server := redistest.Start(t)
	code, out, errOut := command(t, "demo", "--dir", filepath.Join(t.TempDir(), "demo"), "--stream", server.URL())
	if code != exitOK || !strings.Contains(out, "over Redis Streams") || !strings.Contains(out, "Northshire is told: its child NS-2") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if streams, err := server.Do("DBSIZE"); err != nil || streams != strconv.Itoa(len(engine.Kinds())) {
		t.Errorf("Redis holds %s keys (%v), want one stream for each of the %d topics", streams, err, len(engine.Kinds()))
	}
}

// Told to stop, the engine drains and exits with 0, also when MESH cannot be reached.
func TestRunDrainsWhenToldToStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if code, out, errOut := command(t, "demo", "--dir", dir); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- execute(ctx, []string{"run", "--config", filepath.Join(dir, "signalbox.yaml")}, io.Discard, in)
		in.Close()
	}()
	ready := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), `"msg":"ready"`) {
			ready = true
			cancel()
		}
	}
	cancel()
	if code := <-exit; code != exitOK || !ready {
		t.Errorf("exit %d, ready %v", code, ready)
	}
}

func TestInterruptedDemoSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errOut bytes.Buffer
	if code := execute(ctx, []string{"demo", "--dir", filepath.Join(t.TempDir(), "demo")}, &out, &errOut); code != exitFailed {
		t.Errorf("exit %d", code)
	}
}
