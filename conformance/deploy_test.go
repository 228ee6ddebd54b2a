package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/observe"
	"signalbox/engine/store"
	"signalbox/engine/stream"
)

// metric is what the registry says of one metric.
type metric struct {
	kind   string // as the guide has it; TestTheMetricsTellTheStory holds the guide to what is scraped
	labels []string
}

// idle is a record and a transport that hold nothing.
type idle struct{ stream.Transport }

func (idle) Stats(context.Context) (store.Stats, error)                 { return store.Stats{}, nil }
func (idle) Pulse(context.Context) error                                { return nil }
func (idle) Backlogs(context.Context, string) ([]stream.Backlog, error) { return nil, nil }

var describedAs = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(?:[^"\\]|\\.)*", (?:unit: "[^"]*", )?constLabels: \{.*?\}, variableLabels: \{(.*)\}\}$`)

// registered returns every metric that the engine can report, by name.
func registered(t testing.TB) map[string]metric {
	t.Helper()
	o, err := observe.New(observe.Default(), time.Now, slog.New(slog.DiscardHandler))
	harness.Must(t, err)
	o.Bind(idle{}, idle{})
	ch := make(chan *prometheus.Desc)
	go func() { defer close(ch); o.Registry().Describe(ch) }()
	out, guide := map[string]metric{}, rows(string(deployed(t, "README.md")))
	for d := range ch {
		m := describedAs.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a description has another form than this test knows: %s", d)
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		out[m[1]] = metric{labels: labels}
		if cells, ok := guide[m[1]]; ok {
			out[m[1]] = metric{labels: labels, kind: strings.TrimSpace(cells[0])}
		}
	}
	harness.Must(t, o.Close(context.Background()))
	if len(out) < 30 {
		t.Fatalf("only %d metrics are registered", len(out))
	}
	return out
}

func deployed(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "deploy", filepath.FromSlash(path)))
	harness.Must(t, err)
	return raw
}

var (
	selector = regexp.MustCompile(`\b([a-zA-Z_][a-zA-Z0-9_]*)(\{[^}]*\})`)
	anyName  = regexp.MustCompile(`\b(?:signalbox|go|process)_[a-z0-9_]+\b`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	matcher  = regexp.MustCompile(`([a-z]+)\s*(?:=~|!~|!=|=)`)
)

// metricOf finds the metric that a name in an expression is about: histograms have three names each.
func metricOf(all map[string]metric, name string) (metric, bool) {
	if m, ok := all[name]; ok {
		return m, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if m, ok := all[base]; ok && m.kind == "histogram" {
				m.labels = append(slices.Clone(m.labels), "le")
				return m, true
			}
		}
	}
	return metric{}, false
}

// problems checks the names of metrics and labels in one PromQL expression.
func problems(all map[string]metric, expr string) []string {
	var out []string
	known := []string{"instance", "job"}
	for _, name := range anyName.FindAllString(expr, -1) {
		m, ok := metricOf(all, name)
		if !ok {
			out = append(out, "there is no metric "+name)
			continue
		}
		known = append(known, m.labels...)
	}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if about, ok := metricOf(all, m[1]); ok && !slices.Contains(append([]string{"instance", "job"}, about.labels...), l[1]) {
				out = append(out, m[1]+" has no label "+l[1])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if !slices.Contains(known, strings.TrimSpace(l)) {
				out = append(out, "nothing in it has the label "+l)
			}
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		out = append(out, "brackets do not match")
	}
	return out
}

