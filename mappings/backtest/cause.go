package backtest

import (
	"maps"
	"slices"
	"strings"

	"signalbox/mappings"
	"signalbox/mappings/change"
)

// seen is where the work of two versions on one record parts: the targets that come out different, with the rows of code tables that made them.
type seen struct {
	targets map[string]rows // target, change.Condition or change.All -> rows
	made    map[string]bool // targets that hold something else, or are at fault
}

// rows are the rows of a code table that the old and the new version looked up, empty where they found none.
type rows struct{ old, now string }

func rowOf(s mappings.Step) string {
	if s.Row == nil {
		return ""
	}
	return s.Row.At()
}

// observe compares the two traces of a record rule by rule.
func observe(old *mappings.Mapping, was mappings.Traced, now *mappings.Mapping, is mappings.Traced) seen {
	s := seen{targets: map[string]rows{}, made: map[string]bool{}}
	if answer(was.When) != answer(is.When) {
		s.targets[change.Condition] = rows{}
	}
	if len(was.Steps) == 0 && len(is.Steps) == 0 && len(s.targets) == 0 {
		s.targets[change.All] = rows{} // it cannot be read, by one version or by both
	}
	before, after := steps(old, was), steps(now, is)
	for target := range maps.Keys(after) {
		if _, had := before[target]; !had && len(was.Steps) > 0 {
			before[target] = mappings.Step{}
		}
	}
	if len(was.Steps) == 0 || len(is.Steps) == 0 {
		return s // only one of them got as far as its rules
	}
	for target, a := range before {
		b := after[target]
		if slices.Equal(a.Made, b.Made) && broken(a) == broken(b) {
			continue
		}
		s.made[target] = true
		s.targets[target] = rows{rowOf(a), rowOf(b)}
	}
	return s
}

func answer(when *mappings.Step) string {
	if when == nil {
		return "none"
	}
	return strings.Join(when.Made, "") + broken(*when)
}

func steps(m *mappings.Mapping, t mappings.Traced) map[string]mappings.Step {
	rules := m.Rules()
	out := map[string]mappings.Step{}
	for _, s := range t.Steps {
		out[rules[s.Rule].Target] = s
	}
	return out
}

func broken(s mappings.Step) string {
	var all []string
	for _, f := range s.Faults {
		all = append(all, f.Rule)
	}
	return strings.Join(all, " ")
}

// fields lists the fields of the event that differ, ordered.
func (s seen) fields() []string { return slices.Sorted(maps.Keys(s.made)) }

// causes lists the edits that touch what differs. An edit of how every record is read is a cause where nothing nearer explains the difference.
func (s seen) causes(edits []change.Edit) []change.Edit {
	var near, wide []change.Edit
	for _, e := range edits {
		switch {
		case slices.Contains(e.Touches, change.All):
			wide = append(wide, e)
		case s.touched(e):
			near = append(near, e)
		}
	}
	if len(near) > 0 {
		return near
	}
	if _, unread := s.targets[change.All]; unread && len(wide) == 0 {
		for _, e := range edits { // a field that is declared anew can make every record unreadable
			if e.File == "source.yaml" {
				wide = append(wide, e)
			}
		}
	}
	return wide
}

func (s seen) touched(e change.Edit) bool {
	for _, target := range e.Touches {
		used, differs := s.targets[target]
		if differs && (e.Table == "" || e.OldRow != "" && used.old == e.OldRow || e.NewRow != "" && used.now == e.NewRow) {
			return true
		}
	}
	return false
}
