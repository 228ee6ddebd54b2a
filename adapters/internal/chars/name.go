package chars

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FieldName makes a name that rules and expressions can say of a heading.
func FieldName(heading string, taken map[string]bool) string {
	var b strings.Builder
	for _, r := range heading {
		switch {
		case r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if name == "" || unicode.IsDigit(rune(name[0])) {
		name = "c_" + name
	}
	for _, word := range []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace", "null",
		"package", "return", "true", "var", "void", "while"} { // CEL's own words
		if name == word {
			name += "_"
		}
	}
	unique := name
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	taken[unique] = true
	return unique
}
