package twin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// Transport returns a RoundTripper that reaches the twin without a network. It goes wrong as a network does: a broken answer ends in
// io.ErrUnexpectedEOF, and one that is too late in the context's error.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

// RoundTrip has the twin answer.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}}
	cut := w.serve(t.s, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body io.Reader = &w.body
	if cut {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), Request: r,
	}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// serve reports whether the handler broke the connection.
func (w *recorder) serve(h http.Handler, r *http.Request) (cut bool) {
	defer func() {
		if v := recover(); v != nil {
			if err, is := v.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			cut = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
