package cpis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// structural gives mutants made by rule rather than by hand: every element of
// the header and of the first three records is in turn left out, doubled,
// swapped with its neighbour, given white space, text or a stranger to hold, and
// given attributes.
func structural(t *testing.T) map[string][]byte {
	body := edit(t, uploadExample(t), "<File ", "<File "+xsi)
	got := decode(t, body, Limits{})
	out := map[string][]byte{}
	var walk func(e *Element, next *Element, path string)
	walk = func(e, next *Element, path string) {
		text := body[e.Start:e.End]
		put := func(kind, with string, end int64) {
			out[strings.ReplaceAll(path, "/", "_")+"--"+kind] = []byte(body[:e.Start] + with + body[end:])
		}
		put("absent", "", e.End)
		put("twice", text+text, e.End)
		if next != nil && next.Start == e.End {
			put("swapped", body[next.Start:next.End]+text, next.End)
		}
		tag := strings.IndexAny(text, " />")
		for _, attr := range []string{`nullFlavor="NI"`, `updateMode="added"`, `xsi:nil="true"`, `xsi:nil="false"`, `value="x"`, `xml:lang="en"`, `classCode="ORG"`} {
			if !strings.Contains(text[:strings.IndexByte(text, '>')], attr[:strings.IndexByte(attr, '=')+1]) {
				put("attr-"+strings.NewReplacer(`"`, "", ":", "", "=", "-").Replace(attr), text[:tag]+" "+attr+text[tag:], e.End)
			}
		}
		for kind, inner := range map[string]string{"space": " ", "text": "x", "stranger": "<x/>", "comment": "<!-- c -->"} {
			put("inner-"+kind, holding(text, inner), e.End)
		}
		for i, c := range e.Children {
			var after *Element
			if i+1 < len(e.Children) {
				after = e.Children[i+1]
			}
			walk(c, after, fmt.Sprintf("%s/%s%d", path, c.Name, i))
		}
	}
	for i, c := range got.header.Element.Children {
		walk(c, nil, fmt.Sprintf("%s%d", c.Name, i))
	}
	for _, r := range got.records[:3] {
		walk(r.Element, nil, fmt.Sprintf("record%d", r.Position))
	}
	return out
}

// holding puts text right behind the start tag.
func holding(element, inner string) string {
	end := strings.IndexByte(element, '>')
	if element[end-1] == '/' {
		name := element[1:strings.IndexAny(element, " /")]
		return element[:end-1] + ">" + inner + "</" + name + ">" + element[end+1:]
	}
	return element[:end+1] + inner + element[end+1:]
}

func TestStructureAgreesWithTheSchema(t *testing.T) {
	files := structural(t)
	require.Greater(t, len(files), 500)
	t.Logf("%d structural mutants", len(files))
	refused := map[string]bool{}
	for name, body := range files {
		for _, f := range decode(t, string(body), Limits{}).faults {
			require.False(t, strings.HasPrefix(f.Rule, "xml-"), name)
			refused[name] = refused[name] || strings.HasPrefix(f.Rule, "schema-")
		}
	}
	differ := []string{}
	for name, taken := range validate(t, files) {
		if taken == refused[name] {
			differ = append(differ, fmt.Sprintf("%s: schema takes it: %t", name, taken))
		}
	}
	require.Empty(t, differ)
}
