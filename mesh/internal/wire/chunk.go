package wire

import (
	"errors"
	"strconv"
	"strings"
)

// ChunkRange says which piece of how many a body is: the value "n:m" of the header Mex-Chunk-Range.
type ChunkRange struct {
	Number int // from 1
	Total  int // at least Number
}

// ErrChunkRange is returned for a chunk range that is not two decimal numbers n:m with 1 <= n <= m.
var ErrChunkRange = errors.New("wire: chunk range: want n:m with 1 <= n <= m")

// maxChunks bounds the total: 100 GB, the largest message, cut into pieces of 5 MB, makes 20,000.
const maxChunks = 1_000_000

// ParseChunkRange reads "n:m". White space around the numbers is tolerated; an absent header is the caller's to treat
// as 1:1.
func ParseChunkRange(s string) (ChunkRange, error) {
	left, right, ok := strings.Cut(s, ":")
	if !ok {
		return ChunkRange{}, ErrChunkRange
	}
	n, ok1 := chunkNumber(left)
	m, ok2 := chunkNumber(right)
	if !ok1 || !ok2 || n > m {
		return ChunkRange{}, ErrChunkRange
	}
	return ChunkRange{Number: n, Total: m}, nil
}

// String writes the range as the header wants it.
func (r ChunkRange) String() string {
	return strconv.Itoa(r.Number) + ":" + strconv.Itoa(r.Total)
}

// Last reports whether no chunk follows.
func (r ChunkRange) Last() bool { return r.Number >= r.Total }

func chunkNumber(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= maxChunks
}

// Truthy reads a flag header: servers write Y, older ones TRUE, and the sandbox takes a few more words for true.
func Truthy(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "y", "yes", "t", "true", "on", "1":
		return true
	}
	return false
}

// ChecksumText reports whether s may stand in Mex-Content-Checksum: letters, digits, white space and : - / alone.
func ChecksumText(s string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (r < '0' || r > '9') && !strings.ContainsRune(" \t:-/", r) {
			return false
		}
	}
	return true
}
