package conformance_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"signalbox/conformance/harness"
)

// Bars for the code: design, section 7, with the facts' style sheet for the tail.
const (
	maxFileLines = 450
	maxFuncLines = 80
)

// source is one parsed file of ours.
type source struct {
	path string
	file *ast.File
	set  *token.FileSet
	raw  []byte
}

func sources(t *testing.T) []source {
	t.Helper()
	ours, _ := packages(t)
	var out []source
	for _, p := range ours {
		for _, name := range p.GoFiles {
			full := filepath.Join(p.Dir, name)
			raw, err := os.ReadFile(full)
			harness.Must(t, err)
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, full, raw, parser.ParseComments)
			harness.Must(t, err)
			rel, err := filepath.Rel(filepath.Join(p.Dir, strings.Repeat("../", strings.Count(p.ImportPath, "/"))), full)
			harness.Must(t, err)
			out = append(out, source{path: rel, file: f, set: set, raw: raw})
		}
	}
	return out
}

func generated(s source) bool {
	return ast.IsGenerated(s.file)
}

// Every package says in its first sentence what it is.
func TestEveryPackageIsDocumented(t *testing.T) {
	ours, _ := packages(t)
	for _, p := range ours {
		if len(p.GoFiles) > 0 && len(p.Doc) < 20 {
			t.Errorf("%s: has no package comment that says what it is", p.ImportPath)
		}
	}
}

// Every exported name has a comment.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", s.path, name)
			}
		}
	}
}

func undocumented(decl ast.Decl) []string {
	var out []string
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d.Recv)) {
			out = append(out, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch v := spec.(type) {
			case *ast.TypeSpec:
				if v.Name.IsExported() && d.Doc == nil && v.Doc == nil {
					out = append(out, v.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range v.Names {
					if n.IsExported() && d.Doc == nil && v.Doc == nil && v.Comment == nil {
						out = append(out, n.Name)
					}
				}
			}
		}
	}
	return out
}

func exportedReceiver(fields *ast.FieldList) bool {
	typ := fields.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// Files and functions stay small; no init, no package-level variable that changes hands.
func TestSizesAndHabits(t *testing.T) {
	var lengths []int
	for _, s := range sources(t) {
		if generated(s) {
			continue
		}
		if n := bytes.Count(s.raw, []byte("\n")); n > maxFileLines {
			t.Errorf("%s: has %d lines; is there more than one idea in it?", s.path, n)
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: has an init function", s.path)
			}
			n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
			if lengths = append(lengths, n); n > maxFuncLines {
				t.Errorf("%s: %s has %d lines", s.path, f.Name.Name, n)
			}
		}
	}
	sort.Ints(lengths)
	t.Logf("%d functions: median %d lines, 90th percentile %d, longest %d", len(lengths), lengths[len(lengths)/2],
		lengths[len(lengths)*9/10], lengths[len(lengths)-1])
}

// The tree names no path of a machine, and every file that people read speaks of the project alone.
func TestTheTreeSpeaksOfTheProjectAlone(t *testing.T) {
	for _, s := range sources(t) {
		for _, word := range []string{"/home/", "/root/", "TODO", "FIXME"} {
			if bytes.Contains(s.raw, []byte(word)) && !strings.HasSuffix(s.path, "_test.go") {
				t.Errorf("%s: holds %q", s.path, word)
			}
		}
	}
}
