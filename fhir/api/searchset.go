package api

import (
	"encoding/json"
	"strconv"

	"signalbox/fhir"
)

// searchset is everything that answers a search, before it is cut into pages.
type searchset []match

// match is one resource that was searched for, with those that come along with it.
type match struct {
	fhir.Resource
	with []fhir.Resource
}

// link is a link of a Bundle.
type link struct{ relation, url string }

func (s searchset) total() int { return len(s) }

// bytes returns every resource, for a tag of the whole.
func (s searchset) bytes() [][]byte {
	var out [][]byte
	for _, m := range s {
		out = append(out, m.JSON)
		for _, w := range m.with {
			out = append(out, w.JSON)
		}
	}
	return out
}

// bundle builds the Bundle of one page: its matches first, then what comes along with them. Total counts the matches of all pages. There is
// no self link: that would hold the NHS number.
func (s searchset) bundle(offset, count int, links []link, ignored int) []byte {
	page := s[min(offset, len(s)):min(offset+count, len(s))]
	size := 256
	for _, m := range page {
		size += len(m.JSON) + 128
		for _, w := range m.with {
			size += len(w.JSON) + 128
		}
	}
	b := bundleWriter{out: make([]byte, 0, size)}
	b.text(`{"resourceType":"Bundle","type":"searchset","total":`, strconv.Itoa(s.total()))
	for i, l := range links {
		b.text(choose(i == 0, `,"link":[`, `,`), `{"relation":"`, l.relation, `","url":`, quoted(l.url), `}`, choose(i == len(links)-1, `]`, ``))
	}
	for _, m := range page {
		b.entry(m.Resource, "match")
	}
	for _, m := range page {
		for _, w := range m.with {
			b.entry(w, "include")
		}
	}
	if ignored > 0 {
		b.entry(fhir.Resource{JSON: fhir.Outcome(leftOut(ignored))}, "outcome")
	}
	b.text(choose(b.entries > 0, `]}`, `}`))
	return b.out
}

type bundleWriter struct {
	out     []byte
	entries int
}

func (b *bundleWriter) text(parts ...string) {
	for _, p := range parts {
		b.out = append(b.out, p...)
	}
}

func (b *bundleWriter) entry(r fhir.Resource, mode string) {
	b.text(choose(b.entries == 0, `,"entry":[{`, `,{`))
	b.entries++
	if r.ID != "" {
		b.text(`"fullUrl":"`, r.URL(), `",`)
	}
	b.text(`"resource":`)
	b.out = append(b.out, r.JSON...)
	b.text(`,"search":{"mode":"`, mode, `"}}`)
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // a string cannot fail to encode
		return `""`
	}
	return string(raw)
}
