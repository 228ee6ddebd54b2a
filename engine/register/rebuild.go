package register

import (
	"cmp"
	"slices"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Row names one row of the register: a person, an authority and a plan type.
type Row struct {
	NHSNumber engine.NHSNumber
	Authority string
	Plan      engine.PlanType
}

// RowOf returns the row that a flag event speaks of.
func RowOf(f engine.Flag) Row {
	return Row{NHSNumber: f.Subject.NHSNumber, Authority: f.Authority.ODSCode, Plan: f.Plan.Type}
}

// Rebuild makes rows anew from all events that were applied to them, and returns how many came out different. It is for when events were
// changed or withdrawn; otherwise Apply leaves the same rows. It reads all flag events of the record.
func (r *Register) Rebuild(tx *store.Tx, rows []Row) (changed int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, compareRows) // locked in one order by everybody
	rows = slices.Compact(rows)
	held := map[Row]store.FlagRow{}
	persons := map[string]bool{}
	for _, row := range rows {
		current, found, err := tx.FlagVersion(row.NHSNumber, row.Authority, row.Plan)
		if err != nil {
			return 0, err
		}
		if found {
			held[row] = current
		}
		persons[row.NHSNumber.Key()] = true
	}
	best := map[Row]store.FlagRow{}
	err = tx.AppliedFlags(persons, func(e engine.Envelope) error {
		row, is := RowOf(*e.Flag), flagRow(e)
		if b, seen := best[row]; !seen || is.Version > b.Version {
			best[row] = is
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		was, had := held[row]
		is, has := best[row]
		switch {
		case had && has && (was.Version != is.Version || was.Event != is.Event):
			err = tx.SetFlag(is)
		case had && !has:
			err = tx.RemoveFlag(was)
		case !had && has:
			err = tx.PutFlag(is)
		default:
			continue
		}
		if err != nil {
			return 0, err
		}
		changed++
	}
	return changed, nil
}

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.NHSNumber.Reveal(), b.NHSNumber.Reveal()), cmp.Compare(a.Authority, b.Authority), cmp.Compare(a.Plan, b.Plan))
}