func TestTheExpressionCheckBites(t *testing.T) {
	all := registered(t)
	for expr, ok := range map[string]bool{
		`sum by (topic) (signalbox_events_open{state="waiting"})`:                                       true,
		`histogram_quantile(0.9, sum by (le, step) (rate(signalbox_step_duration_seconds_bucket[5m])))`: true,
		`signalbox_events_opened`:                           false,
		`sum by (mailbox) (signalbox_events_open)`:          false,
		`signalbox_events_open{mailbox="x"}`:                false,
		`sum(signalbox_events_open`:                         false,
		`rate(signalbox_events_published_total_bucket[5m])`: false,
		`go_goroutines + process_resident_memory_bytes`:     true,
	} {
		if got := problems(all, expr); (len(got) == 0) != ok {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestTheDashboardShowsWhatThereIs(t *testing.T) {
	type panel struct {
		ID                       int
		Title, Type, Description string
		GridPos                  struct{ X, Y, W, H int }
		Targets                  []struct{ Expr, LegendFormat string }
	}
	var board struct {
		Title, UID string
		Panels     []panel
		Templating struct{ List []struct{ Name string } }
	}
	raw := deployed(t, "grafana/signalbox.json")
	harness.Must(t, json.Unmarshal(raw, &board))
	all, shown := registered(t), map[string]bool{}
	ids := map[int]bool{}
	for i, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: panel id %d is used twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies on %s", p.Title, q.Title)
			}
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("%s shows nothing, or does not say what it shows", p.Title)
		}
		for _, target := range p.Targets {
			for _, problem := range problems(all, target.Expr) {
				t.Errorf("%s: %s: %s", p.Title, target.Expr, problem)
			}
			for _, name := range anyName.FindAllString(target.Expr, -1) {
				shown[name] = true
			}
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if l[1] != "instance" && !strings.Contains(target.Expr, l[1]) {
					t.Errorf("%s: the legend names %s, by which nothing is grouped", p.Title, l[1])
				}
			}
		}
	}
	if board.Title == "" || board.UID == "" || len(board.Templating.List) != 2 {
		t.Error("the dashboard lacks its title, uid or variables")
	}
	for name := range all {
		if strings.HasPrefix(name, "signalbox_") && !shown[name] && !shown[name+"_bucket"] && !shown[name+"_count"] {
			t.Errorf("%s is on no panel", name)
		}
	}
}

func TestTheAlertsWatchWhatThereIs(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(deployed(t, "prometheus/alerts.yaml"))))
	dec.KnownFields(true)
	harness.Must(t, dec.Decode(&file))
	all, seen := registered(t), map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Signalbox") {
				t.Errorf("%q: is not a name of ours, or is used twice", r.Alert)
			}
			seen[r.Alert] = true
			if s := r.Labels["severity"]; s != "page" && s != "ticket" || r.Annotations["summary"] == "" {
				t.Errorf("%s: has no severity or summary", r.Alert)
			}
			if r.For != "" {
				if _, err := time.ParseDuration(r.For); err != nil {
					t.Errorf("%s: for: %v", r.Alert, err)
				}
			}
			for _, problem := range problems(all, r.Expr) {
				t.Errorf("%s: %s", r.Alert, problem)
			}
			for _, l := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["action"], -1) {
				if l[1] != "instance" && !strings.Contains(r.Expr, "by ("+l[1]+")") {
					t.Errorf("%s: the summary names %s, by which nothing is grouped", r.Alert, l[1])
				}
			}
			for _, line := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(r.Annotations["action"], -1) {
				if !logged(t, line[1]) {
					t.Errorf("%s: the engine never logs %q", r.Alert, line[1])
				}
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %d alerts", len(seen))
	}
}

// logged tells whether some log line of the engine holds the words.
func logged(t testing.TB, words string) bool {
	t.Helper()
	paths, err := filepath.Glob("../engine/pipeline/*.go")
	harness.Must(t, err)
	return slices.ContainsFunc(paths, func(path string) bool {
		raw, err := os.ReadFile(path)
		harness.Must(t, err)
		return !strings.HasSuffix(path, "_test.go") && strings.Contains(string(raw), words)
	})
}

// rows returns the cells of the tables' rows whose first cell is code, by that cell.
func rows(guide string) map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(guide) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if name := strings.Trim(strings.TrimSpace(cells[0]), "`"); len(cells) > 2 && strings.Contains(cells[0], "`") {
			out[name] = cells[1:]
		}
	}
	return out
}

func TestTheGuideDescribesEveryMetric(t *testing.T) {
	described := rows(string(deployed(t, "README.md")))
	all := registered(t)
	for name, m := range all {
		if !strings.HasPrefix(name, "signalbox_") {
			continue
		}
		cells, ok := described[name]
		if !ok {
			t.Errorf("%s is not described", name)
			continue
		}
		if got := strings.FieldsFunc(cells[1], func(r rune) bool { return strings.ContainsRune(" ,`—", r) }); fmt.Sprint(got) != fmt.Sprint(m.labels) {
			t.Errorf("%s has the labels %v, the guide says %v", name, m.labels, got)
		}
	}
	for name := range described {
		if _, ok := all[name]; strings.HasPrefix(name, "signalbox_") && !ok {
			t.Errorf("%s is described and does not exist", name)
		}
	}
}

