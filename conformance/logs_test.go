package conformance_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// logKeys are the keys that a log line may have, with what each holds. A new key is a decision about personal data: it is made here.
func logKeys() map[string]string {
	return map[string]string{
		"room": "word", "lease": "word and a mailbox id of ours", "step": "word", "kind": "word", "part": "word", "outcome": "word", "verdict": "word", "check": "word", "type": "word: of a Go value",
		"mailbox": "MESH mailbox id", "source": "where it came in: mailbox ids or a trust's name", "la": "ODS code", "by": "ODS code, or the name of a FHIR reader", "workflow": "MESH workflow id",
		"sender": "ODS code, a trust's name in the configuration, or a mailbox id of ours",
		"client": "a trust's name in the configuration", "consumer": "name in the configuration", "topic": "name", "group": "name", "stream": "key of a stream: prefix and topic",
		"message": "message id: a digest, or made by MESH", "mesh": "message id, made by MESH", "event": "event id: a digest", "effect": "effect id: a digest",
		"subscription": "subscription id: a UUID that we made", "failures": "count",
		"access": "access id: a UUID that its sender or we made", "code": "MESH status code",
		"bytes": "count", "count": "count", "events": "count", "accesses": "count", "authorities": "count", "flags": "count", "history": "count", "spans": "count", "bodies": "count", "rows": "count", "fence": "count",
		"faults": "count", "accepted": "count", "rejected": "count", "parked": "count", "skipped": "count", "status": "count: of HTTP",
		"duration": "time", "every": "time", "pair": "name of a file pair: written by the authority's system, or a message id", "repeat": "yes or no", "scheduled": "yes or no", "ours": "yes or no",
		"method": "HTTP method of a fixed list", "route": "path of a fixed list", "stack": "names of functions",
		"rule": "rule that a record broke", "at": "place in a file: record, column, line", "why": "sentence about the place and the rule",
		"digest": "digest of a message or of a mapping folder", "supplier": "name of a folder",
		"fhir": "address of ours", "operations": "address of ours", "op": "word", "internal_id": "request id, made by the MESH server",
		"error": "error: the bar for errors forbids data in them", "reason": "error, likewise",
	}
}

// TestLogLinesHoldNoPersonalData reads every call of a logger in the engine's rooms: the words of the line are fixed, its keys are known, and
// none of its values reveals a datum or hands over a message's content. End-to-end tests look at what is written besides.
func TestLogLinesHoldNoPersonalData(t *testing.T) {
	known, used, calls := logKeys(), map[string]bool{}, 0
	for _, s := range sources(t) {
		room, _, _ := strings.Cut(s.path, "/")
		if room == "conformance" || room == "cmd" && strings.Contains(s.path, "internal/demo") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			words, pairs, is := logCall(call)
			if !is {
				return true
			}
			calls++
			at := fmt.Sprintf("%s:%d", s.path, s.set.Position(call.Pos()).Line)
			if words != nil && !constant(words) {
				t.Errorf("%s: the words of a log line are put together at run time", at)
			}
			for key, value := range pairs {
				used[key] = true
				if known[key] == "" {
					t.Errorf("%s: nobody has said what the log key %q may hold: add it to logKeys with what it holds", at, key)
				}
				if reveals(value) {
					t.Errorf("%s: the value of %q reveals a datum or a content", at, key)
				}
			}
			return true
		})
	}
	if calls < 25 {
		t.Errorf("only %d log calls were found: does this test still know one when it sees it?", calls)
	}
	for key := range known {
		if !used[key] && key != "consumer" {
			t.Logf("the log key %q is not used any more", key)
		}
	}
}

// logCall takes a call of a slog.Logger apart: the expression of its words (nil for With) and its pairs. Keys that are no literals are named "".
func logCall(call *ast.CallExpr) (words ast.Expr, pairs map[string]ast.Expr, ok bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !isLogger(sel.X) {
		return nil, nil, false
	}
	args := call.Args
	switch sel.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		if len(args) == 0 {
			return nil, nil, false
		}
		words, args = args[0], args[1:]
	case "LogAttrs", "Log":
		if len(args) < 3 {
			return nil, nil, false
		}
		words, args = args[2], args[3:]
	case "With":
	default:
		return nil, nil, false
	}
	pairs = map[string]ast.Expr{}
	for i := 0; i < len(args); i++ {
		if attr, is := args[i].(*ast.CallExpr); is && len(attr.Args) == 2 { // slog.String("key", value)
			pairs[literal(attr.Args[0])] = attr.Args[1]
		} else if i+1 < len(args) {
			pairs[literal(args[i])] = args[i+1]
			i++
		}
	}
	return words, pairs, true
}

// isLogger knows a logger by its name: log, p.Log, cfg.Logger, s.log, o.opts.Log, and what With makes of one.
func isLogger(x ast.Expr) bool {
	switch v := x.(type) {
	case *ast.Ident:
		return strings.EqualFold(v.Name, "log") || strings.EqualFold(v.Name, "logger")
	case *ast.SelectorExpr:
		return isLogger(v.Sel)
	case *ast.CallExpr:
		sel, ok := v.Fun.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "With" && isLogger(sel.X)
	}
	return false
}

func literal(x ast.Expr) string {
	if l, ok := x.(*ast.BasicLit); ok && l.Kind == token.STRING {
		return strings.Trim(l.Value, "\"`")
	}
	return ""
}

// constant tells words that are written down from words that are made: a parameter is fixed by its callers, which pass literals.
func constant(x ast.Expr) bool {
	switch x.(type) {
	case *ast.BasicLit, *ast.Ident:
		return true
	}
	return false
}

// reveals tells whether an expression reads a datum or hands over bytes of a message. Its length is no datum.
func reveals(x ast.Expr) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "len" {
				return false
			}
		}
		if id, ok := n.(*ast.Ident); ok {
			switch id.Name {
			case "Reveal", "Body", "Payload", "body", "payload", "Subject", "NHSNumber", "BirthDate", "FileName", "LocalID", "RawQuery", "Header", "raw":
				found = true
			}
		}
		return !found
	})
	return found
}

func TestTheLogCheckBites(t *testing.T) {
	x := func(name string) ast.Expr { return &ast.SelectorExpr{X: ast.NewIdent("m"), Sel: ast.NewIdent(name)} }
	if !reveals(&ast.CallExpr{Fun: x("Reveal")}) || !reveals(x("Body")) || reveals(x("ID")) {
		t.Error("a datum is not told from an id")
	}
	if reveals(&ast.CallExpr{Fun: ast.NewIdent("len"), Args: []ast.Expr{x("Body")}}) {
		t.Error("the length of a content is no content")
	}
	if !isLogger(x("Log")) || isLogger(x("Logs")) {
		t.Error("a logger is not known by its name")
	}
}
