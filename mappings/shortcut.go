package mappings

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"signalbox/engine"
)

// shortcut answers an expression as CEL would, without CEL's interpreter. Only a text field compared with a literal has one: most conditions are that.
type shortcut func(v *view) (ref.Val, error)

// shortcutOf returns the shortcut of a checked expression, or nil.
func (m *loading) shortcutOf(tree *ast.AST) shortcut {
	e := tree.Expr()
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	if call.FunctionName() != operators.Equals && call.FunctionName() != operators.NotEquals {
		return nil
	}
	wanted := call.FunctionName() == operators.Equals
	for i, side := range call.Args() {
		f, other := m.rowField(side), call.Args()[1-i]
		if f == nil || f.Type != engine.TypeString || other.Kind() != ast.LiteralKind {
			continue
		}
		if literal, ok := other.AsLiteral().(types.String); ok {
			return f.compare(string(literal), wanted)
		}
	}
	return nil
}

// compare answers with wanted where the field holds the text. A field that read refuses is refused here.
func (f *field) compare(literal string, wanted bool) shortcut {
	return func(v *view) (ref.Val, error) {
		text, _, err := v.pick(f)
		if err == nil && len(f.Enum) == 0 {
			return types.Bool((text == literal) == wanted), nil
		}
		value, err := v.read(f)
		if err != nil {
			return nil, err
		}
		return types.Bool((value == types.String(literal)) == wanted), nil
	}
}
