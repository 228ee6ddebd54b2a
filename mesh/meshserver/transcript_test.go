package meshserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"signalbox/mesh"
)

// The transcripts in testdata are one table: a file for each row of the tables of the project's fact sheet on MESH, named
// by section, table, row and the row's beginning. Each is played against a fresh server of both profiles. In a file:
//
//	> METHOD MAILBOX PATH   a request under the mailbox with a fresh token and Accept of version 2; MAILBOX - is none
//	Name: value             a header of it; without a value the header is not sent
//	= text                  its body; =gzip text compresses it
//	< STATUS BODY           the answer; the body may be left out, - is an empty one, … stands for anything
//	: name: value           a header of the answer; without a value it must not be there
//	pass 5h                 the clock goes on
//	fault {JSON}            the server is started with this fault
//
// < and : may carry a profile: <strict, :sandbox. {id} is the last message id, {a} to {z} what "let a" kept of it, {only} the
// one id of the last listing.

func transcripts(t *testing.T) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "transcripts.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const notTested = "NOT TESTED: "

func TestTranscripts(t *testing.T) {
	for _, file := range transcripts(t).Files {
		if strings.HasPrefix(string(file.Data), notTested) {
			continue
		}
		for _, profile := range []Profile{Strict, Sandbox} {
			t.Run(string(profile)+"/"+file.Name, func(t *testing.T) { play(t, profile, string(file.Data)) })
		}
	}
}

// player is a transcript on its way.
type player struct {
	*bench
	profile Profile
	line    string
	id      string
	kept    map[string]string
	req     *http.Request
	body    string
	got     reply
	checked int
}

func play(t *testing.T, profile Profile, text string) { playWith(t, profile, text, nil) }

// playWith plays a transcript; with seen, every answer is held against the published text as well.
func playWith(t *testing.T, profile Profile, text string, seen *answered) {
	b := newBench(t, func(c *Config) {
		c.Profile, c.Admin = profile, true
		c.Mailboxes, c.Workflows = SandboxMailboxes(), SandboxWorkflows()
		c.Mailboxes = append(c.Mailboxes, Mailbox{ID: "X26OLD", Password: "password", Name: "CLOSED", ODSCode: "X28"}, Mailbox{ID: "ALICE", Password: "pa:ss", Active: true})
		c.Patients = []Patient{
			{NHSNumber: "9990000018", BirthDate: "2020-01-01", Surname: "Test", ODSCode: "X26"},
			{NHSNumber: "9990000034", BirthDate: "2020-01-01", Surname: "Elsewhere", ODSCode: "X99"},
		}
		c.Faults = faultsOf(t, text)
		c.MaxRequest = 100_000
	})
	if seen != nil {
		b.http.Config.Handler = held(t, b.server, seen)
	}
	p := &player{bench: b, profile: profile, kept: map[string]string{}}
	for line := range strings.SplitSeq(text, "\n") {
		if p.line = line; strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			p.step()
		}
	}
	if p.checked == 0 {
		t.Error("nothing is checked")
	}
}