// settings returns every key of a configuration with its default, as dotted paths.
func settings(prefix string, v reflect.Value, out map[string]string) {
	switch d := v.Interface().(type) {
	case app.Secret:
		out[prefix] = ""
		return
	case app.Duration:
		out[prefix] = time.Duration(d).String()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			settings(strings.TrimPrefix(prefix+"."+name, "."), v.Field(i), out)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			settings(prefix+"[]", reflect.Zero(v.Type().Elem()), out)
			return
		}
		out[prefix] = ""
	case reflect.Map:
		out[prefix] = ""
	default:
		if out[prefix] = fmt.Sprint(v.Interface()); v.Kind() == reflect.String && v.Len() == 0 {
			out[prefix] = ""
		}
	}
}

func TestTheGuideDescribesEverySetting(t *testing.T) {
	described := rows(string(deployed(t, "README.md")))
	all := map[string]string{}
	settings("", reflect.ValueOf(app.DefaultConfig()), all)
	if len(all) < 40 {
		t.Fatalf("only %d settings were found", len(all))
	}
	for name, value := range all {
		cells, ok := described[name]
		if !ok {
			t.Errorf("%s is not described", name)
			continue
		}
		said := strings.Trim(cells[0], "` ")
		if d, err := time.ParseDuration(said); err == nil && said != "0" { // a count of nothing is no time
			said = d.String()
		}
		if said == "—" || said == "needed" {
			said = ""
		}
		if said != value {
			t.Errorf("%s: the default is %q, the guide says %q", name, value, said)
		}
		if len(cells[1]) < 10 {
			t.Errorf("%s: the guide does not say what it means", name)
		}
	}
}

// The engine's part of the compose file is a configuration that the engine takes, but for what only its containers have.
func TestTheComposeFilesHangTogether(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Command  []string
			Secrets  []string
			Networks []string
			Ports    []string
		}
		Secrets, Networks, Volumes map[string]any
	}
	harness.Must(t, yaml.Unmarshal(deployed(t, "compose/compose.yaml"), &compose))
	config := string(deployed(t, "compose/signalbox.yaml"))
	for name, s := range compose.Services {
		for _, secret := range s.Secrets {
			if _, ok := compose.Secrets[secret]; !ok {
				t.Errorf("%s wants the secret %s, which there is not", name, secret)
			}
		}
		for _, network := range s.Networks {
			if _, ok := compose.Networks[network]; !ok {
				t.Errorf("%s wants the network %s, which there is not", name, network)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is published on %s, beyond loopback", name, port)
			}
		}
	}
	engine := compose.Services["signalbox"]
	for _, m := range regexp.MustCompile(`/run/secrets/([a-z-]+)`).FindAllStringSubmatch(config, -1) {
		if !slices.Contains(engine.Secrets, m[1]) {
			t.Errorf("the configuration reads the secret %s, which the engine's container lacks", m[1])
		}
	}
	rights := regexp.MustCompile(`resetkeys [^"\n]*`)
	stream, err := os.ReadFile("../engine/stream/README.md")
	harness.Must(t, err)
	if want := rights.FindString(string(stream)); want == "" || !strings.Contains(compose.Services["redis"].Command[2], want) {
		t.Errorf("Redis's user has other rights than engine/stream/README.md lists: %s", want)
	}
	composeConfig(t, config)
}

// composeConfig reads the configuration with secrets from a folder of the test.
func composeConfig(t *testing.T, text string) {
	t.Helper()
	all := map[string]string{}
	settings("", reflect.ValueOf(app.DefaultConfig()), all)
	if _, ok := all["store.url"]; !ok {
		t.Log("NOT CHECKED: the store of deploy/compose/signalbox.yaml, because this engine has no setting store.url yet")
		text = regexp.MustCompile(`(?m)^store: .*$`).ReplaceAllString(text, "")
	}
	dir := t.TempDir()
	for _, name := range []string{"mesh-shared-key", "mailbox-password", "redis-password", "postgres-password"} {
		harness.Must(t, os.WriteFile(filepath.Join(dir, name), []byte("word"), 0o600))
	}
	cfg, err := app.ParseConfig([]byte(strings.ReplaceAll(text, "/run/secrets", dir)))
	harness.Must(t, err, app.Check(cfg))
}

func TestTheUnitIsHardened(t *testing.T) {
	unit := string(deployed(t, "systemd/signalbox.service"))
	for _, line := range []string{"ExecStart=/usr/local/bin/signalbox run --config /etc/signalbox/signalbox.yaml", "Restart=on-failure", "KillSignal=SIGTERM",
		"User=signalbox", "StateDirectory=signalbox", "UMask=0077", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=",
		"SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes", "LimitCORE=0"} {
		if !slices.Contains(strings.Split(unit, "\n"), line) {
			t.Errorf("the unit lacks %s", line)
		}
	}
}
