package mappings_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/adapters"
	"signalbox/mappings"
)

var token = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_-]*`)

// notNames is what is text and not a name, so that a misspelling in it is nobody's to find: comments, constants, reasons, texts that
// expressions and filters compare with or call functions with, the values of enums that no expression speaks of, addresses, and the marks
// of heads and trailers.
func notNames() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?m)(^|\s)#.*`),
		regexp.MustCompile(`const: ("[^"]*"|[A-Z][A-Z ]+)`),
		regexp.MustCompile(`why: "[^"]*"`),
		regexp.MustCompile(`[=(\[,] ?("[^"'\n]*"|'[^"'\n]*')`),
		regexp.MustCompile(`enum: \[[^\]]*\]`),
		regexp.MustCompile(`namespaces?: .*`),
		regexp.MustCompile(`(head|detail|trailer): .*`),
		regexp.MustCompile(`-\d+(\.\d+)*`), // positions of HL7 v2
	}
}

// TestEveryMisspellingIsFound misspells every name in every supplier's files by one letter, one at a time: key, field, selector's step,
// target, table, conversion, outcome, type, option, declared element. Lint must find each of them with its caret under it: with that of the
// problem or, where a declaration is misspelt and its uses fail, with that of the declaration which the problem speaks of. Every second name is
// misspelt in one of three ways, every name for the first supplier, and all of them in every way where SIGNALBOX_ALL_MISSPELLINGS is set.
func TestEveryMisspellingIsFound(t *testing.T) {
	dirs, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(dir.Name(), func(t *testing.T) {
			t.Parallel()
			tried := 0
			for _, file := range []string{"mapping.yaml", "source.yaml"} {
				tried += misspell(t, dir.Name(), file)
			}
			t.Logf("%d misspellings, each told with its line and column", tried)
			if tried < 20 {
				t.Errorf("only %d misspellings were tried", tried)
			}
		})
	}
}

func misspell(t *testing.T, supplier, file string) (tried int) {
	name := path.Join(supplier, file)
	folder := copyOf(t, supplier)
	if folder[name] == nil {
		return 0
	}
	if strings.Contains(string(folder[supplier+"/mapping.yaml"].Data), "extends: testshire-cpisxml") {
		for base, f := range copyOf(t, "testshire-cpisxml") {
			folder[base] = f
		}
	}
	good := string(folder[name].Data)
	masked := good
	for _, r := range notNames() {
		masked = r.ReplaceAllStringFunc(masked, blankOut)
	}
	for i, at := range token.FindAllStringIndex(masked, -1) {
		for j, bad := range misspellings(good[at[0]:at[1]]) {
			if (j != i%3 || i%2 != 0 && supplier != model) && os.Getenv("SIGNALBOX_ALL_MISSPELLINGS") == "" {
				continue
			}
			folder[name].Data = []byte(good[:at[0]] + bad + good[at[1]:])
			tried++
			_, err := mappings.Load(folder, supplier, adapters.All())
			problems, ok := err.(mappings.Problems)
			line := 1 + strings.Count(good[:at[0]], "\n")
			if !ok {
				t.Errorf("%s:%d: %q misspelt as %q is not found: %v", name, line, good[at[0]:at[1]], bad, err)
				continue
			}
			start := strings.LastIndexByte(good[:at[0]], '\n') + 1
			column := utf8.RuneCountInString(good[start:at[0]]) + 1
			if !told(problems, name, line, []rune(good[start:at[0]]), column) {
				t.Errorf("%s:%d:%d: %q misspelt as %q is told elsewhere:\n%v", name, line, column, good[at[0]:at[1]], bad, problems)
			}
		}
	}
	folder[name].Data = []byte(good)
	return tried
}

// nameOf is what one name is made of: its parts (subject.given), its namespace (c:Name), its mark (@use), its quotes.
var nameOf = regexp.MustCompile(`^[A-Za-z0-9_.:@/"'-]*$`)

// told reports whether a problem, or the declaration that it speaks of, has its caret under a name, from the name's beginning on: text
// is what stands before the misspelt part on its line, from the column of that part.
func told(problems mappings.Problems, file string, line int, text []rune, from int) bool {
	for _, p := range problems {
		for _, at := range []mappings.Spot{{File: p.File, Line: p.Line, Column: p.Column, Length: p.Length}, p.Declared} {
			if at.File == file && at.Line == line && at.Column <= from && at.Column+at.Length > from && nameOf.MatchString(string(text[at.Column-1:from-1])) {
				return true
			}
		}
	}
	return false
}

func blankOut(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r > 0x7f {
			return r
		}
		return ' '
	}, s)
}

// misspellings drops the last letter, doubles the first, and changes one in the middle. Of a word that would be empty, or that is no
// other word then, nothing is made.
func misspellings(word string) []string {
	middle := len(word) / 2
	out := []string{word[:1] + word, word[:middle] + "q" + word[middle+1:]}
	if last := word[len(word)-1]; len(word) > 1 && (last < '0' || last > '9') { // component1 and component are both elements
		out = append(out, word[:len(word)-1])
	}
	return out
}
