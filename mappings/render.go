package mappings

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Render prints every problem with its source line, a caret, what may have been meant and the fix where one is known. source is the file
// system that was loaded; without it (nil) the source lines are left out.
func (ps Problems) Render(w io.Writer, source fs.FS) error {
	lines := sourceLines{fsys: source, files: map[string][]string{}}
	for i, p := range ps {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := io.WriteString(w, p.render(lines)); err != nil {
			return fmt.Errorf("render problems: %w", err)
		}
	}
	return nil
}

func (p Problem) render(lines sourceLines) string {
	var b strings.Builder
	line := lines.at(p.File, p.Line)
	at := p.File
	if p.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	fmt.Fprintf(&b, "%s  %s  %s\n", at, p.Code, p.Text)
	underline(&b, line, p.Line, p.Column, p.Length, p.hint())
	if p.Why != "" {
		fmt.Fprintf(&b, "  why  %s\n", p.Why)
	}
	if fixed, ok := p.fixed(line); ok {
		fmt.Fprintf(&b, "  fix  - %s\n       + %s\n", strings.TrimSpace(line), strings.TrimSpace(fixed))
	}
	if d := p.Declared; d.Line > 0 {
		fmt.Fprintf(&b, "%s  %s\n", d, d.Note)
		underline(&b, lines.at(d.File, d.Line), d.Line, d.Column, d.Length, "")
	}
	return b.String()
}

// underline writes a source line, where it is known, with carets under a part of it.
func underline(b *strings.Builder, text string, line, column, length int, hint string) {
	if text != "" {
		fmt.Fprintf(b, "%5d | %s\n", line, text)
		fmt.Fprintf(b, "      | %s%s%s\n", blank(text, column-1), strings.Repeat("^", max(length, 1)), hint)
	}
}

func (p Problem) hint() string {
	if p.Suggest == "" {
		return ""
	}
	return fmt.Sprintf(" did you mean %q?", p.Suggest)
}

// fixed returns the source line with the text under the caret replaced.
func (p Problem) fixed(line string) (string, bool) {
	runes := []rune(line)
	from, to := p.Column-1, p.Column-1+p.Length
	if p.Suggest == "" || p.Length == 0 || from < 0 || to > len(runes) {
		return "", false
	}
	return string(runes[:from]) + p.Suggest + string(runes[to:]), true
}

// blank is white space as wide as the first n characters of line, tabs kept.
func blank(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n <= 0 {
			return b.String()
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString(strings.Repeat(" ", max(n, 0)))
	return b.String()
}

// sourceLines reads each file once.
type sourceLines struct {
	fsys  fs.FS
	files map[string][]string
}

func (s sourceLines) at(file string, line int) string {
	if s.fsys == nil || line < 1 {
		return ""
	}
	lines, read := s.files[file]
	if !read {
		raw, err := fs.ReadFile(s.fsys, file)
		if err == nil {
			lines = strings.Split(normalise(string(raw)), "\n")
		}
		s.files[file] = lines
	}
	if line > len(lines) {
		return ""
	}
	return lines[line-1]
}
