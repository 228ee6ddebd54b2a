package bench

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// pacer is a process that says when a message is due, by a byte on a pipe. The Go runtime's own timers wake an idle process up to a
// millisecond late, which is more than what is measured; a byte on a pipe wakes it as a network does.
type pacer struct {
	orders io.WriteCloser
	beats  io.ReadCloser
}

// pacerVariable makes this binary a pacer.
const pacerVariable = "SIGNALBOX_BENCH_PACER"

func TestMain(m *testing.M) {
	if os.Getenv(pacerVariable) != "" {
		keepPace(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// order is one turn: when it begins, and how long after that each beat is due.
type order struct {
	Start time.Time
	Due   []time.Duration
}

// keepPace takes orders until none is left.
func keepPace(orders io.Reader, beats io.Writer) {
	for in := json.NewDecoder(orders); ; {
		var o order
		if err := in.Decode(&o); err != nil {
			return
		}
		for _, due := range o.Due {
			await(o.Start.Add(due))
			if _, err := beats.Write([]byte{1}); err != nil {
				return
			}
		}
	}
}

func await(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		span := syscall.NsecToTimespec(int64(left))
		_ = syscall.Nanosleep(&span, nil) // what it is woken from early is made up for
	}
}

func startPacer(b *testing.B) *pacer {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), pacerVariable+"=1")
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	must(b, err)
	beats, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = orders.Close() // it ends with that
		must(b, cmd.Wait())
	})
	return &pacer{orders, beats}
}

func (p *pacer) begin(b *testing.B, o order) {
	b.Helper()
	must(b, json.NewEncoder(p.orders).Encode(o))
}

func (p *pacer) wait(b *testing.B) {
	b.Helper()
	_, err := io.ReadFull(p.beats, make([]byte, 1))
	must(b, err)
}
