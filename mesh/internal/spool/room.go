package spool

import "fmt"

// The journal's file is made longer ahead of what is written, with zeros: an fsync that need not write down a new length takes
// about half as long. It doubles up to a bound, so that a small spool stays small.
const (
	leastRoom = 64 << 10
	mostRoom  = 4 << 20
)

// makeRoom makes the file long enough for n more bytes, durably. What lies beyond the last frame is zeros, and no frame starts
// with one. A disk that has no room to spare may well have enough for what is to be written.
func (j *journal) makeRoom(n int64) error {
	if j.size+n <= j.room {
		return nil
	}
	ahead := make([]byte, min(max(j.size, leastRoom), mostRoom))
	if _, err := j.file.WriteAt(ahead, j.size+n); err != nil {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	j.room = j.size + n + int64(len(ahead))
	return nil
}

// giveBack cuts off what was made ahead and not used.
func (j *journal) giveBack() error {
	if j.room <= j.size {
		return nil
	}
	j.room = j.size
	return j.file.Truncate(j.size)
}
