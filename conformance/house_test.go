package conformance_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"strings"
	"testing"

	"signalbox/conformance/harness"
)

// rule says what the packages under a path may import: of ours, and of third parties. Entries are path prefixes; the module's own are
// written without "signalbox/".
type rule struct {
	ours, others []string
	reason       string
}

// house is the table of who may import whom. The longest path that matches a package is its rule.
func house() map[string]rule {
	anyRoom := []string{"adapters", "engine", "fhir", "mappings", "mesh"}
	fhirLibraries := []string{"github.com/google/fhir/go", "github.com/samply/golang-fhir-models", "github.com/go-json-experiment/json",
		"google.golang.org/protobuf"}
	return map[string]rule{
		"engine": {reason: "every room imports it, so it imports nothing: what an event is must not depend on how it travels"},
		"mesh": {ours: []string{"mesh"}, others: []string{"github.com/google/uuid"},
			reason: "a trust or an LA can use the MESH client on its own"},
		"mesh/meshserver": {ours: []string{"mesh"}, others: []string{"github.com/klauspost/compress"},
			reason: "a server that a supplier starts in a test needs no engine; it compresses each download on the way, which the standard library does at a third of the speed"},
		"mesh/folder": {ours: []string{"mesh"}, others: []string{"github.com/google/uuid", "github.com/fsnotify/fsnotify"},
			reason: "a small protocol helper beside the client: the one place that watches a mailbox's folders"},
		"fhir": {ours: []string{"fhir"}, others: fhirLibraries, reason: "FHIR knows nothing of flags"},
		"fhir/pds": {ours: []string{"fhir"}, others: []string{"github.com/go-jose/go-jose/v4", "github.com/google/uuid", "golang.org/x/time/rate"},
			reason: "a client of PDS that knows nothing of flags; the twin beside it is a server with synthetic patients"},
		"engine/trace": {ours: []string{"engine", "fhir/pds"}, others: []string{"golang.org/x/text"},
			reason: "it compares who was sent with whom PDS holds, and sees neither record nor wire"},
		"fhir/api": {ours: []string{"fhir", "engine"}, others: []string{"github.com/samply/golang-fhir-models"}, reason: "the HTTP face sees the register, not the pipeline"},
		"fhir/api/hl7v3": {ours: []string{"engine", "engine/register", "engine/notify", "mesh/cpis"},
			reason: "the other wire form of the same question: it sits beside the FHIR face, whose identity, rights and accesses it shares, and knows no HTTP; who looked is written as notifications write it"},
		"fhir/api/subscription": {ours: []string{"fhir", "engine", "engine/store", "engine/hook"},
			reason: "what a subscriber asks for and is told, in FHIR: read by the server, written by the pipeline, and no I/O of its own"},
		"engine/hook": {ours: []string{"engine"}, reason: "the one place that calls an address which somebody else has named, so that its rules stand together"},
		"adapters":    {ours: []string{"adapters", "engine", "fhir", "mesh/cpis"}, others: []string{"golang.org/x/text"}, reason: "an adapter is pure: bytes to records"},
		"adapters/json": {ours: []string{"adapters", "engine"}, others: []string{"github.com/go-json-experiment/json"},
			reason: "a parser for its own format: the token walk with offsets that fhir uses too"},
		"adapters/xml": {ours: []string{"adapters", "engine"}, others: []string{"github.com/antchfx/xpath"},
			reason: "a parser for its own format: XPath over our own tree; it does no I/O"},
		"mappings":           {ours: []string{"engine", "mappings"}, others: []string{"go.yaml.in/yaml/v3", "cel.dev/cel-go", "golang.org/x/text", "golang.org/x/tools/txtar", "google.golang.org/protobuf"}, reason: "adapters come in through the contract"},
		"engine/stream":      {ours: []string{"engine"}, others: []string{"github.com/ThreeDotsLabs/watermill", "github.com/redis/go-redis/v9"}, reason: "the one place that sees go-redis"},
		"engine/store":       {ours: []string{"engine"}, others: []string{"github.com/pressly/goose/v3", "modernc.org/sqlite", "github.com/jackc/pgx/v5"}, reason: "the one place that sees SQL"},
		"engine/register":    {ours: []string{"engine", "engine/store"}, reason: "rules about flags, without a wire"},
		"engine/pattern":     {ours: []string{"engine", "engine/store"}, reason: "it counts visits and raises events; it sends nothing and asks nobody"},
		"engine/notify":      {ours: []string{"engine", "engine/store", "mesh/cpis"}, reason: "it makes bytes and ledger rows; the pipeline sends them"},
		"engine/silence":     {ours: []string{"engine/store"}, reason: "it counts times and names of the configuration: no event and no message"},
		"engine/observe":     {ours: []string{"engine", "engine/pipeline", "engine/silence", "engine/store", "engine/stream"}, others: []string{"github.com/prometheus/client_golang", "go.opentelemetry.io/otel"}, reason: "it is told what happens and changes nothing; the one place that sees Prometheus and OpenTelemetry"},
		"engine/pipeline":    {ours: anyRoom, others: []string{"github.com/ThreeDotsLabs/watermill"}, reason: "it connects the rooms"},
		"fhir/api/identity":  {ours: []string{"engine"}, others: []string{"github.com/go-jose/go-jose/v4"}, reason: "who asks is decided in one place, the only one that sees tokens"},
		"fhir/invariants":    {ours: []string{"fhir", "fhir/fhirpath"}, reason: "R4's own rules as paths: package fhir cannot import what reads its tree"},
		"fhir/api/limit":     {others: []string{"golang.org/x/time/rate"}, reason: "a bounded table of token buckets knows nothing of FHIR"},
		"fhir/api/negotiate": {reason: "it reads headers"},
		"fhir/api/page":      {reason: "it seals what it does not know"},
		"engine/replay": {ours: []string{"engine", "engine/store", "engine/register", "engine/pipeline"},
			reason: "it translates anew by the pipeline's rules and changes the record and the register; it sends nothing"},
		"engine/store/storetest": {ours: []string{"engine/store"}, others: []string{"go.uber.org/goleak"},
			reason: "it makes empty records for tests, and knows nothing of what is in them"},
		"engine/workbench": {ours: []string{"engine", "engine/store", "engine/pipeline", "mappings"},
			reason: "it answers a mapping author's questions from the record by the pipeline's rules and changes nothing"},
		"engine/app": {ours: anyRoom, others: []string{"go.yaml.in/yaml/v3", "github.com/google/uuid", "github.com/fsnotify/fsnotify"},
			reason: "configuration and wiring, and the watch over the suppliers' folders"},
		"cmd": {ours: append([]string{"cmd"}, anyRoom...), others: []string{"github.com/spf13/cobra", "github.com/google/uuid", "golang.org/x/text", "golang.org/x/term"},
			reason: "the command line calls, it does not do"},
		"internal/figure": {reason: "two sides of a benchmark take turns: it knows nothing of what they do"},
		"internal/teeth":  {reason: "seeded bugs for the tests to find: it must be able to sit in every room, so it needs none"},
		"conformance":     {ours: append([]string{"cmd", "conformance"}, anyRoom...), others: []string{""}, reason: "the proof may look everywhere"},
	}
}

