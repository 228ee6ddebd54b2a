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
// target, table, conversion, outcome, type, option, declared element. Lint must find each of them, at its place: where it stands, or where
// the name is used that nobody declares any more. Every second name is misspelt in one of three ways, every name for the first supplier, and all of
// them in every way where SIGNALBOX_ALL_MISSPELLINGS is set.
func TestEveryMisspellingIsFound(t *testing.T) {
	dirs, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(dir.Name(), func(t *testing.T) {
			t.Parallel()
			tried, elsewhere := 0, 0
			for _, file := range []string{"mapping.yaml", "source.yaml"} {
				n, m := misspell(t, dir.Name(), file)
				tried, elsewhere = tried+n, elsewhere+m
			}
			t.Logf("%d misspellings, all found, %d of them told at the place of use", tried, elsewhere)
			if tried < 20 {
				t.Errorf("only %d misspellings were tried", tried)
			}
		})
	}
}

func misspell(t *testing.T, supplier, file string) (tried, elsewhere int) {
	name := path.Join(supplier, file)
	folder := copyOf(t, supplier)
	if folder[name] == nil {
		return 0, 0
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
			column := utf8.RuneCountInString(good[strings.LastIndexByte(good[:at[0]], '\n')+1:at[0]]) + 1
			switch where := placed(problems, name, line, column, column+len(bad), bad); where {
			case "elsewhere":
				elsewhere++
			case "":
				t.Errorf("%s:%d:%d: %q misspelt as %q is told elsewhere:\n%v", name, line, column, good[at[0]:at[1]], bad, problems)
			}
		}
	}
	folder[name].Data = []byte(good)
	return tried, elsewhere
}

// placed says how a misspelling is told: "here" under its own place, "elsewhere" where the name is used.
func placed(problems mappings.Problems, file string, line, from, to int, bad string) string {
	where := ""
	for _, p := range problems {
		if p.File == file && p.Line == line && p.Column <= to && p.Column+max(p.Length, 1) >= from {
			return "here"
		}
		if p.File == file && p.Line == line || p.Line > 0 && p.Suggest != "" || strings.Contains(p.Text, bad) || strings.Contains(p.Text, "no field") ||
			strings.Contains(p.Text, "is declared") || p.Code == mappings.CodeFile || p.Code == mappings.CodeTable {
			where = "elsewhere"
		}
	}
	return where
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
