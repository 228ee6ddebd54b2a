package cpis

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// shape is a document as a list of names, attributes and texts.
func shapeOf(t *rapid.T, body string) ([]string, bool) {
	s := newScanner(body, Default().filled())
	var out []string
	for {
		ev, f := s.next()
		if f != nil {
			return nil, false
		}
		switch ev {
		case evStart:
			out = append(out, "<"+s.local)
			for _, a := range s.attrs {
				out = append(out, a.name()+"="+a.value)
			}
		case evEnd:
			out = append(out, ">")
		case evText:
			out = appendText(out, s.text)
		case evEOF:
			return out, true
		}
	}
}

// appendText joins texts which a comment or CDATA split.
func appendText(out []string, text string) []string {
	if text == "" {
		return out
	}
	if n := len(out); n > 0 && strings.HasPrefix(out[n-1], "#") {
		out[n-1] += text
		return out
	}
	return append(out, "#"+text)
}

// standardShape is the same by encoding/xml, which does not normalise the white
// space of attributes: the random documents hold none there.
func standardShape(body string) ([]string, error) {
	d := xml.NewDecoder(strings.NewReader(body))
	var out []string
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := token.(type) {
		case xml.StartElement:
			depth++
			out = append(out, "<"+tok.Name.Local)
			for _, a := range tok.Attr {
				if a.Name.Local != "xmlns" && a.Name.Space != "xmlns" {
					out = append(out, a.Name.Local+"="+a.Value)
				}
			}
		case xml.EndElement:
			depth--
			out = append(out, ">")
		case xml.CharData:
			if depth > 0 {
				out = appendText(out, string(tok))
			}
		}
	}
}

// Whatever this scanner takes, the standard library must take and read alike.
// The other way round it need not hold: this one is the stricter.
func TestScannerAgreesWithEncodingXML(t *testing.T) {
	pieces := []string{
		"<a>", "</a>", "<b x='1'>", "</b>", "<c/>", "text", " ", "\n", "&amp;", "&#65;", "&#x2014;", "<!-- c -->",
		"<![CDATA[<&]]>", "é", "]", "\r\n", "<d y=\"&lt;é\" z='>'/>", ">",
	}
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(rt, "parts")
		body := "<r>" + strings.Join(parts, "") + "</r>"
		got, ok := shapeOf(rt, body)
		want, err := standardShape(body)
		if !ok {
			return
		}
		taken++
		require.NoError(rt, err, body)
		require.Equal(rt, want, got, body)
	})
	require.Positive(t, taken)
}

// Damage of any byte must end in a fault or in a file that is XML to others too.
func TestDamagedBytes(t *testing.T) {
	body := []byte(uploadExample(t))
	rapid.Check(t, func(rt *rapid.T) {
		damaged := bytes.Clone(body)
		for range rapid.IntRange(1, 3).Draw(rt, "edits") {
			at := rapid.IntRange(0, len(damaged)-1).Draw(rt, "at")
			damaged[at] = rapid.SampledFrom([]byte("<>&'\"/ =a9:-]\x00\xff")).Draw(rt, "byte")
		}
		d := NewDecoder(damaged, Limits{})
		for r, err := range d.Records() {
			if r == nil {
				require.Error(rt, err)
				return
			}
			if err == nil {
				require.True(rt, r.keepsSchema())
			}
		}
		_, err := standardShape(string(damaged))
		require.NoError(rt, err)
	})
}

// Cut short anywhere, a file must be refused.
func TestTruncatedAnywhere(t *testing.T) {
	body := uploadExample(t)
	for n := 0; n < len(body); n += 7 {
		got := decode(t, body[:n], Limits{})
		require.NotEmpty(t, got.faults, n)
		require.Equal(t, FileLevel, got.faults[len(got.faults)-1].Level)
	}
	for _, name := range []string{"response_REPC_MT000003GB01", "access_notification_REPC_MT000004GB01", "inactive_nhs_number_REPC_MT000005GB01"} {
		body := example(t, name)
		for n := 0; n < len(body); n += 31 {
			_, r := DecodeResponse(body[:n])
			_, a := DecodeNotification(body[:n])
			_, i := DecodeInactive(body[:n])
			require.True(t, r != nil && a != nil && i != nil)
		}
	}
}

// The views must bear any record, however broken.
func TestViewsOfBrokenRecords(t *testing.T) {
	whole := decode(t, uploadExample(t), Limits{}).records
	for _, r := range whole {
		var cut func(e *Element)
		cut = func(e *Element) {
			kept := e.Children
			for i := range kept {
				e.Children = append(append([]*Element{}, kept[:i]...), kept[i+1:]...)
				r.Plan()
				r.Subject()
			}
			e.Children = kept
			for _, c := range kept {
				cut(c)
			}
		}
		cut(r.Element)
	}
	empty := &Record{Element: &Element{}}
	_, plan := empty.Plan()
	_, subject := empty.Subject()
	require.False(t, plan || subject)
	require.False(t, empty.keepsSchema())
}

func TestViewsOfDoubtfulRecords(t *testing.T) {
	for _, m := range mutants {
		if m.rule != RuleOnePlan && m.rule != RuleOneSubject {
			continue
		}
		r := decode(t, m.apply(t), Limits{}).records[0]
		_, plan := r.Plan()
		_, subject := r.Subject()
		require.Equal(t, m.rule != RuleOnePlan, plan)
		require.Equal(t, m.rule != RuleOneSubject, subject)
	}
}

// One selector serves many readers.
func TestSelectorIsSafeForConcurrentUse(t *testing.T) {
	s, err := CompileSelector(".//id[1]/@extension")
	require.NoError(t, err)
	records := decode(t, uploadExample(t), Limits{}).records
	var readers sync.WaitGroup
	for _, r := range records {
		readers.Go(func() {
			for range 100 {
				if len(s.Select(r.Element, nil, nil)) != 1 {
					t.Error("not one match")
				}
			}
		})
	}
	readers.Wait()
}
