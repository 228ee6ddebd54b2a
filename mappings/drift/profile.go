package drift

import (
	"fmt"
	"strings"

	"signalbox/engine"
	"signalbox/mappings/twin"
)

// maxCodes is how many different values a column may have and still be one of codes.
const maxCodes = 12

// Profile is what one message looks like: counts, never values but those that may be codes, which are kept to be compared and are not shown.
type Profile struct {
	Records int
	columns map[string]*column
}

// column is one column or element of one message, or of all those before.
type column struct {
	seen, filled int
	codes        map[string]int // value -> record it first stood in; nil when there are too many to be codes
	layouts      map[string]int // values that have the layout
	rates        []float64      // share of empty values, a message each
}

func newColumn() *column { return &column{codes: map[string]int{}, layouts: map[string]int{}} }

// Of profiles a message. The error says that its format cannot be surveyed.
func Of(adapter engine.Adapter, msg engine.Message, src engine.Schema) (Profile, error) {
	p := Profile{columns: map[string]*column{}}
	surveyor, ok := adapter.(engine.Surveyor)
	if !ok {
		return p, fmt.Errorf("drift: the format %s cannot be surveyed yet", adapter.Format())
	}
	layouts := map[string]engine.Layout{}
	for _, name := range twin.Layouts() {
		layouts[name] = engine.MustLayout(name)
	}
	for c := range surveyor.Survey(msg, src) {
		if c.Apart {
			continue
		}
		p.Records = max(p.Records, c.Record)
		col := p.columns[c.Path]
		if col == nil {
			col = newColumn()
			p.columns[c.Path] = col
		}
		if !c.Fixed {
			col.see(strings.TrimSpace(c.Text), c.Record, layouts)
		}
	}
	return p, nil
}

func (c *column) see(text string, record int, layouts map[string]engine.Layout) {
	c.seen++
	if text == "" {
		return
	}
	c.filled++
	c.addCode(text, record)
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	if digits < 8 || digits > 14 {
		return
	}
	for name, layout := range layouts {
		if _, err := layout.Parse(text); err == nil {
			c.layouts[name]++
		}
	}
}

func (c *column) addCode(text string, record int) {
	if c.codes == nil {
		return
	}
	if _, known := c.codes[text]; !known {
		c.codes[text] = record
	}
	if len(c.codes) > 2*maxCodes {
		c.codes = nil
	}
}
