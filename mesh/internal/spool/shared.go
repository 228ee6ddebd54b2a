package spool

import (
	"io"
	"os"
	"sync/atomic"
)

// sharedFile is a file that is closed when its owner and all readers have let go of it.
type sharedFile struct {
	*os.File
	holders atomic.Int64
}

func newShared(f *os.File) *sharedFile {
	s := &sharedFile{File: f}
	s.holders.Store(1)
	return s
}

// Close lets go.
func (f *sharedFile) Close() error {
	if f.holders.Add(-1) > 0 {
		return nil
	}
	return f.File.Close()
}

// section opens a part of the file. The caller must be a holder, or keep the owner from letting go meanwhile.
func (f *sharedFile) section(offset, size int64) io.ReadCloser {
	f.holders.Add(1)
	return &section{io.NewSectionReader(f.File, offset, size), f, false}
}

type section struct {
	*io.SectionReader
	file   *sharedFile
	closed bool
}

// Close lets go of the file, once.
func (s *section) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.file.Close()
}
