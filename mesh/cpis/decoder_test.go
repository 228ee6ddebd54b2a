package cpis

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDecodeExample(t *testing.T) {
	body := uploadExample(t)
	got := decode(t, body, Limits{})
	require.Empty(t, got.faults)
	require.Nil(t, got.d.QuantityFault())
	require.Equal(t, 4, got.d.Count())
	h := got.header
	require.Equal(t, "1042", h.FileID)
	require.Equal(t, "20261001020000+0100", h.CreationTime)
	require.Equal(t, 4, h.Quantity)
	require.Equal(t, []string{OIDOrganisation, "999", "TESTSHIRE COUNTY COUNCIL"}, []string{h.OrgRoot, h.ODSCode, h.OrgName})
	require.Equal(t, []Telecom{{"WP", "tel:01632960001"}, {"EC", "tel:01632960002"}}, h.Telecoms)

	want := []struct {
		plan Plan
		nhs  string
		mum  bool
	}{
		{Plan{"CPP", "202609010000", "", ""}, "9990000018", false},
		{Plan{"LAC", "202605100000", "202609300000", ""}, "9990000026", false},
		{Plan{"UCP", "202608150000", "202612240000", ""}, "9990000034", true},
		{Plan{"CPP", "202604010000", "", "202609290000"}, "9990000042", false},
	}
	for i, r := range got.records {
		p, ok := r.Plan()
		require.True(t, ok)
		require.Equal(t, want[i].plan, p)
		s, ok := r.Subject()
		require.True(t, ok)
		require.Equal(t, want[i].nhs, s.NHSNumber)
		require.Equal(t, want[i].mum, s.Unborn)
		require.Equal(t, i+1, r.Position)
		text := body[r.Start:r.End]
		require.True(t, strings.HasPrefix(text, "<record>") && strings.HasSuffix(text, "</record>"))
	}
}

// Every element and attribute must say truly where it stood.
func TestOffsetsNameTheBytes(t *testing.T) {
	body := strings.ReplaceAll(uploadExample(t), "><", ">\n  <")
	body = strings.ReplaceAll(body, "><!--", ">\n<!--")
	body = edit(t, body, "<given>Ada</given>", "<given>Zoë &amp; Ada</given>")
	body = edit(t, body, "\n  </organisation>", "</organisation>")
	got := decode(t, body, Limits{})
	require.Empty(t, got.faults)
	lines := strings.Split(body, "\n")
	var walk func(e *Element)
	walk = func(e *Element) {
		require.True(t, strings.HasPrefix(body[e.Start:], "<"+e.Name) || strings.HasPrefix(body[e.Start:], "<npfitlc:"+e.Name))
		require.Equal(t, byte('>'), body[e.End-1])
		line := []rune(lines[e.Line-1])
		require.True(t, strings.HasPrefix(string(line[e.Column-1:]), "<"))
		for _, a := range e.Attrs {
			require.Equal(t, a.Value, body[a.Start:a.End])
			require.True(t, strings.HasPrefix(string([]rune(lines[a.Line-1])[a.Column-1:]), a.Value))
		}
		for _, c := range e.Children {
			walk(c)
		}
	}
	for _, r := range got.records {
		walk(r.Element)
	}
	s, _ := got.records[0].Subject()
	require.Equal(t, "Zoë & Ada", s.Given)
}

func TestPrefixesAndEscapesDoNotMatter(t *testing.T) {
	body := uploadExample(t)
	body = strings.ReplaceAll(body, "npfitlc:", "x:")
	body = edit(t, body, "xmlns:npfitlc", "xmlns:x")
	body = strings.ReplaceAll(strings.ReplaceAll(body, "<subject>", "<h:subject>"), "</subject>", "</h:subject>")
	body = edit(t, body, `<File xmlns="urn:hl7-org:v3"`, `<File xmlns='urn:hl7-org:v3' xmlns:h='urn:hl7-org:v3'`)
	body = edit(t, body, "<given>Ada</given>", "<given>A<![CDATA[d]]><!-- no -->&#97;</given>")
	body = edit(t, body, `encoding="UTF-8"?>`, `encoding='utf-8' standalone='yes' ?>`)
	got := decode(t, "\uFEFF"+body+"\n<!-- end -->\n", Limits{})
	require.Empty(t, got.faults)
	s, ok := got.records[0].Subject()
	require.True(t, ok)
	require.Equal(t, "Ada", s.Given)
}

func TestNilEndDates(t *testing.T) {
	for _, part := range []string{
		`<component1 xsi:nil="true"/>`,
		`<component1><lACEndDate xsi:nil="1"/></component1>`,
	} {
		body := edit(t, uploadExample(t), `<component1><lACEndDate><value value="202609300000"/></lACEndDate></component1>`, part)
		body = edit(t, body, "<File ", `<File xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `)
		got := decode(t, body, Limits{})
		require.Empty(t, got.faults, part)
		p, ok := got.records[1].Plan()
		require.True(t, ok)
		require.Equal(t, Plan{Kind: "LAC", Start: "202605100000"}, p)
	}
}

