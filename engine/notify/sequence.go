package notify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis/rules"
)

// Choice is what becomes of a file whose id is not the next.
type Choice string

// The choices. An empty one is ChooseWarn.
const (
	ChooseWarn   Choice = "warn"   // the file counts, and its acknowledgement says so
	ChooseRefuse Choice = "refuse" // no record of the file counts
	ChooseIgnore Choice = "ignore" // nothing is said
)

// Sequence says, for one authority, what becomes of files whose ids are out of order. File ids are incrementing numbers (REPC_MT000002GB01);
// what the national service does when they are not is not public, so it is the operator's to choose. Whatever is chosen, nothing is ever
// deleted because a file did not name it.
type Sequence struct {
	Repeated Choice `yaml:"repeated,omitempty"` // the id of the file before
	Skipped  Choice `yaml:"skipped,omitempty"`  // ids between it and the last were never seen
	Older    Choice `yaml:"older,omitempty"`    // a lower id than the last
}

// Validate reports every choice that is none.
func (s Sequence) Validate() error {
	var errs []error
	for name, c := range map[string]Choice{"repeated": s.Repeated, "skipped": s.Skipped, "older": s.Older} {
		if c != "" && c != ChooseWarn && c != ChooseRefuse && c != ChooseIgnore {
			errs = append(errs, fmt.Errorf("sequence.%s: is warn, refuse or ignore", name))
		}
	}
	return errors.Join(errs...)
}

// Refuses reports whether any file can be refused for its id.
func (s Sequence) Refuses() bool {
	return s.Repeated == ChooseRefuse || s.Skipped == ChooseRefuse || s.Older == ChooseRefuse
}

// Judge compares a file's id with the id of the file before it. The fault is nil when they are in order, when there was no file before, when
// they cannot be compared because one is no number, and when the choice is to ignore it. refused says that no record of the file may count.
func (s Sequence) Judge(before, id string) (fault *engine.Error, refused bool) {
	rule, choice, text := s.compare(strings.TrimSpace(before), strings.TrimSpace(id))
	switch {
	case rule == "" || choice == ChooseIgnore:
		return nil, false
	case choice == ChooseRefuse:
		rule, refused, text = rules.SequenceRefused, true, text+"; such files are refused here"
	}
	return &engine.Error{Op: "order of files", Kind: engine.Invalid, Rule: rule, Text: text}, refused
}

func (s Sequence) compare(before, id string) (rule string, choice Choice, text string) {
	if before == "" || id == "" {
		return "", "", ""
	}
	last, err1 := strconv.ParseUint(before, 10, 63)
	now, err2 := strconv.ParseUint(id, 10, 63)
	switch comparable := err1 == nil && err2 == nil; {
	case before == id, comparable && now == last:
		return rules.SequenceRepeated, s.Repeated, "the file before had the same id"
	case !comparable:
		return "", "", ""
	case now < last:
		return rules.SequenceOlder, s.Older, "the file before had a higher id"
	case now > last+1:
		return rules.SequenceSkipped, s.Skipped, fmt.Sprintf("ids between the file before and this one were not seen: %d", now-last-1)
	}
	return "", "", ""
}

// addOrder adds what the order of the authority's files, and a full refresh, have to say of this one.
func (r *report) addOrder(ctx context.Context, s *store.Store, p Party, a store.Arrival) error {
	u, absent, found, err := s.UploadOf(ctx, a.Message.ID)
	if err != nil || !found {
		return err
	}
	before, err := s.FileIDBefore(ctx, u.Authority, u.Received)
	if err != nil {
		return err
	}
	if fault, _ := p.Sequence.Judge(before, u.FileID); fault != nil {
		r.file = append(r.file, store.Fault{Outcome: engine.Accepted, Error: *fault})
	}
	if absent > 0 {
		r.file = append(r.file, store.Fault{Outcome: engine.Accepted, Error: engine.Error{Op: "full refresh", Kind: engine.Invalid, Rule: rules.RefreshAbsent,
			Text: fmt.Sprintf("flags that stand and were not in this file: %d; they stand unchanged", absent)}})
	}
	return nil
}
