package mappings

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"go.yaml.in/yaml/v3"
)

// costLimit bounds one evaluation, in CEL's own unit (about one a node visited, one for ten bytes of text compared). A condition over a
// record takes below a hundred. Where the bound can be proven when the mapping is loaded, nothing is counted when it runs.
const costLimit = 10_000

// celVersion of the string functions: pinned, so that an old mapping means the same under a newer library.
const celVersion = 4

// expression is a compiled CEL expression.
type expression struct {
	program cel.Program
	quick   shortcut // the same answer without the interpreter; nil for most
	result  *cel.Type
	text    string
	line    int
	fields  []string // declared fields that it reads
	once    bool     // it reads the message alone, so that one answer goes for all of its records
}

// celWords cannot be names of fields: CEL reserves them.
func celWords() []string {
	return []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
		"namespace", "null", "package", "return", "true", "var", "void", "while"}
}

// newEnvironment declares row, typed from the source's fields, and message.
func newEnvironment(s *source) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(append(library(),
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(newProvider(registry, s)),
		cel.Variable(rowName, cel.ObjectType(rowType)),
		cel.Variable(messageName, cel.ObjectType(messageType)),
		ext.Strings(ext.StringsVersion(celVersion)),
	)...)
}

// compileExpression compiles the CEL text of a scalar. Problems are placed at the characters they speak of.
func (m *loading) compileExpression(n *yaml.Node) *expression {
	text, ok := m.scalar(n)
	if !ok || m.env == nil {
		return nil
	}
	checked, issues := m.env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			m.expressionProblem(n, text, offsetOf(text, e.Location.Line(), e.Location.Column()), e.Message)
		}
		return nil
	}
	m.inspect(n, text, checked.NativeRep())
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if estimate, err := m.env.EstimateCost(checked, sizes{}); err != nil || estimate.Max > costLimit {
		options = append(options, cel.CostLimit(costLimit))
	}
	program, err := m.env.Program(checked, options...)
	if err != nil {
		m.fail(n, CodeExpression, "the expression cannot be planned")
		return nil
	}
	return &expression{program: program, quick: m.shortcutOf(checked.NativeRep()), result: checked.OutputType(), text: text, line: n.Line, fields: m.fieldsOf(checked.NativeRep()), once: !readsRow(checked.NativeRep())}
}

// sizes knows nothing of how long a record's values are, so only expressions whose cost does not hang on them are proven cheap.
type sizes struct{}

// EstimateSize makes no promise.
func (sizes) EstimateSize(cost.AstNode) *cost.SizeEstimate { return nil }

// EstimateCallCost leaves every function at the library's own estimate.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// offsetOf turns CEL's line (from 1) and column (from 0, in characters) into a byte offset.
func offsetOf(text string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(text[offset:], '\n')
		if n < 0 {
			break
		}
		offset += n + 1
	}
	for ; column > 0 && offset < len(text); column-- {
		_, n := utf8.DecodeRuneInString(text[offset:])
		offset += n
	}
	return min(offset, len(text))
}

// expressionProblem writes CEL's message in our words where we know better, with the caret under the name it speaks of.
func (m *loading) expressionProblem(n *yaml.Node, text string, offset int, message string) {
	length := len(word(text[offset:]))
	what := strings.TrimSpace(strings.SplitN(message, "\n", 2)[0])
	suggest := ""
	var declared Spot
	if name, ok := quotedAfter(message, "undefined field '"); ok {
		object := lastWord(text[:offset])
		if at := strings.Index(text[offset:], name); at >= 0 {
			offset, length = offset+at, len(name)
		}
		what = "no field \"" + name + "\" in " + object
		suggest = nearest(name, m.memberNames(object))
		if f := m.source.find(suggest); f != nil && object == rowName {
			declared = m.source.spot(f)
		}
	}
	if name, ok := quotedAfter(message, "undeclared reference to '"); ok {
		what = "nothing is called \"" + name + "\" here: an expression sees row, message and functions"
		offset, length, suggest = unknownName(text, offset, name)
	}
	p := m.failAt(n, offset, length, CodeExpression, what)
	p.Suggest, p.Declared = suggest, declared
}

// unknownName finds the part of a name that nobody knows: of a function of ours, its family before the dot, or the function itself. CEL
// speaks of the dot or the bracket after it.
func unknownName(text string, offset int, name string) (at, length int, suggest string) {
	if from := strings.LastIndex(text[:min(offset+len(name), len(text))], name); from >= 0 && from <= offset {
		offset = from
	}
	known := []string{rowName, messageName}
	families, members := map[string]bool{}, []string(nil)
	family, member, dotted := strings.Cut(name, ".")
	for _, f := range functions() {
		of, rest, _ := strings.Cut(f.Name, ".")
		families[of] = true
		if of == family {
			members = append(members, rest)
		}
	}
	if dotted && len(members) > 0 {
		return offset + len(family) + 1, len(member), nearest(member, members)
	}
	if dotted {
		known = append(known, slices.Sorted(maps.Keys(families))...)
	}
	return offset, len(family), nearest(family, known)
}

func (m *loading) memberNames(object string) []string {
	if object == messageName {
		return messageFields()
	}
	return m.source.names()
}

func quotedAfter(s, before string) (string, bool) {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, "'")
	return name, ok
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// word returns the identifier that s begins with.
func word(s string) string {
	i := 0
	for i < len(s) && isWord(s[i]) {
		i++
	}
	return s[:i]
}

// lastWord returns the identifier that s ends with.
func lastWord(s string) string {
	s = strings.TrimRight(s, " \n")
	i := len(s)
	for i > 0 && isWord(s[i-1]) {
		i--
	}
	return s[i:]
}

// inspect notes which fields an expression reads, and refuses a comparison that the field's enum makes impossible.
func (m *loading) inspect(n *yaml.Node, text string, tree *ast.AST) {
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if f := m.rowField(e); f != nil {
			m.source.used[f.Name] = true
			return
		}
		if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.Equals && e.AsCall().FunctionName() != operators.NotEquals {
			return
		}
		args := e.AsCall().Args()
		for i := range args {
			f, other := m.rowField(args[i]), args[1-i]
			if f == nil || len(f.Enum) == 0 || other.Kind() != ast.LiteralKind {
				continue
			}
			literal, ok := other.AsLiteral().Value().(string)
			if !ok || contains(f.Enum, literal) {
				continue
			}
			at := tree.SourceInfo().GetStartLocation(other.ID())
			p := m.failAt(n, offsetOf(text, at.Line(), at.Column()), len(literal)+2, CodeContradicts,
				"row."+f.Name+" never has this value: it is not in the field's enum")
			p.Declared = m.source.spot(f)
		}
	}))
}

// rowField returns the declared field that an expression like row.name selects, or nil.
func (m *loading) rowField(e ast.Expr) *field {
	if e.Kind() != ast.SelectKind {
		return nil
	}
	s := e.AsSelect()
	if s.Operand().Kind() != ast.IdentKind || s.Operand().AsIdent() != rowName {
		return nil
	}
	return m.source.find(s.FieldName())
}
