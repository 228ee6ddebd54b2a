package cpis

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sixMessages is one rich example of each message: those that this package writes, and those of testdata.
func sixMessages(t *testing.T) map[string][]byte {
	t.Helper()
	got := decode(t, mutants[0].apply(t), Limits{})
	response := answer(got)
	response.FileReasons = []FileReason{{RecordAccepted, "a warning"}}
	response.Records[0].Valid, response.Records[0].Reason = false, "a reason"
	return map[string][]byte{
		"upload":   encodedUpload(t, sample(3)),
		"response": encoded(t, func(b *bytes.Buffer) error { return EncodeResponse(b, response) }),
		"access":   encoded(t, func(b *bytes.Buffer) error { return EncodeNotification(b, notification()) }),
		"inactive": encoded(t, func(b *bytes.Buffer) error { return EncodeInactive(b, inactive()) }),
		"query":    encoded(t, func(b *bytes.Buffer) error { return EncodeQuery(b, notification().Accesses[0].Queries[0]) }),
		"answer":   encoded(t, func(b *bytes.Buffer) error { return EncodeQueryResponse(b, exampleAnswer()) }),
	}
}

func TestValidateTakesEveryExample(t *testing.T) {
	for name, body := range sixMessages(t) {
		require.Empty(t, Validate(body), name)
	}
	for _, name := range []string{"upload_REPC_MT000002GB01", "response_REPC_MT000003GB01", "access_notification_REPC_MT000004GB01",
		"access_notification_empty_REPC_MT000004GB01", "inactive_nhs_number_REPC_MT000005GB01", "query_QUPC_MT000006GB01"} {
		require.Empty(t, Validate(example(t, name)), name)
	}
	for body, rule := range map[string]string{"": RuleWellFormed, "<File/>": RuleRoot, `<Fill xmlns="urn:hl7-org:v3"/>`: RuleRoot,
		`<File xmlns="urn:hl7-org:v3"/>`: RuleMissing, `<FileResponse xmlns="urn:hl7-org:v3"></File>`: RuleWellFormed} {
		faults := Validate([]byte(body))
		require.NotEmpty(t, faults, body)
		require.Equal(t, rule, faults[0].Rule, body)
	}
}

// mutated gives mutants of a message by rule: every element left out, doubled, swapped, filled, given attributes; every attribute left out,
// emptied, respelt and given values of other types. The same message always gives the same mutants.
func mutated(t *testing.T, name string, body []byte) map[string][]byte {
	t.Helper()
	text := string(body)
	if i := strings.Index(text, " xmlns:npfitlc"); i > 0 {
		text = text[:i] + " " + strings.TrimSpace(xsi) + text[i:]
	}
	root, fault := readMessage([]byte(text), rootName(text))
	require.Nil(t, fault)
	out := map[string][]byte{}
	put := func(at int64, kind, before, with, after string) {
		out[fmt.Sprintf("%s-%06d-%s", name, at, kind)] = []byte(before + with + after)
	}
	var walk func(e, next *Element)
	walk = func(e, next *Element) {
		whole, before, after := text[e.Start:e.End], text[:e.Start], text[e.End:]
		put(e.Start, "absent", before, "", after)
		put(e.Start, "twice", before, whole+whole, after)
		if next != nil && next.Start == e.End {
			put(e.Start, "swapped", before, text[next.Start:next.End]+whole, text[next.End:])
		}
		tag := strings.IndexAny(whole, " />")
		for i, attr := range []string{`nullFlavor="NI"`, `updateMode="added"`, `xsi:nil="true"`, `classCode="ORG"`, `value="1"`} {
			if !strings.Contains(whole[:strings.IndexByte(whole, '>')], attr[:strings.IndexByte(attr, '=')+1]) {
				put(e.Start, fmt.Sprint("attr", i), before, whole[:tag]+" "+attr+whole[tag:], after)
			}
		}
		for i, inner := range []string{" ", "x", "<x/>", "<!-- c -->"} {
			put(e.Start, fmt.Sprint("inner", i), before, holding(whole, inner), after)
		}
		for i := range e.Attrs {
			a := &e.Attrs[i]
			for j, value := range []string{"", " ", "x", "12", "202602310000", "2.16.840.1.113883.2.1.4.1", "tel:0 1", "WP EC"} {
				put(a.Start, fmt.Sprint("value", j), text[:a.Start], value, text[a.End:])
			}
			start := strings.LastIndexByte(text[:a.Start], ' ')
			put(a.Start, "gone", text[:start], "", text[a.End+1:])
		}
		for i, c := range e.Children {
			var following *Element
			if i+1 < len(e.Children) {
				following = e.Children[i+1]
			}
			walk(c, following)
		}
	}
	for i, c := range root.Children {
		var following *Element
		if i+1 < len(root.Children) {
			following = root.Children[i+1]
		}
		walk(c, following)
	}
	return out
}

