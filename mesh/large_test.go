package mesh_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"signalbox/mesh"
)

// heapBound is what a large message may take of the heap of client and server together.
const heapBound = 64 << 20

// A large message goes through client and server in bounded memory: 256 MiB, or 2 GiB when SIGNALBOX_LARGE is 1.
func TestLargeMessageInBoundedMemory(t *testing.T) {
	size := int64(256 << 20)
	if os.Getenv("SIGNALBOX_LARGE") == "1" {
		size = 2 << 30
	} else if raceEnabled {
		size = 2 * heapBound // twice what may be held
	}
	t.Logf("%d MiB; set SIGNALBOX_LARGE=1 for 2 GiB", size>>20)
	w := start(t)
	room := func(c *mesh.Config) { c.ChunkSize, c.MaxMessage = 6<<20, size }
	sender, receiver := w.client(la, room), w.client(trust, room)
	peak := watchHeap(t)
	sent := &summed{Reader: io.LimitReader(newNoise(1), size), sum: sha256.New()}
	id, err := sender.Send(context.Background(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: sent, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	in, err := receiver.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := sha256.New()
	n, err := io.Copy(got, in)
	if err := errors.Join(err, in.Close(), receiver.Acknowledge(context.Background(), id)); err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if string(got.Sum(nil)) != string(sent.sum.Sum(nil)) {
		t.Error("another message came out")
	}
	if most := peak(); most > heapBound {
		t.Errorf("the heap rose to %d MiB", most>>20)
	} else {
		t.Logf("%d MiB went through, the heap rose to %d MiB", size>>20, most>>20)
	}
}

// watchHeap looks at the heap while a test works and returns a function that ends that and says what was the most.
func watchHeap(t testing.TB) (peak func() uint64) {
	done, ended := make(chan struct{}), make(chan uint64, 1)
	runtime.GC()
	go func() {
		var most uint64
		// What runtime.MemStats calls HeapInuse, without its stop of the world.
		inUse := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(inUse)
			most = max(most, inUse[0].Value.Uint64()+inUse[1].Value.Uint64())
			select {
			case <-done:
				ended <- most
				return
			case <-tick.C:
			}
		}
	}()
	stopped := false
	stop := func() uint64 {
		if stopped {
			return 0
		}
		stopped = true
		close(done)
		return <-ended
	}
	t.Cleanup(func() { stop() })
	return stop
}

// noise is an endless stream of bytes of which about half compress.
type noise struct{ rnd *rand.ChaCha8 }

func newNoise(seed byte) *noise { return &noise{rand.NewChaCha8([32]byte{seed})} }

func (n *noise) Read(p []byte) (int, error) {
	half := len(p) / 2
	if _, err := n.rnd.Read(p[:half]); err != nil {
		return 0, err
	}
	clear(p[half:])
	return len(p), nil
}

// summed hashes what is read.
type summed struct {
	io.Reader
	sum hash.Hash
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	_, _ = s.sum.Write(p[:n])
	return n, err
}
