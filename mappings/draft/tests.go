package draft

import (
	"bytes"
	"cmp"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/tools/txtar"

	"signalbox/engine"
	"signalbox/mappings/twin"
)

// sampleRecords is how many records of a sample the first test has, and sampleBytes how long a sample is that cannot be cut.
const (
	sampleRecords = 3
	sampleBytes   = 64 << 10
)

// tests drafts the first tests of a synthetic twin of the sample: its records as they come, and the same with one fault each.
func (d *drafting) tests(adapter engine.Adapter, sample []byte) map[string]string {
	out := map[string]string{}
	body := d.cut(adapter, sample)
	made, err := twin.Make(adapter, engine.Message{Body: body}, d.profile.Schema, d.keeps(adapter, body))
	if err != nil || len(body) > sampleBytes {
		return out
	}
	add := func(name, comment string, body []byte) {
		text, ok := decode(body, d.profile.Schema.Encoding)
		if !ok {
			return
		}
		a := txtar.Archive{Comment: []byte(comment + "\n"), Files: []txtar.File{{Name: "message", Data: []byte("localId: 1\n")}, {Name: "input", Data: []byte(text)}, {Name: "want"}}}
		out["tests/"+name+".txtar"] = string(txtar.Format(&a))
	}
	add("01-sample", "The first records of the sample, every value replaced by a synthetic one.", made)
	for _, r := range d.rules {
		if r.From == "" {
			continue
		}
		bad := func(name, comment, value string) {
			if broken, ok := d.replace(adapter, made, r.From, value); ok {
				add(name, comment, broken)
			}
		}
		switch {
		case r.Target == "subject.nhsNumber":
			bad("10-bad-nhs-number", "The first record's NHS number fails its check digit.", "9990000019")
			bad("11-no-nhs-number", "The first record has no NHS number.", "")
		case r.Target == "plan.start" && strings.HasPrefix(r.As, "date("):
			bad("12-impossible-date", "The first plan starts on a day that is not in the calendar.", strings.NewReplacer("yyyy", "2026", "MMM", "Feb", "MM", "02", "dd", "31", "HH", "00", "mm", "00", "ss", "00").
				Replace(strings.TrimSuffix(strings.TrimPrefix(r.As, "date("), ")")))
		case r.Target == "plan.type":
			bad("13-unknown-code", "The first record's plan type is a code that nobody has seen.", "NEW-CODE")
		}
	}
	return out
}

// cut keeps the first records of a sample whose records stand one after the other. Others stay whole: an XML file counts its records.
func (d *drafting) cut(adapter engine.Adapter, sample []byte) []byte {
	if d.profile.Schema.Format != "csv" {
		return sample
	}
	n, end := 0, int64(0)
	for r, err := range adapter.Decode(engine.Message{Body: sample}, d.profile.Schema) {
		if r == nil || err != nil {
			continue
		}
		if end = r.Place().End; n+1 >= sampleRecords {
			break
		}
		n++
	}
	if end == 0 || int(end) >= len(sample) {
		return sample
	}
	rest := sample[end:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 && i < 4 {
		end += int64(i) + 1
	}
	return sample[:end]
}

// keeps tells the values of the columns that are codes.
func (d *drafting) keeps(adapter engine.Adapter, body []byte) twin.Keep {
	codes := map[int64]bool{}
	for _, c := range d.columns {
		table := false
		for _, r := range d.rules {
			table = table || r.From == c.Name && r.Table != ""
		}
		if !table && !d.isStatus(c) {
			continue
		}
		for _, v := range d.values(adapter, body, c.Name) {
			codes[v.At.Start] = true
		}
	}
	return func(c engine.Cell) bool { return codes[c.Start] }
}

// values lists what a field holds in each record.
func (d *drafting) values(adapter engine.Adapter, body []byte, field string) []engine.Value {
	var out []engine.Value
	f, _ := d.profile.Schema.Field(field)
	selector, err := adapter.Compile(cmp.Or(f.Select, f.Name), d.profile.Schema)
	if err != nil {
		return nil
	}
	for r, err := range adapter.Decode(engine.Message{Body: body}, d.profile.Schema) {
		if err == nil || r != nil {
			out = selector.Select(r, out)
		}
	}
	return out
}

// replace puts another value into the first record.
func (d *drafting) replace(adapter engine.Adapter, body []byte, field, value string) ([]byte, bool) {
	all := d.values(adapter, body, field)
	if len(all) == 0 || all[0].At.End <= all[0].At.Start || all[0].At.Record != 1 {
		return nil, false
	}
	if e := strings.ToLower(d.profile.Schema.Encoding); strings.HasPrefix(e, "utf-16") {
		return nil, false
	}
	at := all[0].At
	return append(append(append([]byte{}, body[:at.Start]...), value...), body[at.End:]...), true
}

// decode turns a sample into the readable text that a test's input is.
func decode(body []byte, name string) (string, bool) {
	if name == "" || strings.EqualFold(name, "utf-8") {
		return string(body), true
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		return "", false
	}
	text, err := e.NewDecoder().Bytes(body)
	return string(text), err == nil
}
