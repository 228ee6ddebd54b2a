package app

import (
	"context"
	"time"

	"signalbox/engine/store"
	"signalbox/fhir"
	"signalbox/fhir/oracle"
)

// Words of secondOpinion in the configuration.
const (
	opinionOff    = "off"
	opinionSample = "sample"
	opinionAlways = "always"
)

// opinion makes what asks google/fhir about documents that trusts send, beside the answer; nil for off. runOpinion has to run.
func (e *engineRoom) opinion() (fhir.SecondOpinion, error) {
	if e.cfg.SecondOpinion == opinionOff {
		return nil, nil
	}
	other, err := oracle.New()
	if err != nil {
		return nil, err
	}
	cfg := oracle.DefaultBeside()
	if e.cfg.SecondOpinion == opinionAlways {
		cfg.Every = 1
	}
	cfg.Report = e.differs
	e.beside, err = oracle.NewBeside(other, cfg)
	return e.beside, err
}

// differs counts a comparison and keeps a difference in the record and in the log: the document's digest, under which the record has it, and both verdicts' rules and
// places, none of which holds a datum. A difference that somebody has decided is no news.
func (e *engineRoom) differs(digest string, o oracle.Opinions) {
	e.observer.SecondOpinion(o.Class)
	if !o.Differ() || o.Class == oracle.Dropped {
		return
	}
	faults, reader := o.Ours, "signalbox"
	if len(faults) == 0 {
		faults, reader = o.Theirs, "google/fhir"
	}
	log := e.opts.Log.With("room", "fhir", "digest", digest, "verdict", o.Class, "by", reader, "faults", len(faults),
		"rule", faults[0].Rule, "at", faults[0].Path)
	if err := e.keepDifference(store.Disagreement{Digest: digest, Class: o.Class, Reader: reader, Rule: faults[0].Rule, Place: faults[0].Path, Faults: len(faults)}); err != nil {
		log.Warn("a difference between FHIR readers is in the log alone: the record did not take it", "error", err)
	}
	if o.Class == oracle.Undecided {
		log.Warn("one FHIR reader refuses what the other takes, and nobody has decided that difference")
		return
	}
	log.Info("one FHIR reader refuses what the other takes, as has been decided")
}

// keepDifference keeps a difference. It is called by the one goroutine that compares, which can wait, though not for ever.
func (e *engineRoom) keepDifference(d store.Disagreement) error {
	if e.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return e.store.KeepDisagreement(ctx, d)
}

// runOpinion compares until ctx ends; the channel closes when it has ended.
func (e *engineRoom) runOpinion(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if e.beside != nil {
			e.beside.Run(ctx)
		}
	}()
	return done
}
