package meshserver

import (
	"bufio"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// download answers a chunk of a message to its recipient.
func (x *exchange) download() {
	n := 1
	if len(x.params) > 1 {
		var err error
		if n, err = strconv.Atoi(x.params[1]); err != nil || n < 1 {
			x.invalid([]problem{{
				Loc: []string{"path", "chunk_number"}, Msg: "ensure this value is greater than or equal to 1",
				Type: "value_error.number.not_ge", Ctx: map[string]int{"limit_value": 1},
			}})
			return
		}
	}
	m, ok := x.s.spool.Get(strings.ToUpper(x.params[0]))
	switch {
	case !ok:
		x.fail(http.StatusNotFound, "", faultNotFound)
		return
	case m.To != x.mailbox.ID:
		x.fail(http.StatusForbidden, "", faultForbidden)
		return
	case !x.available(m):
		x.fail(http.StatusGone, m.ID, faultGone)
		return
	}
	x.deliver(m, n)
}

// available reports whether a message can be had: while it waits, and in the sandbox also after that.
func (x *exchange) available(m Meta) bool {
	return m.Status == wire.StatusAccepted || m.Status == wire.StatusAcknowledged && x.lax(laxAcknowledged)
}

func (x *exchange) deliver(m Meta, n int) {
	body, size, err := x.s.spool.OpenChunk(m.ID, n)
	switch {
	case errors.Is(err, spool.ErrNotFound):
		x.fail(http.StatusNotFound, m.ID, faultNotFound)
		return
	case errors.Is(err, spool.ErrGone): // acknowledged since we looked
		x.fail(http.StatusGone, m.ID, faultGone)
		return
	case err != nil:
		x.broken("download", err)
		return
	}
	defer body.Close()
	takesGzip := x.takesGzip()
	if x.unchanged(m, n, size > 0 && (m.Encoding == wire.Gzip || x.version >= 2) && takesGzip) {
		return
	}
	switch {
	case m.Encoding == wire.Gzip && !takesGzip && size > 0:
		x.deliverUnzipped(m, n, body)
	case m.Encoding == "" && takesGzip && x.version >= 2 && size > 0:
		x.deliverZipped(m, n, body)
	default:
		x.messageHeader(m, n, m.Encoding == wire.Gzip && size > 0)
		x.w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		x.w.WriteHeader(downloadStatus(m, n))
		x.copied(io.Copy(x.w, body))
	}
}

// deliverUnzipped undoes the sender's gzip for a receiver that does not take it.
func (x *exchange) deliverUnzipped(m Meta, n int, body io.Reader) {
	plain, err := gzip.NewReader(bufio.NewReader(body))
	if err != nil { // the sender said gzip and sent something else
		x.broken("download", errors.New("stored chunk is not gzip"))
		return
	}
	x.messageHeader(m, n, false)
	x.w.WriteHeader(downloadStatus(m, n))
	x.copied(io.Copy(x.w, plain))
}

// deliverZipped compresses on the way out, as the service does for version 2 callers that take gzip.
func (x *exchange) deliverZipped(m Meta, n int, body io.Reader) {
	x.messageHeader(m, n, true)
	x.w.WriteHeader(downloadStatus(m, n))
	zip := x.s.zips.Get().(*zipper)
	defer x.s.zips.Put(zip)
	zip.Reset(x.w)
	// The reader is hidden, lest a file write itself and pass the buffer by.
	_, err := io.CopyBuffer(zip.Writer, struct{ io.Reader }{body}, zip.buf)
	x.copied(0, errors.Join(err, zip.Close()))
}

// copied breaks the connection when a body could not be written whole: the status is gone already, and a short body must
// not look like a whole one.
func (x *exchange) copied(_ int64, err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func downloadStatus(m Meta, n int) int {
	if n < m.Total {
		return http.StatusPartialContent
	}
	return http.StatusOK
}

// head answers the header alone, to the recipient or the sender; to others the message does not exist.
func (x *exchange) head() {
	m, ok := x.s.spool.Get(strings.ToUpper(x.params[0]))
	switch {
	case !ok || m.To != x.mailbox.ID && m.From != x.mailbox.ID:
		x.fail(http.StatusNotFound, "", faultNotFound)
		return
	case !x.available(m) && !(x.lax(laxHead) && m.From == x.mailbox.ID):
		x.fail(http.StatusGone, m.ID, faultGone)
		return
	}
	if x.unchanged(m, 1, false) {
		return
	}
	x.messageHeader(m, 1, false)
	x.empty(http.StatusOK)
}

// unchanged sets the ETag of a chunk in a coding, and answers 304 when the caller has it. A stored message never changes, so
// its id, the chunk and the coding say all.
func (x *exchange) unchanged(m Meta, n int, zipped bool) bool {
	if x.lax(laxETag) {
		return false
	}
	sum := sha1.Sum([]byte(m.ID + ":" + strconv.Itoa(n) + ":" + strconv.FormatBool(zipped)))
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	x.w.Header()["Etag"] = []string{tag}
	for _, value := range x.r.Header.Values("If-None-Match") {
		for have := range strings.SplitSeq(value, ",") {
			if have = strings.TrimSpace(have); have == "*" || strings.TrimPrefix(have, "W/") == tag {
				x.empty(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}

// takesGzip reads Accept-Encoding; a coding with q=0 is refused.
func (x *exchange) takesGzip() bool {
	for _, value := range x.r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(value, ",") {
			coding, q, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(coding), wire.Gzip) {
				weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(q), "q="), 64)
				return err != nil || weight > 0
			}
		}
	}
	return false
}

// messageHeader writes what is known of the message, names in lower case as the service does, empty ones left out.
func (x *exchange) messageHeader(m Meta, n int, zipped bool) {
	h := x.w.Header()
	set := func(name, value string) {
		if value != "" {
			h[strings.ToLower(name)] = []string{value}
		}
	}
	yes := map[bool]string{true: "Y"}
	set(wire.HeaderMessageID, m.ID)
	set(wire.HeaderFrom, m.From)
	set(wire.HeaderTo, m.To)
	set(wire.HeaderWorkflowID, m.WorkflowID)
	set(wire.HeaderMessageType, m.Type)
	set(wire.HeaderChunkRange, wire.ChunkRange{Number: n, Total: m.Total}.String())
	set(wire.HeaderTotalChunks, strconv.Itoa(m.Total))
	set(wire.HeaderFileName, m.FileName)
	set(wire.HeaderLocalID, m.LocalID)
	set(wire.HeaderSubject, m.Subject)
	set(wire.HeaderPartnerID, m.PartnerID)
	set(wire.HeaderChecksum, m.Checksum)
	set(wire.HeaderContentType, m.ContentType)
	set(wire.HeaderEncrypted, yes[m.Encrypted])
	set(wire.HeaderCompressed, yes[m.Compressed || zipped])
	set(wire.HeaderLinkedID, m.LinkedID)
	set(wire.HeaderAddressType, "ALL")
	set(wire.HeaderVersion, "1.0")
	set(wire.HeaderStatusCode, m.StatusCode)
	set(wire.HeaderStatusEvent, m.StatusEvent)
	set(wire.HeaderStatusDescription, m.StatusDescription)
	set(wire.HeaderStatusSuccess, successWord(m))
	set(wire.HeaderStatusTimestamp, since(m).Format(wire.TimeStamp))
	h.Set("Last-Modified", since(m).Format(http.TimeFormat))
	h.Set("Content-Type", x.contentType(m))
	if zipped {
		h.Set("Content-Encoding", wire.Gzip)
	}
}

// contentType is the sender's for whole messages in version 2, and octets otherwise.
func (x *exchange) contentType(m Meta) string {
	if x.version < 2 || m.Total > 1 || m.ContentType == "" {
		return wire.MediaBinary
	}
	if x.lax(laxCharset) {
		lower := strings.ToLower(m.ContentType)
		if strings.HasPrefix(lower, "text/") {
			lower += "; charset=utf-8"
		}
		return lower
	}
	return m.ContentType
}

func successWord(m Meta) string {
	if m.Type == wire.TypeReport || failed(m) {
		return "ERROR"
	}
	return "SUCCESS"
}
