package cpis

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRefusals(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			body := m.apply(t)
			got := decode(t, body, Limits{})
			if m.rule == "" {
				require.Empty(t, got.faults)
				return
			}
			require.NotEmpty(t, got.faults)
			f := got.faults[0]
			require.Equal(t, m.rule, f.Rule, f.Error())
			require.Equal(t, expand.Replace(m.path), f.Path)
			if strings.HasPrefix(f.Path, "File/record") {
				require.Equal(t, RecordLevel, f.Level)
				require.Equal(t, "CPR07", f.Code)
				require.Len(t, got.records, 4, "the other records go on")
			} else {
				require.Equal(t, FileLevel, f.Level)
				require.Equal(t, "CPF01", f.Code)
			}
		})
	}
}

// Line and column are those of the element or the attribute's value.
func TestFaultPositions(t *testing.T) {
	body := strings.ReplaceAll(uploadExample(t), "><", ">\n<")
	body = edit(t, body, `<value value="202605100000"/>`, `<value  value="20260510"/>`)
	body = edit(t, body, "<given>Dev</given>\n", "")
	got := decode(t, body, Limits{})
	require.Len(t, got.faults, 2)
	lines := strings.Split(body, "\n")
	value, name := got.faults[0], got.faults[1]
	require.Equal(t, "20260510\"/>", lines[value.Line-1][value.Column-1:])
	require.Equal(t, int64(strings.Index(body, "20260510\"")), value.Offset)
	require.Equal(t, "<name>", lines[name.Line-1][name.Column-1:])
	require.Equal(t, expand.Replace("File/record[4]/CP-ISRecord/subject/COCT_TP145101GB01.Child/childPerson/name/given"), name.Path)
}

func TestSuggestsTheNearestName(t *testing.T) {
	body := edit(t, uploadExample(t), "<childPerson>", "<childperson>")
	body = edit(t, body, "</childPerson>", "</childperson>")
	got := decode(t, body, Limits{})
	var texts []string
	for _, f := range got.records[0].Faults {
		texts = append(texts, f.Text)
	}
	require.Contains(t, strings.Join(texts, "; "), "nearest name that has is childPerson")
}