// narrow lists rules whose "engine" means the package itself and not its rooms.
var narrow = map[string]map[string]bool{
	"fhir/api":       {"engine": true, "engine/register": true, "engine/store": true},
	"fhir/api/hl7v3": {"engine": true, "engine/register": true, "engine/notify": true},

	"fhir/api/subscription": {"engine": true, "engine/store": true, "engine/hook": true},
	"fhir/api/identity":     {"engine": true},
}

type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Doc        string
	Dir        string
	GoFiles    []string
}

// packages returns every package of the module, and which import paths are of the standard library.
func packages(t *testing.T) ([]listed, map[string]bool) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Doc,Dir,GoFiles", "signalbox/...").Output()
	harness.Must(t, err)
	var ours []listed
	standard := map[string]bool{"C": true, "unsafe": true}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		harness.Must(t, dec.Decode(&p))
		if p.Standard {
			standard[p.ImportPath] = true
		}
		if strings.HasPrefix(p.ImportPath, "signalbox") {
			ours = append(ours, p)
		}
	}
	return ours, standard
}

func TestWhoMayImportWhom(t *testing.T) {
	ours, standard := packages(t)
	if len(ours) < 15 {
		t.Fatalf("only %d packages were found", len(ours))
	}
	rules := house()
	for _, p := range ours {
		room := strings.TrimPrefix(p.ImportPath, "signalbox/")
		at := ruleFor(rules, room)
		r, ok := rules[at]
		if !ok {
			t.Errorf("%s stands in no room of the house: give it a rule in this test, with its reason", room)
			continue
		}
		for _, imported := range p.Imports {
			if !allowed(at, room, r, imported, standard) {
				t.Errorf("%s imports %s, which it may not: %s", room, imported, r.reason)
			}
		}
	}
}

