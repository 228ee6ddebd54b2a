package cpis

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSelect(t *testing.T) {
	body := uploadExample(t)
	got := decode(t, body, Limits{})
	cases := []struct {
		expr   string
		record int
		want   []string
	}{
		{"CP-ISRecord/subject/*/id[@root='2.16.840.1.113883.2.1.4.1']/@extension", 1, []string{"9990000018"}},
		{`CP-ISRecord/subject/*/id[@root="2.16.840.1.113883.2.1.3.2.4.18.24"]/@extension`, 1, []string{"LA-1001"}},
		{"CP-ISRecord/subject/COCT_TP145101GB01.Child/id/@extension", 1, []string{"9990000018", "LA-1001"}},
		{"CP-ISRecord/subject/COCT_TP145101GB01.Child/id[2]/@extension", 1, []string{"LA-1001"}},
		{"CP-ISRecord/subject/COCT_TP145101GB01.Child/id[3]/@extension", 1, nil},
		{"./CP-ISRecord/subject/COCT_TP145101GB01.Child/id/@extension", 3, nil},
		{".//playedMother/id[1]/@extension", 3, []string{"9990000034"}},
		{".//family/text()", 3, []string{"Testthree"}},
		{".//family", 2, []string{"Testtwo"}},
		{"CP-ISRecord//given | .//family", 2, []string{"Ben", "Testtwo"}},
		{".//family | .//name/family", 2, []string{"Testtwo"}},
		{".//*//family", 2, []string{"Testtwo"}},
		{"CP-ISRecord/pertinentInformation/*/component1/*/value/@value", 2, []string{"202609300000"}},
		{"CP-ISRecord/pertinentInformation/npfitlc:contentId/@extension", 2, []string{"COCT_TP146100GB01#LACInformation"}},
		{".//childPerson/birthTime/@value | .//parentMotherPerson/birthTime/@value", 3, []string{"19990102"}},
		{".//id[@root='2.16.840.1.113883.2.1.4.1'][1]/@extension", 1, []string{"9990000018"}},
		{"/File/id/@extension", 1, []string{"1042"}},
		{"/File/communicationFunctionSnd/organisation/telecom[@use='EC']/@value", 1, []string{"tel:01632960002"}},
		{"/File//organisation/name", 4, []string{"TESTSHIRE COUNTY COUNCIL"}},
		{" /File//telecom [ @use = 'WP' ] / @value ", 4, []string{"tel:01632960001"}},
		{".//name", 1, []string{""}},
		{".//name/text()", 1, nil},
		{".//component1/@xsi:nil", 2, nil},
	}
	for _, c := range cases {
		s, err := CompileSelector(c.expr)
		require.NoError(t, err, c.expr)
		require.Equal(t, c.expr, s.String())
		var values []string
		for _, m := range s.Select(got.records[c.record-1].Element, got.header.Element, nil) {
			values = append(values, m.Value)
			require.Contains(t, body[m.Start:m.End], m.Value)
			require.Positive(t, m.Line)
			require.Contains(t, c.expr, m.Path)
		}
		require.Equal(t, c.want, values, c.expr)
		require.Empty(t, s.Select(nil, nil, nil))
	}
}

func TestSelectAppends(t *testing.T) {
	got := decode(t, uploadExample(t), Limits{})
	s, err := CompileSelector(".//family | .//family")
	require.NoError(t, err)
	var all []Match
	for _, r := range got.records {
		all = s.Select(r.Element, nil, all)
	}
	require.Len(t, all, 4)
	require.Equal(t, "Testfour", all[3].Value)
}

func TestSelectorErrors(t *testing.T) {
	cases := []struct {
		expr   string
		offset int
		text   string
	}{
		{"", 0, "an element name is missing"},
		{"CP-ISRecord/", 12, "an element name is missing"},
		{"CP-ISRecord/subjekt", 12, "did you mean subject?"},
		{"CP-ISRecord/subject/COCT_TP145101GB01.child/id", 20, "did you mean COCT_TP145101GB01.Child?"},
		{"subject", 0, "can not occur at this place"},
		{"CP-ISRecord/subject/*/id/@extensoin", 26, "did you mean extension?"},
		{"CP-ISRecord/@value", 13, "may have the attribute value"},
		{".//birthtime/@value", 3, "did you mean birthTime?"},
		{"CP-ISRecord/text()", 12, "holds text"},
		{".//text()", 3, "name the element"},
		{".//@value", 4, "name the element"},
		{"//family", 0, "may not start with //"},
		{"/file/id", 1, "did you mean File?"},
		{"/File", 5, "a step is missing"},
		{"/File/record/CP-ISRecord", 6, "reads the header"},
		{".//id[0]", 6, "from 1"},
		{".//id[x]", 6, "a predicate is"},
		{".//id[@root]", 11, "'=' is missing"},
		{".//id[@root=1]", 12, "quoted value"},
		{".//id[@root='1]", 12, "not closed"},
		{".//id[1", 7, "']' is missing"},
		{".//id[1][1][1][1][1]", 17, "predicates at most"},
		{".//id |", 7, "an element name is missing"},
		{".//id)", 5, `unexpected ")"`},
		{".//id[99999999999999999999]", 6, "from 1"},
		{strings.Repeat("*/", 5000), maxSelector, "too long"},
	}
	for _, c := range cases {
		_, err := CompileSelector(c.expr)
		require.Error(t, err, c.expr)
		var se *SelectorError
		require.True(t, errors.As(err, &se), c.expr)
		require.Contains(t, se.Text, c.text, c.expr)
		require.Equal(t, c.offset, se.Offset, c.expr)
	}
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"CP-ISRecord/subject/*/id[@root='1']/@extension", "/File//name/text()", ".//id[1]|.//family"} {
		f.Add(s)
	}
	got := decode(f, uploadExample(f), Limits{})
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := CompileSelector(expr)
		if err != nil {
			var se *SelectorError
			require.True(t, errors.As(err, &se))
			require.True(t, se.Offset >= 0 && se.Offset <= len(expr))
			return
		}
		for _, r := range got.records {
			s.Select(r.Element, got.header.Element, nil)
		}
	})
}
