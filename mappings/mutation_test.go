package mappings_test

import (
	"regexp"
	"strings"
	"testing"

	"signalbox/adapters"
	"signalbox/mappings"
)

var (
	token   = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_.-]*`)
	comment = regexp.MustCompile(`#.*`)
	// What is text and not a name: constants of the mapping, reasons, codes that no rule speaks of. A misspelling there is nobody's to find.
	prose = regexp.MustCompile(`const: [A-Z][A-Z ]+|why: "[^"]*"`)
	codes = regexp.MustCompile(`, C, T`)
)

// TestEveryMisspellingIsFound misspells every name in the CSV supplier's files by one letter, one at a time: key, column, target, table,
// conversion, outcome, type, option. Lint must find each of them, and none may be accepted as another good mapping.
func TestEveryMisspellingIsFound(t *testing.T) {
	tried := 0
	for _, file := range []string{"mapping.yaml", "source.yaml"} {
		good := string(copyOf(t, model)[model+"/"+file].Data)
		masked := comment.ReplaceAllStringFunc(good, blankOut)
		masked = prose.ReplaceAllStringFunc(masked, func(s string) string { return s[:5] + blankOut(s[5:]) })
		masked = codes.ReplaceAllStringFunc(masked, blankOut)
		for _, at := range token.FindAllStringIndex(masked, -1) {
			for _, bad := range misspellings(good[at[0]:at[1]]) {
				folder := copyOf(t, model)
				folder[model+"/"+file].Data = []byte(good[:at[0]] + bad + good[at[1]:])
				tried++
				m, err := mappings.Load(folder, model, adapters.All())
				if err == nil {
					t.Errorf("%s:%d: %q misspelt as %q is not found", file, 1+strings.Count(good[:at[0]], "\n"), good[at[0]:at[1]], bad)
				}
				if problems, ok := err.(mappings.Problems); m != nil || ok && (len(problems) == 0 || problems[0].Line == 0 && problems[0].Code != mappings.CodeFile) {
					t.Errorf("%q: a problem without its place: %v", bad, err)
				}
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d misspellings were tried", tried)
	}
}

func blankOut(s string) string { return strings.Repeat(" ", len(s)) }

// misspellings drops the last letter, doubles the first, and changes one in the middle.
func misspellings(word string) []string {
	middle := len(word) / 2
	return []string{word[:len(word)-1], word[:1] + word, word[:middle] + "q" + word[middle+1:]}
}
