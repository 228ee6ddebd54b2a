package oracle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync/atomic"

	"signalbox/fhir"
)

// Dropped is the class of a document that was not compared because too many were waiting.
const Dropped = "dropped"

// BesideConfig says how often and how patiently another reader is asked.
type BesideConfig struct {
	Every  int // one document in so many is compared, the first included; 1 for all
	Queue  int // documents that may wait; more are dropped and counted
	Limits fhir.Limits
	// Report is told of every comparison, and of every document that was dropped (with Opinions.Class alone). The digest is the SHA-256 of the
	// document, in hexadecimal: none of it holds a datum. It is called from Check and from Run, and must return soon.
	Report func(digest string, o Opinions)
}

// DefaultBeside compares one document in 16 and lets 64 wait.
func DefaultBeside() BesideConfig {
	return BesideConfig{Every: 16, Queue: 64, Limits: fhir.DefaultLimits()}
}

// Validate refuses what cannot work.
func (c BesideConfig) Validate() error {
	if c.Every < 1 || c.Queue < 1 || c.Report == nil {
		return errors.New("fhir oracle: beside: every and queue are at least 1, and somebody takes the reports")
	}
	return c.Limits.Validate()
}

// Beside asks a second opinion off the answering path: Check only puts the document into a bounded queue, and Run, which has one owner, compares
// both readers. So the second opinion never delays or changes an answer. It is safe for concurrent use.
type Beside struct {
	cfg   BesideConfig
	other fhir.SecondOpinion
	queue chan []byte
	seen  atomic.Uint64
}

var _ fhir.XMLOpinion = (*Beside)(nil)

// NewBeside returns a Beside that asks the other reader. Run must be called for anything to be compared.
func NewBeside(other fhir.SecondOpinion, cfg BesideConfig) (*Beside, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Beside{cfg: cfg, other: other, queue: make(chan []byte, cfg.Queue)}, nil
}

// Check takes note of a document, which must not change afterwards, and finds nothing wrong.
func (b *Beside) Check(data []byte) []*fhir.Fault {
	if (b.seen.Add(1)-1)%uint64(b.cfg.Every) != 0 {
		return nil
	}
	select {
	case b.queue <- data:
	default:
		b.cfg.Report("", Opinions{Class: Dropped})
	}
	return nil
}

// CheckXML is Check for XML, which is compared as it was written: its digest is that of the record.
func (b *Beside) CheckXML(data []byte) []*fhir.Fault { return b.Check(data) }

// Run compares what Check was given until ctx ends, and then counts what still waits as dropped.
func (b *Beside) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			for range len(b.queue) {
				<-b.queue
				b.cfg.Report("", Opinions{Class: Dropped})
			}
			return
		case data := <-b.queue:
			digest := sha256.Sum256(data)
			b.cfg.Report(hex.EncodeToString(digest[:]), Compare(data, b.cfg.Limits, b.other))
		}
	}
}
