package mesh_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/mesh"
)

// lean is a load generator that costs little beside the server that it loads, as one on a machine of its own would: its requests
// are bytes that were made before, tokens included, and go out over connections that are kept, one at a time on each. It reads each
// answer to its end and undoes no gzip.
type lean struct {
	host  string
	conns []*leanConn
}

type leanConn struct {
	net.Conn
	r *bufio.Reader
}

// newLean opens the connections, which the benchmark's end closes.
func newLean(b *testing.B, url string, conns int) *lean {
	l := &lean{host: strings.TrimPrefix(url, "http://")}
	for range conns {
		c, err := net.Dial("tcp", l.host)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		l.conns = append(l.conns, &leanConn{c, bufio.NewReaderSize(c, 64<<10)})
	}
	return l
}

// request makes the bytes of a call of the API.
func (l *lean) request(method, mailbox, path string, body []byte, headers ...string) []byte {
	password := map[string]mesh.Secret{la: "la-password", trust: "trust-password"}[mailbox]
	token := mesh.NewToken(mailbox, uuid.NewString(), "0", time.Now(), password, "TestKey")
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s /messageexchange/%s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nAccept: application/vnd.mesh.v2+json\r\n", method, mailbox, path, l.host, token.Header())
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&out, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if method != "GET" {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
	}
	out.WriteString("\r\n")
	out.Write(body)
	return out.Bytes()
}

// run makes the requests, shared out over the connections, and returns how long each took and all together.
func (l *lean) run(requests [][]byte) (each []time.Duration, all time.Duration, err error) {
	free := make(chan *leanConn, len(l.conns))
	for _, c := range l.conns {
		free <- c
	}
	return crowd(len(l.conns), len(requests), func(i int) error {
		c := <-free
		defer func() { free <- c }()
		return c.exchange(requests[i])
	})
}

var errLean = errors.New("the answer is not a success")

// exchange sends a request and reads the answer.
func (c *leanConn) exchange(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 2")) {
		return fmt.Errorf("%w: %s", errLean, bytes.TrimSpace(status))
	}
	length, chunked := 0, false
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return err
			}
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	if !chunked {
		_, err = c.r.Discard(length)
		return err
	}
	if _, err = io.Copy(io.Discard, httputil.NewChunkedReader(c.r)); err != nil {
		return err
	}
	_, err = c.r.Discard(2) // the end of the trailer, which is empty
	return err
}
