package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	meshfolder "signalbox/mesh/folder"
)

// process is the command as a process of its own.
type process struct {
	*exec.Cmd
	out, errOut bytes.Buffer
}

func (d *desk) process(args ...string) *process {
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(d.t.Context(), self, append([]string{"mesh"}, args...)...)}
	p.Env = append(os.Environ(), envBinary+"=1")
	p.Stdout, p.Stderr = &p.out, &p.errOut
	return p
}

// killer ends a process by SIGKILL, once.
type killer struct {
	mu sync.Mutex
	p  *os.Process
}

func (k *killer) start(t *testing.T, p *process) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	k.p = p.Process
}

// kill ends the process and returns when it takes no step any more: the signal is delivered at once, the end is waited for by Wait.
func (k *killer) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.p.Kill()
}

// noise is a payload that does not compress.
func noise(size int) []byte {
	out := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out)
	return out
}

// killedAt has the process killed when it makes its nth request of a kind: before the server sees it, or after it is carried out and
// before it is answered. asked counts the requests of the kind.
func (d *desk) killedAt(k *killer, n int, after bool, is func(*http.Request) bool) (asked *atomic.Int32) {
	asked = &atomic.Int32{}
	d.answers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !is(r) || int(asked.Add(1)) != n {
			d.server.ServeHTTP(w, r)
			return
		}
		if after {
			d.server.ServeHTTP(quiet{http.Header{}}, r)
		}
		k.kill()
		panic(http.ErrAbortHandler)
	}))
	return asked
}

// quiet takes an answer and tells nobody.
type quiet struct{ h http.Header }

func (q quiet) Header() http.Header         { return q.h }
func (q quiet) Write(p []byte) (int, error) { return len(p), nil }
func (q quiet) WriteHeader(int)             {}

func posts(r *http.Request) bool { return r.Method == http.MethodPost }

func chunkGets(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/inbox/")
}

// A send that is killed -9 at any chunk, before it was taken or before its answer came, is gone on with by the same command: the
// message arrives once and whole, the request that creates it is never made twice when it was carried out, and no chunk that was
// answered is sent again.
func TestKilledSendGoesOn(t *testing.T) {
	body := noise(45_000)
	for n := 1; n <= 5; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("chunk %d after=%v", n, after), func(t *testing.T) {
				d := newDesk(t)
				file := d.file("upload.dat", body)
				args := []string{"send", file, "--to", testTrust, "--workflow-id", testFlow, "--max-chunk-size", "10000", "--settle", "100ms", "--json"}
				var k killer
				first := d.process(args...)
				d.killedAt(&k, n, after, posts)
				k.start(t, first)
				if err := first.Wait(); err == nil || first.ProcessState.ExitCode() != -1 {
					t.Fatalf("was not killed: %v: %s", err, first.errOut.String())
				}
				asked := d.killedAt(&k, -1, false, posts)
				if got := d.json(args[:len(args)-1]...); got["message_id"] == "" {
					t.Errorf("%v", got)
				}
				waiting := d.server.Inbox(testTrust)
				if len(waiting) != 1 {
					t.Fatalf("%d messages arrived", len(waiting))
				}
				if got, err := d.server.Body(waiting[0].ID); err != nil || !bytes.Equal(got, body) {
					t.Errorf("another message arrived: %v", err)
				}
				// The chunks before n were answered; that of n itself was not, except that tracking by local id knew of the first.
				if want := 5 - n + 1; int(asked.Load()) > want {
					t.Errorf("%d requests to go on after chunk %d was on its way, want %d at most", asked.Load(), n, want)
				}
				d.leftNothing(".mesh-send-*")
			})
		}
	}
}

func (d *desk) leftNothing(pattern string) {
	d.t.Helper()
	if left, err := filepath.Glob(filepath.Join(d.dir, pattern)); err != nil || len(left) != 0 {
		d.t.Errorf("is left: %v, %v", left, err)
	}
}

// A download that is killed -9 at any chunk goes on after the last that was durable.
func TestKilledDownloadGoesOn(t *testing.T) {
	body := noise(45_000)
	for n := 1; n <= 5; n++ {
		t.Run(fmt.Sprint("chunk ", n), func(t *testing.T) {
			d := newDesk(t)
			id := d.ok("send", d.file("upload.dat", body), "--to", testTrust, "--workflow-id", testFlow, "--max-chunk-size", "10000")
			d.as(testTrust)
			target := filepath.Join(d.dir, "got.dat")
			var k killer
			first := d.process("get", id, "--output", target, "--ack")
			d.killedAt(&k, n, false, chunkGets)
			k.start(t, first)
			if err := first.Wait(); err == nil {
				t.Fatal("was not killed")
			}
			if _, err := os.Stat(target); err == nil {
				t.Error("a part of the message is seen")
			}
			asked := d.killedAt(&k, -1, false, chunkGets)
			got := d.json("get", id, "--output", target, "--ack")
			raw, err := os.ReadFile(target)
			if err != nil || !bytes.Equal(raw, body) || got["bytes"] != float64(len(body)) || got["sender"] != testLA {
				t.Errorf("%v, %v", got, err)
			}
			if want := 5 - n + 1; int(asked.Load()) != want {
				t.Errorf("%d chunks fetched to go on at chunk %d, want %d", asked.Load(), n, want)
			}
			if len(d.server.Inbox(testTrust)) != 0 {
				t.Error("was not acknowledged")
			}
			d.leftNothing(".mesh-part-*")
		})
	}
}

