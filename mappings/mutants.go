package mappings

import (
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Unnoticed is a change of a mapping's meaning that lint lets through and no test of the folder notices.
type Unnoticed struct {
	File string // as problems name it
	Line int    // 1-based
	What string // the change, for a person

	// Outcome: the change is in what becomes of a record that the rule fails on, or in which failures there are, and not in what it makes of
	// a good one.
	Outcome bool
}

// mutant is one folder's text with one change.
type mutant struct {
	Unnoticed
	files map[string]string
}

// FindUnnoticed makes every small change to the rules and tables of a folder that is good and passes its tests: a rule left out, another
// outcome, an optional value made necessary, another constant, a table row left out, a condition turned round. What neither lint nor a test
// of the folder notices is returned: nobody would see it if it happened by mistake. mutants says how many changes were made.
func FindUnnoticed(fsys fs.FS, dir string, formats Formats) (unnoticed []Unnoticed, mutants int, err error) {
	f, problems := readFolder(fsys, dir)
	if len(problems) > 0 {
		return nil, 0, problems.sorted()
	}
	for _, change := range f.mutants() {
		mutants++
		m, err := compile(folder{dir: f.dir, base: f.base, files: change.files}, formats)
		if err != nil {
			continue
		}
		report, err := RunTests(fsys, dir, m)
		if err != nil {
			return nil, mutants, err
		}
		if report.Failed() == 0 {
			unnoticed = append(unnoticed, change.Unnoticed)
		}
	}
	return unnoticed, mutants, nil
}

// mutants lists the changes, of the folder's own files and not of those that it extends: their own tests are for those.
func (f folder) mutants() []mutant {
	var out []mutant
	add := func(file string, line int, what string, outcome bool, lines []string) {
		files := map[string]string{}
		for name, text := range f.files {
			files[name] = text
		}
		files[file] = strings.Join(lines, "\n")
		out = append(out, mutant{Unnoticed{File: f.at(file), Line: line, What: what, Outcome: outcome}, files})
	}
	for name, text := range f.files {
		if dir, _ := path.Split(name); dir != tableFolder+"/" {
			continue
		}
		lines := strings.Split(text, "\n")
		for i := 1; i+1 < len(lines); i++ {
			add(name, i+1, "the table row is left out", false, cut(lines, i, i+1))
		}
	}
	var top yaml.Node
	text := f.files[mappingFile]
	if err := yaml.Unmarshal([]byte(text), &top); err != nil || len(top.Content) == 0 {
		return out
	}
	lines := strings.Split(text, "\n")
	if when := at(top.Content[0], "when"); when != nil && when.Style == 0 {
		add(mappingFile, when.Line, "the condition is turned round", false, replace(lines, when, "'!("+strings.ReplaceAll(when.Value, "'", "''")+")'"))
	}
	set := at(top.Content[0], "set")
	for i := 0; set != nil && i+1 < len(set.Content); i += 2 {
		end := len(lines)
		if i+2 < len(set.Content) {
			end = set.Content[i+2].Line - 1
		} else if next := after(top.Content[0], set); next > 0 {
			end = next - 1
		}
		key, rule := set.Content[i], set.Content[i+1]
		add(mappingFile, key.Line, "the rule for "+key.Value+" is left out", false, cut(lines, key.Line-1, end))
		ruleMutants(lines, key, rule, func(what string, outcome bool, changed []string) {
			add(mappingFile, key.Line, what, outcome, changed)
		})
	}
	return out
}

// ruleMutants changes one step of a rule at a time.
func ruleMutants(lines []string, key, rule *yaml.Node, add func(what string, outcome bool, lines []string)) {
	if otherwise := at(rule, "else"); otherwise != nil {
		for _, word := range []string{"reject", "park", "null"} {
			if word != otherwise.Value {
				add("the rule for "+key.Value+" says else: "+word, true, replace(lines, otherwise, word))
			}
		}
	}
	if optional := at(rule, "optional"); optional != nil && optional.Value == "true" {
		add("the rule for "+key.Value+" is not optional", true, replace(lines, optional, "false"))
	}
	if one := at(rule, "one"); one != nil && one.Value == "true" {
		add("the rule for "+key.Value+" takes no longer the first of several", true, replace(lines, one, "false"))
	}
	if day := at(rule, "at"); day != nil {
		changed := append([]string{}, lines...)
		changed[day.Line-1] = strings.Replace(changed[day.Line-1], ", at: "+day.Value, "", 1)
		add("the rule for "+key.Value+" picks the row of its table by the day on which the message was received", false, changed)
	}
	if constant := at(rule, "const"); constant != nil && constant.Value != "" {
		last := constant.Value[len(constant.Value)-1]
		other := byte('9')
		if last == other {
			other = '8'
		}
		add("the rule for "+key.Value+" has another constant", false, replace(lines, constant, `"`+constant.Value[:len(constant.Value)-1]+string(other)+`"`))
	}
}

// after returns the line of the key that follows a value in a mapping, or 0.
func after(n, value *yaml.Node) int {
	for i := 1; i+1 < len(n.Content); i += 2 {
		if n.Content[i] == value {
			return n.Content[i+1].Line
		}
	}
	return 0
}

func cut(lines []string, from, to int) []string {
	return append(append([]string{}, lines[:from]...), lines[to:]...)
}

// replace writes another scalar in the place of one on a single line.
func replace(lines []string, n *yaml.Node, with string) []string {
	out := append([]string{}, lines...)
	line := []rune(out[n.Line-1])
	width := len([]rune(n.Value))
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		width += 2
	}
	from := n.Column - 1
	to := min(from+width, len(line))
	out[n.Line-1] = string(line[:from]) + with + string(line[to:])
	return out
}
