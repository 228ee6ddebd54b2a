package mesh_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"signalbox/mesh"
)

// random is a body of any length that cannot be compressed, made as it is read, at any place.
type random struct{ size int64 }

func (r random) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		if at+int64(i) >= r.size {
			return i, io.EOF
		}
		at := uint64(at) + uint64(i)
		x := (at>>3 + 1) * 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		p[i] = byte((x ^ x>>31) >> (8 * (at & 7)))
	}
	return len(p), nil
}

func (r random) open() *io.SectionReader { return io.NewSectionReader(r, 0, r.size) }

// Bodies that can be read at any place, only once, with and without a size, around the limits of memory and chunk: all come
// back byte for byte, and no temporary file stays.
func TestEveryKindOfBody(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	temp := t.TempDir()
	sender := w.client(la, func(c *mesh.Config) { c.ChunkSize, c.TempDir = 3<<20, temp })
	for _, size := range bodySizes() {
		want := make([]byte, size)
		_, _ = random{size}.ReadAt(want, 0)
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, append([]byte("skip"), want...), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for kind, body := range map[string]func() (io.Reader, int64){
			"memory": func() (io.Reader, int64) { return bytes.NewReader(want), 0 },
			"file":   func() (io.Reader, int64) { _, _ = f.Seek(4, io.SeekStart); return f, 0 },
			"once":   func() (io.Reader, int64) { return io.MultiReader(bytes.NewReader(want)), size },
			"unsized": func() (io.Reader, int64) {
				if size > 3<<20 {
					return bytes.NewBuffer(bytes.Clone(want)), 0 // has a length, cannot be read again
				}
				return io.MultiReader(bytes.NewReader(want)), 0
			},
		} {
			for _, zip := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d/%s/%v", size, kind, zip), func(t *testing.T) {
					var told []int64
					id := w.send(sender, nil, func(m *mesh.Outgoing) {
						m.Body, m.Size = body()
						m.Compress = zip
						m.Sent = func(n int64) { told = append(told, n) }
					})
					if _, got := w.get(receiver, id); !bytes.Equal(got, want) {
						t.Error("another body came back")
					}
					if n := (size + 3<<20 - 1) / (3 << 20); int64(len(told)) != n || told[n-1] != size {
						t.Errorf("told of progress %v", told)
					}
					w.ack(receiver, id)
				})
			}
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("%d temporary files stay, %v", len(left), err)
	}
}

// Each attempt reads the chunk anew: a reply that is lost in the middle of a streamed chunk does no harm.
func TestStreamedChunksAreRepeatedWhole(t *testing.T) {
	body := random{5 << 20}
	want, _ := io.ReadAll(body.open())
	for _, again := range []bool{true, false} {
		for _, zip := range []bool{false, true} {
			w := start(t)
			broken := atomic.Int32{}
			w.fault(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if path("POST", "/2")(r) && broken.Add(1) == 1 {
						_, _ = io.CopyN(io.Discard, r.Body, 300_000) // the connection breaks while the body is on its way
						cut(rw)
					}
					next.ServeHTTP(rw, r)
				})
			})
			id := w.send(w.client(la, chunks(2<<20)), nil, func(m *mesh.Outgoing) {
				m.Compress = zip
				if m.Body = body.open(); !again {
					m.Body, m.Size = io.MultiReader(m.Body), body.size
				}
			})
			if _, got := w.get(w.client(trust), id); !bytes.Equal(got, want) {
				t.Errorf("again %v, gzip %v: another body came back", again, zip)
			}
		}
	}
}

// shrinking is a file that another process cuts off while it is sent.
type shrinking struct {
	random
	real int64
}

func (s shrinking) ReadAt(p []byte, at int64) (int, error) { return random{s.real}.ReadAt(p, at) }

// A file that shrinks or fails under way never becomes a message, and the outcome is known: nothing whole was sent.
func TestBodyThatShrinksWhileItIsSent(t *testing.T) {
	for _, zip := range []bool{false, true} {
		for name, size := range map[string]int64{"one chunk": 3 << 20, "last chunk": 9 << 20, "small last chunk": 8<<20 + 5} {
			w := start(t)
			body := io.NewSectionReader(shrinking{random{size}, size - 3}, 0, size)
			_, err := w.client(la, chunks(4<<20)).Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Compress: zip, Body: body})
			if !errors.Is(err, mesh.ErrInvalid) {
				t.Errorf("%s, gzip %v: error %v, want invalid", name, zip, err)
			}
			if n := len(w.server.Inbox(trust)); n != 0 {
				t.Errorf("%s, gzip %v: %d messages are visible", name, zip, n)
			}
		}
	}
}

// A body whose error has io.EOF as its cause has broken, and is no shorter message.
func TestBodyThatBreaksWithAnEOF(t *testing.T) {
	for _, zip := range []bool{false, true} {
		w := start(t)
		broken := readerAt(func(p []byte, at int64) (int, error) {
			if at >= 1<<20 {
				return 0, fmt.Errorf("file server: %w", io.EOF)
			}
			clear(p)
			return len(p), nil
		})
		_, err := w.client(la).Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Compress: zip, Body: io.NewSectionReader(broken, 0, 3<<20)})
		if err == nil || len(w.server.Inbox(trust)) != 0 {
			t.Errorf("gzip %v: %v, %d messages are visible", zip, err, len(w.server.Inbox(trust)))
		}
	}
}

type readerAt func(p []byte, at int64) (int, error)

