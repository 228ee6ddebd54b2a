package mappings

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// TableRow is one line of a code table.
type TableRow struct {
	File           string // within the folder, tables/<name>.csv; of a table that is taken over, with the other folder's name before it
	Line           int    // 1-based
	Source, Target string
	From, Until    engine.Date // days on which it counts, both included; zero: no bound
}

// At is where the row stands: "tables/plan-type.csv:3".
func (r TableRow) At() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// Days says on which days the row counts, "from 2027-01-01"; nothing for one that always does.
func (r TableRow) Days() string { return validity(r.From, r.Until) }

// Ignored is a declared field that the mapping leaves out on purpose.
type Ignored struct{ Field, Why string }

// When returns the condition, its line and the declared fields that it reads; an empty text when the mapping has none.
func (m *Mapping) When() (text string, line int, fields []string) {
	if m.when == nil {
		return "", 0, nil
	}
	return m.when.text, m.when.line, slices.Clone(m.when.fields)
}

// Ignored lists what the mapping leaves out on purpose.
func (m *Mapping) Ignored() []Ignored { return slices.Clone(m.ignored) }

// Adapter returns the adapter of the mapping's format.
func (m *Mapping) Adapter() engine.Adapter { return m.source.adapter }

// Emits lists the kinds of event that a mapping can make, in the order of the documentation.
func Emits() []engine.Kind {
	var out []engine.Kind
	for _, word := range emits() {
		out = append(out, engine.Kind(word))
	}
	return out
}

// Files returns the text of the folder's files by their path within it, as they count for the digest.
func (m *Mapping) Files() map[string]string {
	f, err := openArchive(m.archive)
	if err != nil { // our own bytes
		return nil
	}
	return f.files
}

// Tables lists the rows of every code table by the table's name, those of the folder that the mapping extends among them.
func (m *Mapping) Tables() map[string][]TableRow {
	out := map[string][]TableRow{}
	f, err := openArchive(m.archive)
	if err != nil { // our own bytes
		return nil
	}
	var none Problems // a table that cannot be read does not load
	for name, t := range loadTables(f, &none) {
		for _, r := range t.rows {
			out[name] = append(out[name], t.row(r))
		}
	}
	return out
}

// row shows a line of the table.
func (t *table) row(r *tableRow) TableRow {
	return TableRow{File: t.within, Line: r.line, Source: r.source, Target: r.target, From: r.from, Until: r.until}
}

// Describe lists the fields of an event that are not empty by the names that rules give them, in a fixed order. It reveals personal data: only
// for who may see the message.
func Describe(e engine.Envelope) [][2]string { return describeEvent(e) }

// written is a YAML value in one line: what a rule says, whatever its layout.
func written(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+written(n.Content[i+1]))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, written(item))
		}
	default:
		return n.Value
	}
	return strings.Join(parts, ", ")
}

// readsRow reports whether an expression speaks of the record at all.
func readsRow(tree *ast.AST) (found bool) {
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.IdentKind && e.AsIdent() == rowName
	}))
	return found
}

// fieldsOf lists the declared fields that an expression reads, each once, in order of appearance.
func (m *loading) fieldsOf(tree *ast.AST) []string {
	var names []string
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if f := m.rowField(e); f != nil && !contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}))
	return names
}
