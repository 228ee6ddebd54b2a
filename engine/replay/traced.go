package replay

import (
	"context"
	"strings"

	"signalbox/engine"
)

// held keeps refused what PDS had refused when the message came: a replay translates anew and asks nobody. The child comes with the authority's
// next file.
func (r Rooms) held(ctx context.Context, id engine.MessageID, records []engine.Translated) ([]engine.Translated, error) {
	faults, err := r.Store.Faults(ctx, id)
	if err != nil {
		return nil, err
	}
	refused := map[int]*engine.Error{}
	for _, f := range faults {
		if strings.HasPrefix(f.Error.Rule, engine.RuleTracePrefix) && f.Error.Place.Record > 0 {
			refused[f.Error.Place.Record] = &f.Error
		}
	}
	for i, rec := range records {
		if fault := refused[rec.Place.Record]; fault != nil && rec.Outcome == engine.Accepted && rec.Event.Flag != nil {
			records[i] = engine.Translated{Outcome: engine.Rejected, Place: rec.Place, About: rec.Event.Flag.About(), Faults: []*engine.Error{fault}}
		}
	}
	return records, nil
}
