package meshserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose, and for which requests. A fault needs at least one effect; Delay goes with
// any other. In JSON, Delay is text such as "250ms".
type Fault struct {
	// Mailbox is the mailbox of the path; empty is any.
	Mailbox string `json:"mailbox,omitempty"`
	// Method is the HTTP method; empty is any.
	Method string `json:"method,omitempty"`
	// Path is a pattern, as of path.Match, for what follows the mailbox: "outbox", "inbox/*", "inbox/*/status/acknowledged".
	// Empty is any.
	Path string `json:"path,omitempty"`
	// Probability is the chance for each request that fits, above 0 and up to 1; 0 is 1.
	Probability float64 `json:"probability,omitempty"`
	// Times bounds how often the fault happens; 0 is without bound.
	Times int `json:"times,omitempty"`

	// Delay is how long the answer waits.
	Delay time.Duration `json:"-"`
	// Status is answered instead of the real answer, with Body. The request does nothing, unless After is set.
	Status int `json:"status,omitempty"`
	// After lets the request be done before Status is answered: what a gateway does that loses the server's answer.
	After bool `json:"after,omitempty"`
	// RetryAfter is the Retry-After header that goes with Status, in seconds; 0 is none.
	RetryAfter int `json:"retry_after,omitempty"`
	// Body goes with Status. Gateways send text that is no JSON.
	Body string `json:"body,omitempty"`
	// Lost breaks the connection without an answer, after the request was done.
	Lost bool `json:"lost,omitempty"`
	// Cut breaks the connection after so many bytes of the answer's body; nil does not. An answer without a body is whole.
	Cut *int64 `json:"cut,omitempty"`
	// Error is a code, such as 12 or EPL-153, that befalls a message after it was accepted: the answer is the usual one, the
	// recipient does not get the message, and the sender gets a report.
	Error string `json:"error,omitempty"`
}

func (f Fault) validate() error {
	var errs []error
	bad := func(what string) { errs = append(errs, errors.New(what)) }
	if f.Probability < 0 || f.Probability > 1 {
		bad("Probability: want 0 to 1")
	}
	if f.Times < 0 || f.Delay < 0 || f.RetryAfter < 0 {
		bad("Times, Delay, RetryAfter: want 0 or more")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		bad("Status: want 200 to 599")
	}
	if _, err := path.Match(f.Path, ""); err != nil {
		bad("Path: is no pattern")
	}
	if f.Cut != nil && *f.Cut < 0 {
		bad("Cut: want 0 or more")
	}
	effects := 0
	for _, set := range []bool{f.Status != 0, f.Lost, f.Cut != nil, f.Error != ""} {
		if set {
			effects++
		}
	}
	if effects > 1 || effects == 0 && f.Delay == 0 {
		bad("want one of Status, Lost, Cut, Error, or a Delay alone")
	}
	return errors.Join(errs...)
}

// injector chooses faults.
type injector struct {
	mu    sync.Mutex
	rules []Fault
	done  []int
	rnd   *rand.Rand
}

func newInjector(rules []Fault, seed uint64) *injector {
	return &injector{rules: rules, done: make([]int, len(rules)), rnd: rand.New(rand.NewPCG(seed, 0))}
}

// pick returns the fault for a request, or nil.
func (in *injector) pick(method string, segments []string) *Fault {
	if len(in.rules) == 0 || len(segments) < 2 || segments[0] != "messageexchange" {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, f := range in.rules {
		if f.Times > 0 && in.done[i] >= f.Times || !f.fits(method, segments) {
			continue
		}
		if f.Probability > 0 && in.rnd.Float64() >= f.Probability {
			continue
		}
		in.done[i]++
		return &in.rules[i]
	}
	return nil
}

func (f Fault) fits(method string, segments []string) bool {
	if f.Mailbox != "" && !strings.EqualFold(f.Mailbox, segments[1]) || f.Method != "" && !strings.EqualFold(f.Method, method) {
		return false
	}
	ok, _ := path.Match(f.Path, strings.Join(segments[2:], "/"))
	return ok || f.Path == ""
}

// faulty serves a request that a fault was chosen for.
func (x *exchange) faulty(f *Fault, segments []string) {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		select {
		case <-timer.C:
		case <-x.r.Context().Done():
		}
		timer.Stop()
	}
	real := x.w
	switch {
	case f.Lost:
		x.w = &deaf{header: http.Header{}}
		x.serve(segments)
		panic(http.ErrAbortHandler)
	case f.Status != 0 && f.After:
		x.w = &deaf{header: http.Header{}}
		x.serve(segments)
		x.w = real
		x.answerFault(f)
	case f.Status != 0:
		x.answerFault(f)
	case f.Cut != nil:
		x.w = &cutter{ResponseWriter: real, left: *f.Cut}
		x.serve(segments)
	default:
		x.doom = f.Error
		x.serve(segments)
	}
}

func (x *exchange) answerFault(f *Fault) {
	if f.RetryAfter > 0 {
		x.w.Header().Set("Retry-After", fmt.Sprint(f.RetryAfter))
	}
	if f.Body != "" {
		x.w.Header().Set("Content-Type", "text/html")
	}
	x.w.WriteHeader(f.Status)
	_, _ = x.w.Write([]byte(f.Body))
}

// deaf takes an answer that nobody will hear.
type deaf struct{ header http.Header }

// Header returns the header that nobody will see.
func (d *deaf) Header() http.Header { return d.header }

// WriteHeader does nothing.
func (d *deaf) WriteHeader(int) {}

// Write takes everything.
func (d *deaf) Write(p []byte) (int, error) { return len(p), nil }

// cutter breaks the connection after some bytes of the body, which do arrive.
type cutter struct {
	http.ResponseWriter
	left int64
}

// Write passes on what is left to pass on.
func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