// faultsOf reads the faults of a transcript.
func faultsOf(t *testing.T, text string) []Fault {
	var lines strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if fault, ok := strings.CutPrefix(line, "fault "); ok {
			fmt.Fprintln(&lines, fault)
		}
	}
	faults, err := ReadFaults(strings.NewReader(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Errorf("%s\n\t%s", p.line, fmt.Sprintf(format, args...))
}

func (p *player) step() {
	p.t.Helper()
	mark, rest, _ := strings.Cut(p.fill(p.line), " ")
	rest = strings.TrimSpace(rest)
	switch kind, profile := mark[:1], mark[1:]; {
	case mark == ">":
		p.begin(rest)
	case kind == "=":
		if p.body = rest; profile == "gzip" {
			p.body = zip(rest)
		} else if profile == "long" {
			p.body = repeat("x", 100_001)
		}
	case mark == "pass":
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		p.pass(d)
	case mark == "fault": // the server has it already
	case mark == "let":
		p.kept[rest] = p.id
	case kind == "<":
		p.send()
		if profile == "" || profile == string(p.profile) {
			p.answer(rest)
		}
	case kind == ":":
		if profile == "" || profile == string(p.profile) {
			p.header(rest)
		}
	default:
		name, value, _ := strings.Cut(p.fill(p.line), ":")
		if value = strings.TrimSpace(value); value == "" {
			p.req.Header.Del(name)
		} else if value == "EMPTY" {
			p.req.Header[http.CanonicalHeaderKey(name)] = []string{""}
		} else {
			p.req.Header.Set(name, value)
		}
	}
}

// begin makes a request that is sent when its answer is looked at.
func (p *player) begin(rest string) {
	f := strings.Fields(rest)
	url := p.http.URL
	if f[1] != "-" {
		url += "/messageexchange/" + f[1]
	}
	if len(f) > 2 {
		url += f[2]
	}
	req, err := http.NewRequest(f[0], url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.mesh.v2+json")
	if f[1] != "-" {
		req.Header.Set("Authorization", p.token(strings.ToUpper(f[1])))
	}
	p.req, p.body = req, ""
}

// send sends the request, once.
func (p *player) send() {
	if p.req == nil {
		return
	}
	p.req.Body, p.req.ContentLength = http.NoBody, 0
	if p.body != "" {
		p.req.Body, p.req.ContentLength = readCloser{strings.NewReader(p.body)}, int64(len(p.body))
	}
	p.got, p.req = p.do(p.req), nil
	if m := regexp.MustCompile(`"messages":\["([^"]+)"\]`).FindStringSubmatch(p.got.body); m != nil {
		p.kept["only"] = m[1]
	}
	if m := regexp.MustCompile(`"message_?[iI][dD]":"([^"]+)"`).FindStringSubmatch(p.got.body); m != nil {
		p.id = m[1]
	}
	if p.got.header.Get("Content-Encoding") == "gzip" {
		p.got.body = "gzip of " + unzip(p.t.(*testing.T), p.got.body)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func (p *player) answer(want string) {
	p.t.Helper()
	p.checked++
	status, body, _ := strings.Cut(want, " ")
	if fmt.Sprint(p.got.status) != status {
		p.fail("got %d %s", p.got.status, p.got.body)
		return
	}
	if body == "" {
		return
	}
	if body == "-" {
		body = ""
	}
	if !like(p.fill(body), p.got.body) {
		p.fail("got %s", p.got.body)
	}
}

func (p *player) header(rest string) {
	p.t.Helper()
	p.checked++
	name, want, _ := strings.Cut(rest, ":")
	if got := strings.Join(p.got.header.Values(name), ", "); !like(p.fill(strings.TrimSpace(want)), got) {
		p.fail("got %q", got)
	}
}

// like compares, with … for anything.
func like(pattern, text string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), "…", `(?s:.*)`)
	return regexp.MustCompile(`^` + quoted + `$`).MatchString(text)
}

var braces = regexp.MustCompile(`\{[a-z][a-z0-9 ]*\}`)

// fill puts ids and special tokens in.
func (p *player) fill(text string) string {
	return braces.ReplaceAllStringFunc(text, func(name string) string {
		name = strings.Trim(name, "{}")
		if v, ok := p.kept[name]; ok {
			return v
		}
		if v, ok := p.special(name); ok {
			return v
		}
		switch name {
		case "id":
			return p.id
		case "x101", "x301", "x501", "x21":
			var n int
			_, _ = fmt.Sscanf(name, "x%d", &n)
			return repeat("x", n)
		}
		return "{" + name + "}"
	})
}

// special makes tokens of X26ABC1 that are odd in one way.
func (p *player) special(name string) (string, bool) {
	stamped := func(nonce, count, stamp string) string {
		t := mesh.Token{MailboxID: "X26ABC1", Nonce: nonce, Count: count, Timestamp: stamp}
		t.Hash = t.Sign("password", "TestKey")
		return t.Header()
	}
	now := p.clock()
	good := stamped("2c001608-5f09-4840-9611-bea43e666a30", "1", now.Format("200601021504"))
	bare := strings.TrimPrefix(good, "NHSMESH ")
	hash := good[strings.LastIndex(good, ":")+1:]
	made := map[string]string{
		"good": good, "good 2": stamped("2c001608-5f09-4840-9611-bea43e666a30", "2", now.Format("200601021504")),
		"bare": bare, "lower scheme": "nhsmesh " + bare, "colon scheme": "NHSMESH:" + bare, "two spaces": "NHSMESH  " + bare, "joined": "NHSMESH" + bare,
		"upper hash": strings.TrimSuffix(good, hash) + strings.ToUpper(hash), "count 0": stamped("n", "0", now.Format("200601021504")),
		"count 001": stamped("m", "001", now.Format("200601021504")), "old": stamped("o", "0", now.Add(-3*time.Hour).Format("200601021504")),
		"new": stamped("p", "0", now.Add(3*time.Hour).Format("200601021504")), "seconds": stamped("q", "0", now.Format("20060102150405")),
		"word": stamped("r", "0", "hello"), "wrong password": mesh.NewToken("X26ABC1", "s", "0", now, "Password", "TestKey").Header(),
		"wrong key": mesh.NewToken("X26ABC1", "t", "0", now, "password", "Banana").Header(), "other": mesh.NewToken("X26ABC2", "u", "0", now, "password", "TestKey").Header(),
		"lower mailbox": mesh.NewToken("x26abc1", "v", "0", now, "password", "TestKey").Header(),
	}
	v, ok := made[name]
	return v, ok
}

// Rows without a test are listed, and the README says of each why.
func TestRowsWithoutATest(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, file := range transcripts(t).Files {
		why, missing := strings.CutPrefix(strings.TrimSpace(string(file.Data)), notTested)
		if !missing {
			tested++
			continue
		}
		t.Logf("MISSING %s: %s", file.Name, why)
		number, _, _ := strings.Cut(file.Name, " ")
		if !strings.Contains(string(readme), "| "+number+" |") {
			t.Errorf("README.md does not say why row %s has no test", number)
		}
	}
	t.Logf("%d rows are tested", tested)
}

// Every row of the fact sheet's tables is in the transcripts, where the sheet is at hand. It is not part of the project.
func TestEveryRowOfTheFactSheetIsHere(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "facts", "mesh.md"))
	if err != nil {
		t.Log("NOT RUN: the fact sheet is not at hand, so its rows are not compared with the transcripts")
		return
	}
	have := map[string]bool{}
	for _, file := range transcripts(t).Files {
		number, _, _ := strings.Cut(file.Name, " ")
		have[number] = true
	}
	section, table, row := 0, 0, 0
	for line := range strings.SplitSeq(string(raw), "\n") {
		if _, err := fmt.Sscanf(line, "## %d.", &section); err == nil {
			table = 0
		}
		if !strings.HasPrefix(line, "|") {
			row = 0
			continue
		}
		if row++; row == 1 {
			table++
		}
		// Sections 2 to 14 are the wire; tables of other sections are about addresses, speed and the folder client.
		if key := fmt.Sprintf("%d.%d.%d", section, table, row-2); row > 2 && section >= 2 && section <= 14 && !have[key] {
			t.Errorf("no transcript and no reason for row %s: %s", key, line)
		}
	}
}
