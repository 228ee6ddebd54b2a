package conformance_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
)

// What a container runtime would find out first: who waits for whom, under which names and ports they meet, and how long a drain may take.
func TestTheComposeServicesMeet(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
			Environment map[string]string
			Networks    []string
			Ports       []string
			Healthcheck struct {
				Test              []string
				Interval, Timeout time.Duration
				Retries           int
			}
			StopGracePeriod time.Duration `yaml:"stop_grace_period"`
		}
	}
	harness.Must(t, yaml.Unmarshal(deployed(t, "compose/compose.yaml"), &compose))
	engine := compose.Services["signalbox"]
	for name, on := range engine.DependsOn {
		s, ok := compose.Services[name]
		if h := s.Healthcheck; !ok || on.Condition != "service_healthy" || len(h.Test) != 2 || h.Interval <= 0 || h.Timeout <= 0 || h.Retries < 1 {
			t.Errorf("the engine waits for %s to be %q, which it is never found to be", name, on.Condition)
		}
		if !slices.Contains(s.Networks, "inside") || !slices.Contains(engine.Networks, "inside") {
			t.Errorf("the engine does not reach %s", name)
		}
	}
	cfg, err := app.ParseConfig(deployed(t, "compose/signalbox.yaml"))
	harness.Must(t, err)
	record, err := url.Parse(cfg.Store.URL)
	harness.Must(t, err)
	database := compose.Services[record.Hostname()]
	user, name := record.User.Username(), strings.TrimPrefix(record.Path, "/")
	if database.Environment["POSTGRES_USER"] != user || database.Environment["POSTGRES_DB"] != name {
		t.Errorf("the engine's database is %s of %s, the server makes %v", name, user, database.Environment)
	}
	if want := "pg_isready -U " + user + " -d " + name; len(database.Healthcheck.Test) != 2 || database.Healthcheck.Test[1] != want {
		t.Errorf("the database is asked %q, want %q", database.Healthcheck.Test, want)
	}
	for _, text := range cfg.Stream.URLs {
		redis, err := url.Parse(text)
		harness.Must(t, err)
		if _, ok := compose.Services[redis.Hostname()]; !ok || redis.Port() != "6379" {
			t.Errorf("there is no Redis at %s", redis.Host)
		}
	}
	image := string(deployed(t, "compose/Dockerfile"))
	for _, address := range []string{cfg.Listen.FHIR, cfg.Listen.Operations} {
		host, port, err := net.SplitHostPort(address)
		harness.Must(t, err)
		if host != "0.0.0.0" || !slices.Contains(engine.Ports, "127.0.0.1:"+port+":"+port) || !regexp.MustCompile(`(?m)^EXPOSE .*\b`+port+`\b`).MatchString(image) {
			t.Errorf("port %s of the engine is not published, or the image does not name it", port)
		}
	}
	if len(engine.Ports) != 2 || engine.StopGracePeriod < 90*time.Second {
		t.Errorf("ports %v, and %v for a drain of a minute", engine.Ports, engine.StopGracePeriod)
	}
}

// systemd itself reads the unit, where it is installed.
func TestSystemdTakesTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("NOT CHECKED: deploy/systemd/signalbox.service by systemd-analyze verify, which is not installed here")
		return
	}
	// It wants to see the program; any will do.
	dir := t.TempDir()
	program := filepath.Join(dir, "signalbox")
	harness.Must(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	path := filepath.Join(dir, "signalbox.service")
	unit := strings.ReplaceAll(string(deployed(t, "systemd/signalbox.service")), "/usr/local/bin/signalbox", program)
	verify := func(unit string) (string, error) {
		harness.Must(t, os.WriteFile(path, []byte(unit), 0o600))
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		return string(out), err
	}
	if out, err := verify(unit); err != nil || strings.Contains(out, "signalbox.service:") {
		t.Errorf("systemd does not take the unit: %v\n%s", err, out)
	}
	if out, _ := verify(strings.Replace(unit, "NoNewPrivileges=yes", "NoNewPrivilege=yes", 1)); !strings.Contains(out, "NoNewPrivilege") {
		t.Errorf("a misspelt setting is not seen:\n%s", out)
	}
}
