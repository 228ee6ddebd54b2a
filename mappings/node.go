package mappings

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document is one YAML file being read strictly: every fault is noted with its place and reading goes on.
type document struct {
	name     string // as problems print it
	lines    []string
	problems *Problems
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// parse returns the file's top mapping, or nil when there is none.
func (d *document) parse(text string) *yaml.Node {
	d.lines = strings.Split(text, "\n")
	var root yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		p := Problem{File: d.name, Line: 1, Column: 1, Code: CodeSyntax, Text: strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, p.Text = placeOf(m[1], m[2])
			p.Why = "from here on nothing can be read: a bracket or a quotation mark that is not closed, a tab in the indent, and a text with \": \" or \" #\" in it and no quotation marks are the usual causes"
		}
		*d.problems = append(*d.problems, p)
		return nil
	}
	if len(root.Content) == 0 {
		*d.problems = append(*d.problems, Problem{File: d.name, Line: 1, Column: 1, Code: CodeSyntax, Text: "the file is empty"})
		return nil
	}
	if !d.is(root.Content[0], yaml.MappingNode, "a mapping of keys to values") {
		return nil
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		*d.problems = append(*d.problems, Problem{File: d.name, Line: max(more.Line, 1), Column: 1, Code: CodeSyntax, Text: "a second document follows"})
	}
	return root.Content[0]
}

// placeOf mends two habits of the YAML library: what its parser expected and did not find it places one line too early, and it says so in
// words for who writes parsers.
func placeOf(line, text string) (int, string) {
	n, _ := strconv.Atoi(line)
	if strings.HasPrefix(text, "did not find expected") {
		n++
	}
	if text == "did not find expected ',' or '}'" || text == "did not find expected ',' or ']'" {
		text = "the bracket that begins on this line is not closed, or a comma is missing in it"
	}
	return n, text
}

// fail notes a problem under the whole of a node's first line.
func (d *document) fail(n *yaml.Node, code Code, format string, args ...any) *Problem {
	return d.add(Problem{Line: n.Line, Column: n.Column, Length: d.width(n), Code: code, Text: fmt.Sprintf(format, args...)})
}

func (d *document) add(p Problem) *Problem {
	p.File = d.name
	*d.problems = append(*d.problems, p)
	return &(*d.problems)[len(*d.problems)-1]
}

// failAt notes a problem under a part of a scalar, given as bytes of its value.
func (d *document) failAt(n *yaml.Node, offset, length int, code Code, text string) *Problem {
	line, column := d.locate(n, offset)
	value := n.Value[min(offset, len(n.Value)):min(offset+length, len(n.Value))]
	return d.add(Problem{Line: line, Column: column, Length: max(utf8.RuneCountInString(value), 1), Code: code, Text: text})
}

// width is the number of characters of a scalar as written, or 1.
func (d *document) width(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Value == "" {
		return 1
	}
	first, column := d.locate(n, 0)
	last, end := d.locate(n, len(n.Value))
	if first != last || end <= column {
		return 1
	}
	quotes := n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
	if quotes != 0 {
		return end - n.Column + 1
	}
	return end - column
}

func (d *document) is(n *yaml.Node, kind yaml.Kind, want string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, CodeSyntax, "anchors and aliases do not belong here: a rule stands where it is read")
		return false
	}
	if n.Kind != kind {
		d.fail(n, CodeSyntax, "here belongs %s", want)
		return false
	}
	return true
}

// scalar returns the text of a scalar node, as written whatever YAML would make of it: 0998 stays 0998.
func (d *document) scalar(n *yaml.Node) (string, bool) {
	if n == nil || !d.is(n, yaml.ScalarNode, "one value") {
		return "", false
	}
	return n.Value, true
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// entries lists the keys of a mapping node in order; a key that stands twice is a problem and is left out the second time.
func (d *document) entries(n *yaml.Node) []entry {
	if !d.is(n, yaml.MappingNode, "a mapping of keys to values") {
		return nil
	}
	seen := map[string]int{}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, ok := d.scalar(key)
		if !ok {
			continue
		}
		if line, twice := seen[name]; twice {
			d.fail(key, CodeTwice, "%q stands here twice, first on line %d", name, line)
			continue
		}
		seen[name] = key.Line
		out = append(out, entry{key, n.Content[i+1]})
	}
	return out
}

// keys reads a mapping node whose keys are a fixed list.
func (d *document) keys(n *yaml.Node, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for _, e := range d.entries(n) {
		if !contains(known, e.key.Value) {
			d.fail(e.key, CodeKey, "no key %q here: the keys are %s", e.key.Value, strings.Join(known, ", ")).Suggest = nearest(e.key.Value, known)
			continue
		}
		out[e.key.Value] = e.value
	}
	return out
}

// keyOf returns the node of a key itself, for a problem about what stands below it.
func keyOf(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i]
		}
	}
	return n
}

// flag reads true or false.
func (d *document) flag(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	value, ok := d.scalar(n)
	if ok && value != "true" && value != "false" {
		d.fail(n, CodeWord, "here belongs true or false")
	}
	return value == "true"
}

// locate maps a byte offset within a scalar's value to line and column of the file, for plain, quoted and literal scalars. A folded scalar,
// and a plain one over many lines, is located at its beginning.
func (d *document) locate(n *yaml.Node, offset int) (line, column int) {
	before := n.Value[:min(offset, len(n.Value))]
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		return d.insideLiteral(n, before)
	case n.Style&yaml.FoldedStyle != 0 || n.Line > len(d.lines):
		return n.Line, n.Column
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return n.Line, d.insideQuotes(n, utf8.RuneCountInString(before))
	}
	if rest := []rune(d.lines[n.Line-1]); n.Column > len(rest) || !strings.HasPrefix(string(rest[n.Column-1:]), n.Value) {
		return n.Line, n.Column
	}
	return n.Line, n.Column + utf8.RuneCountInString(before)
}

// insideLiteral locates the end of before in a literal block: a line of the value is a line of the file without the block's indent.
func (d *document) insideLiteral(n *yaml.Node, before string) (line, column int) {
	row := strings.Count(before, "\n")
	line = n.Line + 1 + row
	indent := 0
	if rows := strings.Split(n.Value, "\n"); line <= len(d.lines) && row < len(rows) {
		indent = max(len(d.lines[line-1])-len(rows[row]), 0)
	}
	return line, indent + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// insideQuotes counts the characters that stand for the first count characters of a quoted scalar's value.
func (d *document) insideQuotes(n *yaml.Node, count int) int {
	source := []rune(d.lines[n.Line-1])
	i := n.Column // the character after the opening quote, 0-based
	for ; count > 0 && i < len(source); count-- {
		i += escapeWidth(source[i:], n.Style)
	}
	return i + 1
}

func escapeWidth(source []rune, style yaml.Style) int {
	if len(source) < 2 {
		return 1
	}
	if style&yaml.SingleQuotedStyle != 0 {
		if source[0] == '\'' && source[1] == '\'' {
			return 2
		}
		return 1
	}
	if source[0] != '\\' {
		return 1
	}
	switch source[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
