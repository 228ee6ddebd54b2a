package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"signalbox/fhir"
	"signalbox/fhir/api/negotiate"
)

// wanted says in which form the client wants its answer. The parameter _format goes before the header, as FHIR R4 has it. It reports false
// when there is no form that the client takes and we give; the refusal that says so is in JSON.
func wanted(r *http.Request) (negotiate.Format, bool) {
	if strings.Contains(r.URL.RawQuery, "_format=") {
		if values, err := url.ParseQuery(r.URL.RawQuery); err == nil && values.Has(paramFormat) {
			format, ok := negotiate.Param(values.Get(paramFormat))
			return format, ok && len(values[paramFormat]) == 1
		}
	}
	if len(r.Header.Values("Accept")) == 0 {
		return negotiate.JSON, true
	}
	return negotiate.Accept(strings.Join(r.Header.Values("Accept"), ","))
}

// mirrored lists the headers that come back with the answer.
func mirrored() []string { return []string{"TraceID", "X-Request-ID", "X-Correlation-ID"} }

// minZip is the size under which compressing costs more than it saves.
const minZip = 1024

// write sends the answer in the form that the client wants and returns its status.
func (s *Server) write(w http.ResponseWriter, r *http.Request, entry *exchange, a reply) int {
	format := entry.format
	if format == negotiate.XML && len(a.body) > 0 && !entry.plain {
		if raw, err := asXML(a.body); err == nil {
			a.body = raw
		} else { // what we build is FHIR by two readers in every test: this is a fault of ours
			s.log.LogAttrs(r.Context(), slog.LevelError, "fhir answer cannot be written as XML", slog.String("route", entry.route))
			a, format = internal(), negotiate.JSON
		}
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Encoding, Authorization")
	for _, name := range mirrored() {
		if v := r.Header.Get(name); plain(v) {
			h.Set(name, v)
		}
	}
	if entry.applied != "" {
		h.Set("Preference-Applied", entry.applied)
	}
	for name, v := range a.headers {
		if v != "" {
			h.Set(name, v)
		}
	}
	if a.status != http.StatusNotModified && len(a.body) > 0 {
		if !entry.plain {
			h.Set("Content-Type", format.MediaType()+"; charset=utf-8")
		}
		if len(a.body) >= minZip && negotiate.TakesGzip(strings.Join(r.Header.Values("Accept-Encoding"), ",")) {
			a.body = s.zip.compress(a.body)
			h.Set("Content-Encoding", "gzip")
		}
	}
	if a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if a.status == http.StatusNotModified {
		return a.status
	}
	if _, err := w.Write(a.body); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "fhir answer not taken: the connection is gone")
	}
	return a.status
}

// plain reports whether a header may be mirrored: short, and visible ASCII.
func plain(v string) bool {
	if v == "" || len(v) > 128 {
		return false
	}
	return !strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' })
}

// tagged gives an answer its ETag, and makes it a 304 when the client has it already. The tag is weak: it stands for what is told, whatever
// its encoding and its links. Conditions are for GET alone (RFC 9110 section 13.1.2); the access is recorded before either answer.
func (s *Server) tagged(r *http.Request, a reply, tag string) reply {
	if r.Method != http.MethodGet || a.status != http.StatusOK {
		return a
	}
	a = a.with("ETag", `W/"`+tag+`"`)
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		if one = strings.TrimSpace(one); strings.TrimPrefix(one, "W/") == `"`+tag+`"` {
			a.status, a.body = http.StatusNotModified, nil
		}
	}
	return a
}

// asXML writes an answer, which is made as JSON, as XML.
func asXML(body []byte) ([]byte, error) {
	limits := fhir.DefaultLimits()
	limits.MaxBytes = max(limits.MaxBytes, len(body))
	doc, err := fhir.Read(body, limits)
	if err != nil {
		return nil, err
	}
	return fhir.AppendXML(make([]byte, 0, 2*len(body)), doc)
}

// zippers keeps writers for compressing: each holds hundreds of kilobytes.
type zippers struct{ pool sync.Pool }

func (z *zippers) compress(body []byte) []byte {
	var out bytes.Buffer
	w, ok := z.pool.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(&out)
	}
	defer z.pool.Put(w)
	w.Reset(&out)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil { // a buffer takes everything
		return body
	}
	return out.Bytes()
}

// decompress puts a reader of the decompressed body in the place of a compressed one. It makes no more bytes than are asked of it, and
// whoever reads a body reads it up to a bound: a bomb is as harmless as a body that is too long.
func (s *Server) decompress(r *http.Request) *reply {
	switch encoding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")); encoding {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		r.Header = r.Header.Clone() // the caller's stays as it came
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
		r.ContentLength = -1
		r.Body = &unzipped{from: http.MaxBytesReader(nil, r.Body, int64(s.cfg.MaxBody)+minZip)}
		return nil
	}
	out := unsupportedMedia("a body is sent uncompressed or with gzip").with("Accept-Encoding", "gzip")
	return &out
}

// unzipped reads a gzip body. The compressed bytes are bounded too: a stream of empty members would otherwise never end.
type unzipped struct {
	from io.ReadCloser
	gzip *gzip.Reader
}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.gzip == nil {
		z, err := gzip.NewReader(u.from)
		if err != nil {
			return 0, err
		}
		u.gzip = z
	}
	return u.gzip.Read(p)
}

func (u *unzipped) Close() error { return u.from.Close() }
