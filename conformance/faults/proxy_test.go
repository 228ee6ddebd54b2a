//go:build unix

package faults

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands before a server. It can lose a reply after the effect: the request arrives, the answer does not, and the connection breaks.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	target string // changes when the server behind comes back elsewhere
	conns  map[net.Conn]bool
	closed bool
	match  []byte // a request that holds these bytes loses its reply
	answer []byte // when set: a reply that begins otherwise is let through
	said   []byte // when set, the reply itself is looked for: one that holds these bytes is lost
	armed  int
	cuts   int
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) lead(target string) {
	p.mu.Lock()
	p.target = target
	p.mu.Unlock()
}

// armReply makes the next reply that holds these bytes be lost, whatever it answers.
func (p *proxy) armReply(said string) {
	p.mu.Lock()
	p.said = []byte(said)
	p.mu.Unlock()
}

// arm makes the next request that holds match lose its reply.
func (p *proxy) arm(match, answer string) {
	p.mu.Lock()
	p.match, p.answer, p.armed = []byte(match), []byte(answer), 1
	p.mu.Unlock()
}

// lost returns how many replies were lost.
func (p *proxy) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		server, err := net.DialTimeout("tcp", target, 10*time.Second)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.hold(client, server) {
			return
		}
		l := &link{proxy: p, client: client, server: server}
		p.running.Go(l.requests)
		p.running.Go(l.replies)
	}
}

// hold remembers connections, so that they end with the proxy.
func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
		}
		p.conns[c] = true
	}
	return !p.closed
}

// link is one connection through the proxy.
type link struct {
	proxy          *proxy
	client, server net.Conn
	mu             sync.Mutex
	cut            bool // the next reply is to be lost
}

func (l *link) end() {
	_, _ = l.client.Close(), l.server.Close()
	l.proxy.mu.Lock()
	delete(l.proxy.conns, l.client)
	delete(l.proxy.conns, l.server)
	l.proxy.mu.Unlock()
}

func (l *link) requests() {
	defer l.end()
	buffer, tail := make([]byte, 1<<16), []byte(nil)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 {
			tail = l.inspect(append(tail, buffer[:n]...))
			if _, err := l.server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// inspect looks for the armed request and returns the end of what it saw: a pattern may lie across two reads.
func (l *link) inspect(seen []byte) []byte {
	p := l.proxy
	p.mu.Lock()
	hit := p.armed > 0 && bytes.Contains(seen, p.match)
	if hit {
		p.armed--
	}
	keep := len(p.match)
	p.mu.Unlock()
	if hit {
		l.mu.Lock()
		l.cut = true
		l.mu.Unlock()
		return nil
	}
	return bytes.Clone(seen[max(0, len(seen)-keep):])
}

func (l *link) replies() {
	defer l.end()
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.server.Read(buffer)
		if n > 0 {
			if l.loses(buffer[:n]) {
				return
			}
			if _, err := l.client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) loses(reply []byte) bool {
	l.mu.Lock()
	cut := l.cut
	l.cut = false
	l.mu.Unlock()
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said != nil && bytes.Contains(reply, p.said) {
		p.said = nil
		p.cuts++
		return true
	}
	if !cut {
		return false
	}
	if !bytes.HasPrefix(reply, p.answer) {
		p.armed++ // it was refused, so nothing was done: wait for one that is taken
		return false
	}
	p.cuts++
	return true
}
