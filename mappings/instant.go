package mappings

import (
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine that has none of its own

	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// zoneWord stands between the layout and the zone of instant(yyyyMMddHHmm in Europe/London).
const zoneWord = " in "

// newInstant reads a time of day in a declared zone.
func newInstant(layout engine.Layout, zone *time.Location) conversion {
	return conversion{kindInstant, engine.RuleDate, func(s string, v *value) (err error) {
		v.at, err = layout.Instant(s, zone)
		return err
	}}
}

// readInstant reads the brackets of instant(layout in zone).
func (m *loading) readInstant(r *rule, n *yaml.Node, argument string, offset int) (kind, engine.Layout, bool) {
	pattern, name, ok := strings.Cut(argument, zoneWord)
	if !ok {
		at, length, suggest := 0, len(argument), ""
		if words := strings.Fields(argument); len(words) == 3 {
			at, length, suggest = strings.Index(argument, " "+words[1]+" ")+1, len(words[1]), strings.TrimSpace(zoneWord)
		}
		m.failAt(n, offset+at, length, CodeLayout, "an instant has its layout and its zone in brackets, for example instant(hl7ts in Europe/London)").Suggest = suggest
		return "", engine.Layout{}, false
	}
	layout, err := engine.NewLayout(pattern)
	if err != nil {
		m.failAt(n, offset, len(pattern), CodeLayout, strings.TrimPrefix(err.Error(), "date layout: "))
		return "", engine.Layout{}, false
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		p := m.failAt(n, offset+len(pattern)+len(zoneWord), len(name), CodeLayout, "no time zone \""+name+"\": it is a name like Europe/London or UTC")
		p.Suggest = nearest(name, []string{"Europe/London", "UTC"})
		return "", engine.Layout{}, false
	}
	r.zone = zone
	return kindInstant, layout, true
}