func TestNotXML(t *testing.T) {
	body := uploadExample(t)
	long := strings.Repeat("x", 20<<10)
	cases := []struct{ name, body, rule string }{
		{"empty", "", RuleWellFormed},
		{"blank", " \n", RuleWellFormed},
		{"CSV", "nhs,start\n1,2\n", RuleWellFormed},
		{"truncated in the header", body[:300], RuleWellFormed},
		{"truncated in a record", body[:len(body)-300], RuleWellFormed},
		{"truncated after the last record", strings.TrimSuffix(body, "</File>"), RuleWellFormed},
		{"trailing text", body + "x", RuleWellFormed},
		{"trailing element", body + "<File/>", RuleWellFormed},
		{"trailing NUL", body + "\x00", RuleEncoding},
		{"doctype", edit(t, body, "<File ", "<!DOCTYPE File [<!ENTITY a 'b'>]><File "), RuleDoctype},
		{"instruction before", edit(t, body, "<File ", "<?x y?><File "), RuleInstruction},
		{"instruction inside", edit(t, body, "<record>", "<?x y?><record>"), RuleInstruction},
		{"declaration after a space", " " + body, RuleInstruction},
		{"bad UTF-8", edit(t, body, "Ada", "\xc3("), RuleEncoding},
		{"Latin-1 declared", edit(t, body, "UTF-8", "ISO-8859-1"), RuleEncoding},
		{"US-ASCII declared, not kept", edit(t, edit(t, body, "UTF-8", "US-ASCII"), "Ada", "Zoë"), RuleEncoding},
		{"UTF-16", "\xff\xfe<\x00", RuleEncoding},
		{"control character", edit(t, body, "Ada", "A\x01"), RuleEncoding},
		{"no character U+FFFF", edit(t, body, "Ada", "\uFFFF"), RuleEncoding},
		{"version 1.1", edit(t, body, `version="1.0"`, `version="1.1"`), RuleWellFormed},
		{"declaration without version", edit(t, body, `version="1.0" `, ``), RuleWellFormed},
		{"standalone maybe", edit(t, body, `UTF-8"`, `UTF-8" standalone="maybe"`), RuleWellFormed},
		{"entity", edit(t, body, "Ada", "&eacute;"), RuleWellFormed},
		{"bare ampersand", edit(t, body, "Ada", "A & B"), RuleWellFormed},
		{"reference to a control character", edit(t, body, "Ada", "&#1;"), RuleWellFormed},
		{"reference too large", edit(t, body, "Ada", "&#x110000;"), RuleWellFormed},
		{"signed reference", edit(t, body, "Ada", "&#+65;"), RuleWellFormed},
		{"CDATA end in text", edit(t, body, "Ada", "]]>"), RuleWellFormed},
		{"less-than in a value", edit(t, body, `"LA-1001"`, `"<"`), RuleWellFormed},
		{"unquoted value", edit(t, body, `"LA-1001"`, `LA-1001`), RuleWellFormed},
		{"attribute twice", edit(t, body, `extension="LA-1001"`, `extension="1" extension="2"`), RuleWellFormed},
		{"attribute twice by namespace", edit(t, body, `extension="LA-1001"`, `xmlns:a="u" xmlns:b="u" a:x="1" b:x="2"`), RuleWellFormed},
		{"attributes not apart", edit(t, body, `" extension="LA-1001"`, `"extension="LA-1001"`), RuleWellFormed},
		{"crossed tags", edit(t, body, "</CP-ISRecord></record>", "</record></CP-ISRecord>"), RuleWellFormed},
		{"unbound prefix", edit(t, body, "<npfitlc:contentId", "<foo:contentId"), RuleWellFormed},
		{"unbound attribute prefix", edit(t, body, `extension="LA-1001"`, `foo:extension="1"`), RuleWellFormed},
		{"prefix bound to nothing", edit(t, body, "<record>", `<record xmlns:a="">`), RuleWellFormed},
		{"two hyphens in a comment", edit(t, body, "<record>", "<!-- a -- b --><record>"), RuleWellFormed},
		{"comment not closed", edit(t, body, "<record>", "<!-- <record>"), RuleWellFormed},
		{"depth bomb", edit(t, body, "<record>", "<record>"+strings.Repeat("<a>", 100000)), RuleLimitDepth},
		{"huge attribute", edit(t, body, "LA-1001", long), RuleLimitValue},
		{"huge text", edit(t, body, "Ada", long), RuleLimitValue},
		{"huge text in pieces", edit(t, body, "Ada", strings.Repeat("<![CDATA[0123456789abcdef]]>", 2000)), RuleLimitValue},
		{"many attributes", edit(t, body, "<record>", "<record"+strings.Repeat(` a="1"`, 33)+">"), RuleWellFormed},
		{"many declarations", edit(t, body, "<record>", "<record"+manyDeclarations(40)+">"), RuleLimitAttributes},
		{"many elements", edit(t, body, "<CP-ISRecord>", "<CP-ISRecord>"+strings.Repeat("<a/>", 600)), RuleLimitElements},
		{"no record", body[:strings.Index(body, "<record>")] + "</File>", RuleMissing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := decode(t, c.body, Limits{})
			require.NotEmpty(t, got.faults)
			f := got.faults[len(got.faults)-1]
			if c.name == "many attributes" {
				require.Contains(t, []string{RuleWellFormed, RuleLimitAttributes}, f.Rule)
				return
			}
			require.Equal(t, c.rule, f.Rule, f.Error())
			require.Equal(t, FileLevel, f.Level)
			require.Positive(t, f.Line)
			require.Positive(t, f.Column)
			require.Empty(t, got.d.next2(t), "nothing may follow")
		})
	}
}

// next2 asks for records again, after the end.
func (d *Decoder) next2(t *testing.T) []*Record {
	var more []*Record
	for r := range d.Records() {
		if r != nil {
			more = append(more, r)
		}
	}
	return more
}

func manyDeclarations(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" xmlns:p" + strings.Repeat("x", i) + `="u"`)
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	body := uploadExample(t)
	got := decode(t, body, Limits{MaxBytes: 100})
	require.Equal(t, RuleLimitSize, got.faults[0].Rule)
	got = decode(t, body, Limits{MaxRecords: 2})
	require.Len(t, got.records, 2)
	require.Equal(t, RuleLimitRecords, got.faults[0].Rule)
	require.NoError(t, Default().Validate())
	require.Error(t, Limits{MaxDepth: -1, MaxBytes: -1}.Validate())
}

// After a header fault the header still says whom to answer.
func TestHeaderIsReadDespiteFaults(t *testing.T) {
	got := decode(t, edit(t, uploadExample(t), ecPhone, ""), Limits{})
	require.Equal(t, RuleTelecomEC, got.faults[0].Rule)
	require.Equal(t, "999", got.header.ODSCode)
	require.Equal(t, "1042", got.header.FileID)
	got = decode(t, "nonsense", Limits{})
	require.NotNil(t, got.header)
	require.Equal(t, -1, got.header.Quantity)
}
