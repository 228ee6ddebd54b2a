package meshserver

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

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
		x.deliverZipped(m, n, body, size)
	default:
		x.messageHeader(m, n, m.Encoding == wire.Gzip && size > 0)
		x.deliverAsIs(m, n, body, size)
	}
}

// wholeBody is the size, in bytes, up to which a body is answered with one write.
const wholeBody = 64 << 10

func (x *exchange) deliverAsIs(m Meta, n int, body io.Reader, size int64) {
	x.w.Header()["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	if size > wholeBody {
		x.w.WriteHeader(downloadStatus(m, n))
		x.copied(io.Copy(x.w, body))
		return
	}
	z := x.s.zips.Get().(*zipper)
	defer x.s.zips.Put(z)
	raw := z.whole[:size]
	if _, err := io.ReadFull(body, raw); err != nil {
		x.broken("download", err)
		return
	}
	x.w.WriteHeader(downloadStatus(m, n))
	x.written(raw)
}

// deliverUnzipped undoes the sender's gzip for a receiver that does not take it.
func (x *exchange) deliverUnzipped(m Meta, n int, body io.Reader) {
	packed := &counted{r: body}
	plain, err := gzip.NewReader(bufio.NewReader(packed))
	if err != nil { // the sender said gzip and sent something else
		x.broken("download", errors.New("stored chunk is not gzip"))
		return
	}
	x.messageHeader(m, n, false)
	x.w.WriteHeader(downloadStatus(m, n))
	z := x.s.zips.Get().(*zipper)
	defer x.s.zips.Put(z)
	x.copied(io.CopyBuffer(x.w, &bounded{r: plain, packed: packed}, z.whole))
}

// A body that unpacks to more than bombFrom bytes and more than bombRatio times itself is not unpacked further: it was made to
// (the most that its format can do is 1,032 times). A receiver that takes gzip gets it as it is.
const (
	bombFrom  = 16 << 20
	bombRatio = 500
)

var errBomb = errors.New("stored chunk unpacks to far more than it is")

// bounded is a body on its way out of gzip.
type bounded struct {
	r      io.Reader
	packed *counted
	n      int64
}

// Read fails when it has come to too much.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > bombFrom && b.n/bombRatio > b.packed.n {
		return 0, errBomb
	}
	return n, err
}

type counted struct {
	r io.Reader
	n int64
}

// Read counts.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// deliverZipped compresses on the way out, as the service does for version 2 callers that take gzip.
func (x *exchange) deliverZipped(m Meta, n int, body io.Reader, size int64) {
	x.messageHeader(m, n, true)
	z := x.s.zips.Get().(*zipper)
	defer x.s.zips.Put(z)
	if size <= storedZip {
		raw := z.whole[:size]
		if _, err := io.ReadFull(body, raw); err != nil {
			x.broken("download", err)
			return
		}
		z.stored = appendStored(z.stored[:0], raw)
		x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(z.stored))}
		x.w.WriteHeader(downloadStatus(m, n))
		x.written(z.stored)
		return
	}
	x.w.WriteHeader(downloadStatus(m, n))
	z.Reset(x.w)
	// The reader is hidden, lest a file write itself and pass the buffer by.
	_, err := io.CopyBuffer(z.Writer, struct{ io.Reader }{body}, z.whole)
	x.copied(0, errors.Join(err, z.Close()))
}

// storedZip is the size, in bytes, up to which a body is wrapped in gzip and not made smaller: it fits into a packet or two
// anyway, and finding a code for it costs more than all the rest of its answer.
const storedZip = 2 << 10

// appendStored appends raw as a gzip member of one stored block (RFC 1951, section 3.2.4; RFC 1952).
func appendStored(to, raw []byte) []byte {
	to = append(to, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255) // no name, no time, unknown system
	to = append(to, 1)                                    // the last block, stored
	to = binary.LittleEndian.AppendUint16(to, uint16(len(raw)))
	to = binary.LittleEndian.AppendUint16(to, ^uint16(len(raw)))
	to = append(to, raw...)
	to = binary.LittleEndian.AppendUint32(to, crc32.ChecksumIEEE(raw))
	return binary.LittleEndian.AppendUint32(to, uint32(len(raw)))
}

func (x *exchange) written(raw []byte) {
	n, err := x.w.Write(raw)
	x.copied(int64(n), err)
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

// Header names of a download, in lower case as the service writes them.
const (
	lowMessageID         = "mex-messageid"
	lowFrom              = "mex-from"
	lowTo                = "mex-to"
	lowWorkflowID        = "mex-workflowid"
	lowMessageType       = "mex-messagetype"
	lowChunkRange        = "mex-chunk-range"
	lowTotalChunks       = "mex-total-chunks"
	lowFileName          = "mex-filename"
	lowLocalID           = "mex-localid"
	lowSubject           = "mex-subject"
	lowPartnerID         = "mex-partnerid"
	lowChecksum          = "mex-content-checksum"
	lowContentType       = "mex-content-type"
	lowEncrypted         = "mex-content-encrypted"
	lowCompressed        = "mex-content-compressed"
	lowLinkedID          = "mex-linkedmsgid"
	lowAddressType       = "mex-addresstype"
	lowVersion           = "mex-version"
	lowStatusCode        = "mex-statuscode"
	lowStatusEvent       = "mex-statusevent"
	lowStatusDescription = "mex-statusdescription"
	lowStatusSuccess     = "mex-statussuccess"
	lowStatusTimestamp   = "mex-statustimestamp"
)

// messageHeader writes what is known of the message, names in lower case as the service does, empty ones left out.
func (x *exchange) messageHeader(m Meta, n int, zipped bool) {
	h := x.w.Header()
	values := make([]string, 0, 24) // one array for all values
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set(lowMessageID, m.ID)
	set(lowFrom, m.From)
	set(lowTo, m.To)
	set(lowWorkflowID, m.WorkflowID)
	set(lowMessageType, m.Type)
	set(lowChunkRange, wire.ChunkRange{Number: n, Total: m.Total}.String())
	set(lowTotalChunks, strconv.Itoa(m.Total))
	set(lowFileName, m.FileName)
	set(lowLocalID, m.LocalID)
	set(lowSubject, m.Subject)
	set(lowPartnerID, m.PartnerID)
	set(lowChecksum, m.Checksum)
	set(lowContentType, m.ContentType)
	set(lowEncrypted, yes(m.Encrypted))
	set(lowCompressed, yes(m.Compressed || zipped))
	set(lowLinkedID, m.LinkedID)
	set(lowAddressType, "ALL")
	set(lowVersion, "1.0")
	set(lowStatusCode, m.StatusCode)
	set(lowStatusEvent, m.StatusEvent)
	set(lowStatusDescription, m.StatusDescription)
	set(lowStatusSuccess, successWord(m))
	set(lowStatusTimestamp, since(m).Format(wire.TimeStamp))
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

func yes(flag bool) string {
	if flag {
		return "Y"
	}
	return ""
}

func successWord(m Meta) string {
	if m.Type == wire.TypeReport || failed(m) {
		return "ERROR"
	}
	return "SUCCESS"
}