func (f readerAt) ReadAt(p []byte, at int64) (int, error) { return f(p, at) }

// sink takes bodies and forgets them, so that what is measured is the client alone.
func sink() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"message_id":"M"}`))
	})
}

// The heap does not grow with the message nor with the chunk: 512 MiB in chunks of 90 MiB go through in a few MiB. The size of
// a message is in no allocation, so that 100 GB take as much.
func TestMemoryWhileSendingIsBounded(t *testing.T) {
	w := start(t)
	w.fault(func(http.Handler) http.Handler { return sink() })
	size := int64(512 << 20)
	if raceEnabled || testing.Short() {
		size = 64 << 20
	}
	for _, zip := range []bool{false, true} {
		if zip {
			size /= 4 // compressing takes long, and one chunk says it all
		}
		var most uint64
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		body := &watched{Reader: io.NewSectionReader(zeros{}, 0, size), every: size / 20, look: func() {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
		}}
		c := w.client(la, func(c *mesh.Config) { c.ChunkSize = 90 << 20 })
		if _, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Compress: zip, Body: body}); err != nil {
			t.Fatal(err)
		}
		if grown := int64(most) - int64(before.HeapInuse); grown > 16<<20 {
			t.Errorf("gzip %v: %d MiB more heap in use while %d MiB were sent", zip, grown>>20, size>>20)
		}
	}
}

// zeros reads as nought at any place.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// watched looks at the heap every so many bytes.
type watched struct {
	Reader interface {
		io.ReadSeeker
		io.ReaderAt
	}
	every, seen int64
	look        func()
}

func (w *watched) Read(p []byte) (int, error)               { return w.Reader.Read(p) }
func (w *watched) Seek(at int64, whence int) (int64, error) { return w.Reader.Seek(at, whence) }
func (w *watched) ReadAt(p []byte, at int64) (int, error) {
	if w.seen += int64(len(p)); w.seen >= w.every {
		w.seen = 0
		w.look()
	}
	return w.Reader.ReadAt(p, at)
}

// A bomb of some 1,000 to 1 is refused at the caller's limit and not a byte later, whatever the size it would have.
func TestBombIsRefusedAtTheLimit(t *testing.T) {
	w := start(t)
	id := w.send(w.client(la), nil, func(m *mesh.Outgoing) {
		m.Compress, m.Body = true, io.NewSectionReader(zeros{}, 0, 64<<20)
	})
	in, err := w.client(trust).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	in.SetLimit(1 << 20)
	n, err := io.Copy(io.Discard, in)
	if !errors.Is(err, mesh.ErrTooLarge) || n > 1<<20 {
		t.Errorf("%d bytes, error %v", n, err)
	}
}

// Several uploads share compressors; none may meet another's bytes.
func TestParallelStreamedUploads(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la, chunks(2<<20)), w.client(trust)
	ids := make([]string, 6)
	bodies := make([][]byte, len(ids))
	for i := range bodies {
		bodies[i] = make([]byte, 3<<20+i)
		r := rand.NewChaCha8([32]byte{byte(i)})
		_, _ = r.Read(bodies[i][:len(bodies[i])/2])
	}
	if _, err := eight(len(ids), func(i int) (err error) {
		ids[i], err = sender.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Compress: i%2 == 0, Body: bytes.NewReader(bodies[i])})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if _, got := w.get(receiver, id); !bytes.Equal(got, bodies[i]) {
			t.Errorf("message %d: another body came back", i)
		}
	}
}

// bodySizes are the sizes around the limits of memory (1 MiB) and chunk (3 MiB).
func bodySizes() []int64 {
	if raceEnabled {
		return []int64{1, 3<<20 + 1}
	}
	return []int64{1, 1 << 20, 1<<20 + 1, 3 << 20, 3<<20 + 1, 7 << 20}
}

// envMemoryBytes sets the size of the message of TestMemoryThroughClientAndServer; 2147483648 is the figure of record.
const envMemoryBytes = "MESH_TEST_BYTES"

// A message goes up in chunks of 75 MiB, through a server that keeps it on disk, and down again, compressed by the server on the way:
// the heap of both together stays under 64 MiB. The size is 192 MiB unless MESH_TEST_BYTES says otherwise.
func TestMemoryThroughClientAndServer(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Log("large messages DID NOT RUN: -short or -race")
		return
	}
	size := int64(192 << 20)
	if n, err := strconv.ParseInt(os.Getenv(envMemoryBytes), 10, 64); err == nil {
		size = n
	}
	w := start(t)
	runtime.GC()
	var most uint64
	look := func() {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapInuse)
	}
	body := &watched{Reader: io.NewSectionReader(zeros{}, 0, size), every: size / 50, look: look}
	id := w.send(w.client(la), nil, func(m *mesh.Outgoing) { m.Body = body })
	sum, seen := int64(0), int64(0)
	_, n, err := w.client(trust, func(c *mesh.Config) { c.MaxMessage = size }).Download(t.Context(), id, writer(func(p []byte) (int, error) {
		if seen += int64(len(p)); seen >= size/50 {
			seen = 0
			look()
		}
		for _, b := range p {
			sum += int64(b)
		}
		return len(p), nil
	}))
	if err != nil || n != size || sum != 0 {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
	if most > 64<<20 {
		t.Errorf("%d MiB of heap in use", most>>20)
	}
	t.Logf("%d MiB through client and server, heap in use at most %d MiB", size>>20, most>>20)
}