func TestQuantityIsAWarning(t *testing.T) {
	body := edit(t, uploadExample(t), `<transmissionQuantity value="4"`, `<transmissionQuantity value="5"`)
	d := NewDecoder([]byte(body), Limits{})
	n := 0
	for r, err := range d.Records() {
		require.NoError(t, err)
		require.Nil(t, d.QuantityFault(), "not before the end")
		n = r.Position
	}
	require.Equal(t, 4, n)
	f := d.QuantityFault()
	require.NotNil(t, f)
	require.Equal(t, RuleQuantity, f.Rule)
	require.Equal(t, FileLevel, f.Level)
	require.Equal(t, "File/transmissionQuantity/@value", f.Path)
}

// A file that breaks off is reported as such: not as a wrong quantity, and not
// as a fault of its header.
func TestBrokenOffFile(t *testing.T) {
	body := uploadExample(t)
	got := decode(t, body[:len(body)-400], Limits{})
	require.Len(t, got.records, 3)
	require.Len(t, got.faults, 1)
	require.Nil(t, got.d.QuantityFault())
	header, err := got.d.Header()
	require.NoError(t, err)
	require.Equal(t, "1042", header.FileID)
}

func TestRecordsCanBeResumed(t *testing.T) {
	d := NewDecoder([]byte(uploadExample(t)), Limits{})
	for want := 1; want <= 4; want++ {
		for r, err := range d.Records() {
			require.NoError(t, err)
			require.Equal(t, want, r.Position)
			break
		}
	}
	for range d.Records() {
		t.Fatal("a fifth record")
	}
	require.Equal(t, 4, d.Count())
}

// A bad record must not touch its neighbours, and all its faults are kept.
func TestBadRecordStandsAlone(t *testing.T) {
	body := edit(t, uploadExample(t), `<value value="202605100000"/>`, `<value value="20260510"/>`)
	body = edit(t, body, "<given>Ben</given>", "")
	got := decode(t, body, Limits{})
	require.Len(t, got.records, 4)
	require.Len(t, got.faults, 1)
	for i, r := range got.records {
		require.Equal(t, i == 1, len(r.Faults) > 0)
	}
	require.Len(t, got.records[1].Faults, 2)
	require.Equal(t, RuleMissing, got.records[1].Faults[1].Rule)
	s, ok := got.records[1].Subject()
	require.True(t, ok)
	require.Equal(t, "9990000026", s.NHSNumber)
}

func TestUploadRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[A-Za-zÀ-ÿ'&<>"\]\t\n -]{1,20}`)
	rapid.Check(t, func(rt *rapid.T) {
		u := sample(rapid.IntRange(1, 9).Draw(rt, "n"))
		for i := range u.Records {
			s := &u.Records[i].Subject
			s.Given, s.Family = text.Draw(rt, "given"), text.Draw(rt, "family")
			s.LocalID, s.AssigningAuthority = text.Draw(rt, "local"), text.Draw(rt, "authority")
		}
		u.Organisation.Name = "X" + text.Draw(rt, "organisation")
		body := encodedUpload(t, u)
		got := decode(t, string(body), Limits{})
		require.Empty(rt, got.faults)
		require.Equal(rt, u.Organisation.Name, got.header.OrgName)
		require.Len(rt, got.records, len(u.Records))
		for i, r := range got.records {
			p, _ := r.Plan()
			s, _ := r.Subject()
			require.Equal(rt, u.Records[i], UploadRecord{p, s})
		}
	})
}

func FuzzDecoder(f *testing.F) {
	f.Add(uploadExample(f))
	f.Add(`<File xmlns="urn:hl7-org:v3"><record/></File>`)
	f.Add("<?xml version='1.0'?><a:b xmlns:a=''>&#x;</a:b>")
	f.Fuzz(func(t *testing.T, body string) {
		d := NewDecoder([]byte(body), Limits{MaxBytes: 1 << 16})
		_, headerErr := d.Header()
		for r, err := range d.Records() {
			if r == nil {
				require.Error(t, err)
				continue
			}
			require.True(t, 0 <= r.Start && r.Start < r.End && r.End <= int64(len(body)))
			if p, ok := r.Plan(); ok && err == nil {
				require.True(t, isCalendar(p.Start))
			}
			if err == nil {
				_, ok := r.Subject()
				require.True(t, ok)
				require.NoError(t, headerErr)
				require.True(t, r.keepsSchema())
			}
		}
		d.QuantityFault()
	})
}

// A fault must never carry what the sender wrote.
func TestFaultsHoldNoData(t *testing.T) {
	body := strings.NewReplacer("202609010000", "SECRETDATE", "<given>Ada</given>", "<SECRETNAME SECRETATTR='SECRETVALUE'/>SECRETTEXT",
		`extension="COCT_TP145101GB01#Child"`, `SECRETATTR="SECRETVALUE" extension="SECRETEXT"`).Replace(uploadExample(t))
	got := decode(t, body, Limits{})
	require.NotEmpty(t, got.faults)
	for _, r := range got.records {
		all, err := json.Marshal(r.Faults)
		require.NoError(t, err)
		require.NotContains(t, string(all), "SECRET")
		for _, f := range r.Faults {
			require.NotContains(t, f.Error(), "SECRET")
		}
	}
}
