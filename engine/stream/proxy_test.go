package stream

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy stands before a server and can lose its replies: the request arrives, the answer does not.
type proxy struct {
	listener net.Listener
	target   string
	cut      atomic.Bool
	cuts     atomic.Int64
	running  sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		p.sever()
		p.running.Wait()
	})
	return p
}

// sever ends everything: what is behind it can no more be told anything, as after a crash.
func (p *proxy) sever() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() + "/0" }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.running.Go(func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		})
		p.running.Go(func() { p.answers(client, server) })
	}
}

// answers passes replies on until they are to be cut: then the first one is lost, and the connection with it.
func (p *proxy) answers(client, server net.Conn) {
	defer func() { _, _ = client.Close(), server.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if p.cut.Load() {
			p.cuts.Add(1)
			time.Sleep(time.Millisecond) // let the rest of a pipelined request arrive
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