// One after another the folder client is killed -9 at the first, second, ... change of its folders that can be seen, between .dat and
// .ctl among them, until one lives to the end: whoever looks meanwhile sees no control file without its whole payload, each message
// that was put out arrives once, and each that came in stands there once.
func TestKilledFolderClientGoesOn(t *testing.T) {
	d := newDesk(t)
	root := filepath.Join(d.dir, "folders")
	for _, dir := range []string{"OUT", "IN", "SENT", "FAILED", ".signalbox/sending", ".signalbox/receiving"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	body := noise(25_000)
	for i := range 3 {
		d.file(fmt.Sprintf("folders/OUT/out%d.dat", i), append([]byte{byte(i)}, body...))
		d.file(fmt.Sprintf("folders/OUT/out%d.ctl", i), []byte("<DTSControl><To_DTS>TESTTR01</To_DTS><Compress>N</Compress><WorkflowId>TEST_CPIS_UPLOAD</WorkflowId></DTSControl>"))
	}
	var came []string
	d.as(testTrust)
	for range 3 {
		came = append(came, d.ok("send", d.file("in.dat", body), "--to", testLA, "--workflow-id", testBack))
	}
	d.as(testLA)
	kills := 0
	for n := 1; ; n += 2 {
		if d.folderUntil(root, n, func() bool { return folderSettled(root, 3, 3) }) {
			break
		}
		kills++
		d.wholePairs(filepath.Join(root, "IN"), body)
	}
	if kills < 5 {
		t.Errorf("only %d kills were survived", kills)
	}
	t.Logf("killed %d times", kills)
	d.wholePairs(filepath.Join(root, "IN"), body)
	arrived := map[byte]int{}
	for _, m := range d.server.Inbox(testTrust) {
		got, err := d.server.Body(m.ID)
		if err != nil || !bytes.Equal(got[1:], body) {
			t.Errorf("another message arrived: %v", err)
			continue
		}
		arrived[got[0]]++
	}
	if len(arrived) != 3 || arrived[0] != 1 || arrived[1] != 1 || arrived[2] != 1 {
		t.Errorf("arrived: %v, want each once", arrived)
	}
	for _, id := range came {
		if _, err := os.Stat(filepath.Join(root, "IN", id+".ctl")); err != nil {
			t.Errorf("a message did not come in: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".signalbox", "*ing", "*")); len(left) != 0 {
		t.Errorf("is left: %v", left)
	}
}

// folderUntil runs the folder client until the nth change of the folders is seen, and kills it, or until done and ends it in good
// order; ended tells which.
func (d *desk) folderUntil(root string, n int, done func() bool) (ended bool) {
	d.t.Helper()
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		d.t.Fatal(err)
	}
	defer watch.Close()
	for _, dir := range []string{"OUT", "IN", "SENT", ".signalbox/sending", ".signalbox/receiving"} {
		if err := watch.Add(filepath.Join(root, dir)); err != nil {
			d.t.Fatal(err)
		}
	}
	p := d.process("folder", "--root", root, "--min-age", "0s", "--scan", "50ms", "--poll", "50ms", "--spread", "0s", "--settle", "100ms")
	if err := p.Start(); err != nil {
		d.t.Fatal(err)
	}
	late := time.After(60 * time.Second)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for seen := 0; ; {
		select {
		case <-watch.Events:
			if seen++; seen == n && !done() {
				_ = p.Process.Kill()
				_ = p.Wait()
				return false
			}
		case <-look.C:
			if done() {
				err := errors.Join(p.Process.Signal(os.Interrupt), p.Wait())
				if err != nil {
					d.t.Errorf("the last one: %v: %s", err, p.errOut.String())
				}
				return true
			}
		case <-late:
			_ = p.Process.Signal(syscall.SIGQUIT) // it tells where it stands
			_ = p.Wait()
			d.t.Fatalf("not done in 60 s: the folders hold %s\n%s", held(root), p.errOut.String())
		}
	}
}

func folderSettled(root string, sent, in int) bool {
	count := func(pattern string) int {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		return len(found)
	}
	return count("OUT/*") == 0 && count("SENT/*.ctl") == sent && count("IN/*.ctl") == in && count(".signalbox/*ing/*") == 0
}

// held lists the files of the folders.
func held(root string) string {
	var names []string
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, strings.TrimPrefix(path, root))
		}
		return nil
	})
	return strings.Join(names, " ")
}

// wholePairs checks that every control file that an application sees has its whole payload, and can be read.
func (d *desk) wholePairs(dir string, body []byte) {
	d.t.Helper()
	ctls, err := filepath.Glob(filepath.Join(dir, "*.ctl"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, ctl := range ctls {
		got, err := os.ReadFile(strings.TrimSuffix(ctl, ".ctl") + ".dat")
		if err != nil || !bytes.Equal(got, body) {
			d.t.Errorf("a control file without its whole payload: %d bytes, %v", len(got), err)
		}
		f, err := os.Open(ctl)
		if err != nil {
			d.t.Fatal(err)
		}
		if _, err := meshfolder.Parse(f); err != nil {
			d.t.Errorf("half a control file: %v", err)
		}
		_ = f.Close()
	}
}
