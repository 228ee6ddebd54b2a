package mappings

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed errors/*.md
var errorPages embed.FS

// Codes lists the numbers of all problems, in order.
func Codes() []Code {
	return []Code{CodeSyntax, CodeKey, CodeTwice, CodeSelector, CodeMissing, CodeTarget, CodeMandatory, CodeSource, CodeElse, CodeWord, CodeConversion,
		CodeLayout, CodeType, CodeTable, CodeTableRow, CodeExpression, CodeFormat, CodeSchema, CodeUnused, CodeConst, CodeSupplier, CodeFile,
		CodeContradicts, CodeTest}
}

// ErrorPage returns the title and the page of a code: why it is told, an example, and how it is mended.
func ErrorPage(code Code) (title, page string, ok bool) {
	raw, err := errorPages.ReadFile("errors/" + string(code) + ".md")
	if err != nil {
		return "", "", false
	}
	page = string(raw)
	first, _, _ := strings.Cut(page, "\n")
	_, title, _ = strings.Cut(first, ": ")
	return title, page, true
}

// ErrorPages returns the pages as files, CODE.md each.
func ErrorPages() fs.FS {
	sub, err := fs.Sub(errorPages, "errors")
	if err != nil {
		panic(err) // the embedded folder has a valid name
	}
	return sub
}