// ruleFor finds the rule with the longest path that holds room. Rooms of the engine need a rule of their own.
func ruleFor(rules map[string]rule, room string) string {
	for at := room; at != "."; at = path.Dir(at) {
		if _, ok := rules[at]; ok {
			if at == "engine" && room != "engine" {
				return ""
			}
			return at
		}
	}
	return ""
}

func allowed(at, room string, r rule, imported string, standard map[string]bool) bool {
	if standard[imported] {
		return true
	}
	if of, ok := strings.CutPrefix(imported, "signalbox/"); ok {
		if at == "engine" {
			return false
		}
		if under(of, at) || under(of, room) || of == "internal/teeth" { // a seeded bug may sit in every room but the heart
			return true
		}
		if exact, ok := narrow[at]; ok && under(of, "engine") {
			return exact[of]
		}
		for _, prefix := range r.ours {
			// Where a rule names the engine alone, it means the heart and not its rooms.
			if of == prefix || prefix != "engine" && under(of, prefix) || prefix == "engine" && wide(at) && under(of, prefix) {
				return true
			}
		}
		return false
	}
	for _, prefix := range r.others {
		if prefix == "" || under(imported, prefix) {
			return true
		}
	}
	return false
}

// wide tells the rooms that may import the engine's rooms.
func wide(at string) bool {
	return at == "engine/pipeline" || at == "engine/app" || at == "cmd" || at == "conformance"
}

func under(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// The rule itself must bite: a table that allows everything would pass for ever.
func TestTheImportRuleBites(t *testing.T) {
	rules, standard := house(), map[string]bool{"fmt": true}
	for _, tc := range []struct {
		room, imported string
		want           bool
	}{
		{"engine", "fmt", true}, {"engine", "github.com/google/uuid", false}, {"engine", "signalbox/engine/store", false},
		{"mesh", "signalbox/engine", false}, {"mesh/meshserver", "signalbox/mesh", true}, {"fhir", "signalbox/engine", false},
		{"fhir/api/hl7v3", "signalbox/mesh/cpis", true}, {"fhir/api/hl7v3", "signalbox/engine/pipeline", false}, {"fhir/api/hl7v3", "signalbox/engine/store", false},
		{"fhir/api", "signalbox/engine/register", true}, {"fhir/api", "signalbox/engine/pipeline", false},
		{"adapters/csv", "signalbox/engine", true}, {"adapters/csv", "signalbox/engine/store", false}, {"adapters/csv", "signalbox/mappings", false},
		{"mappings", "signalbox/adapters/csv", false}, {"engine/register", "github.com/redis/go-redis/v9", false},
		{"mesh", "signalbox/internal/teeth", true}, {"engine", "signalbox/internal/teeth", false}, {"internal/teeth", "signalbox/engine", false},
		{"engine/pipeline", "signalbox/fhir/api", true}, {"engine/store", "signalbox/engine/register", false}, {"engine/newroom", "fmt", false},
	} {
		at := ruleFor(rules, tc.room)
		r, ok := rules[at]
		if got := ok && allowed(at, tc.room, r, tc.imported, standard); got != tc.want {
			t.Errorf("%s imports %s: allowed %v, want %v", tc.room, tc.imported, got, tc.want)
		}
	}
}