func rootName(text string) string {
	text = text[strings.Index(text, "?>")+2:]
	text = text[strings.IndexByte(text, '<')+1:]
	return text[:strings.IndexAny(text, " >")]
}

// decided lists, by what the mutant's name and the message say, where this package refuses what the schema takes, and why. There is nothing
// that it takes and the schema refuses.
func decided(body []byte) string {
	for inside, why := range map[string]string{
		"<originalText nullFlavor": "a reason that is null says nothing",
		"<originalText updateMode": "a reason is not updated",
		"<location nullFlavor":     "a place that is null is no place",
		"<location updateMode":     "a place is not updated",
	} {
		if bytes.Contains(body, []byte(inside)) {
			return why
		}
	}
	const role = `<superiorAssignedEntity><code code="R0670" displayName="Midwife" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.196"/>`
	if bytes.Contains(body, []byte("<superiorAssignedEntity>")) && !bytes.Contains(body, []byte(role)) {
		return "Spine refuses a query whose device names no job role code and name (CPIS_Query), though the schema takes it; nothing but the three values is written"
	}
	return ""
}

// Our own rules and the published schemas say the same of thousands of mutants of all six messages.
func TestValidateAgreesWithTheSchemas(t *testing.T) {
	files := map[string][]byte{}
	for name, body := range sixMessages(t) {
		maps.Copy(files, mutated(t, name, body))
	}
	names := slices.Sorted(maps.Keys(files))
	require.Greater(t, len(names), 5000)
	refused := map[string]bool{}
	for _, name := range names {
		faults := Validate(files[name])
		for _, f := range faults {
			require.False(t, strings.HasPrefix(f.Rule, "xml-"), "%s is not well-formed: %s", name, f)
		}
		refused[name] = len(faults) > 0
	}
	t.Logf("%d mutants", len(names))
	var differ []string
	for name, said := range judge(t, files) {
		taken := strings.HasPrefix(said, "valid")
		if taken == refused[name] && (!taken || decided(files[name]) == "") {
			differ = append(differ, name+": the schema says "+said)
		}
	}
	slices.Sort(differ)
	require.Empty(t, differ)
}

// judge runs the published schemas over many files, reading each schema once, and gives what they say by name. It logs and gives nil where
// schemas or Java are missing.
func judge(t *testing.T, files map[string][]byte) map[string]string {
	t.Helper()
	schemas := filepath.Join("..", "..", "..", "shared", "schemas", "cpis", "Schemas")
	java, err := exec.LookPath("java")
	if _, missing := os.Stat(schemas); missing != nil || err != nil || testing.Short() {
		t.Log("NOT RUN: the published schemas, or Java, are not here (or -short): nothing was compared with them")
		return nil
	}
	dir := t.TempDir()
	for name, body := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), body, 0o600))
	}
	out, err := exec.CommandContext(t.Context(), java, filepath.Join("testdata", "BatchValidate.java"), schemas, dir).Output()
	require.NoError(t, err)
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		verdict, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, why, _ := strings.Cut(rest, ": ")
		said[name] = verdict + " " + why
	}
	require.Len(t, said, len(files), "the validator said nothing of a file")
	return said
}
