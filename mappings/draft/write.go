package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"signalbox/engine"
	"signalbox/mappings"
)

// quote writes text as a YAML value that means nothing else.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// source writes source.yaml.
func (d *drafting) source() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Drafted from %d records of sample files.\n", d.records)
	for _, r := range d.profile.Reasons {
		b.WriteString("# " + r + "\n")
	}
	for _, doubt := range d.profile.Doubts {
		b.WriteString("# " + d.mark(doubt) + "\n")
	}
	fmt.Fprintf(&b, "format: %s\n", d.profile.Schema.Format)
	if d.profile.Schema.Encoding != "" {
		fmt.Fprintf(&b, "encoding: %s\n", d.profile.Schema.Encoding)
	}
	if len(d.profile.Schema.Options) > 0 {
		b.WriteString("options:\n")
		for _, name := range slices.Sorted(maps.Keys(d.profile.Schema.Options)) {
			fmt.Fprintf(&b, "  %s: %s\n", name, quote(d.profile.Schema.Options[name]))
		}
	}
	if len(d.profile.Schema.Structure) > 0 {
		b.WriteString("structure:\n")
		structure(&b, d.profile.Schema.Structure, "  ")
	}
	b.WriteString("fields:\n")
	for _, c := range d.columns {
		fmt.Fprintf(&b, "  # %s\n  - { name: %s", c.describe(), c.Name)
		if c.Select != "" {
			b.WriteString(", select: " + quote(c.Select))
		}
		if d.optional(c) {
			b.WriteString(", nullable: true")
		}
		if codes := c.codes(); d.isStatus(c) {
			for i := range codes {
				codes[i] = quote(codes[i])
			}
			b.WriteString(", enum: [" + strings.Join(codes, ", ") + "]")
		}
		b.WriteString(" }\n")
	}
	return b.String()
}

// structure writes the names that stand in a message, nested.
func structure(b *strings.Builder, elements []engine.Element, indent string) {
	for _, e := range elements {
		name := e.Name
		if e.Many {
			name += "[]"
		}
		if strings.ContainsAny(name, "@: #'\"{}&*!|>%,") || name == "[]" {
			name = quote(name)
		}
		b.WriteString(indent + name + ":\n")
		structure(b, e.Children, indent+"  ")
	}
}

// optional reports whether a field may be empty: it was, or no mandatory rule reads it.
func (d *drafting) optional(c *column) bool {
	for _, r := range d.rules {
		if r.From == c.Name {
			for _, t := range mappings.Targets(d.Emit) {
				if t.Path == r.Target && t.Mandatory {
					return false
				}
			}
		}
	}
	return c.filled < c.records
}

// isStatus tells a column that may say which records are for us.
func (d *drafting) isStatus(c *column) bool {
	for _, r := range d.rules {
		if r.From == c.Name || strings.Contains(r.Expr, "row."+c.Name) {
			return false
		}
	}
	if !c.isCode() {
		return false
	}
	for _, w := range c.words {
		if slices.Contains([]string{"status", "state", "active", "live", "event", "action", "recordstatus", "flag"}, w) {
			return true
		}
	}
	return false
}

// mapping writes mapping.yaml.
func (d *drafting) mapping() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Drafted from %d records of sample files. The reason for each rule stands above it.\n", d.records)
	fmt.Fprintf(&b, "supplier: %s\nemit: %s\nsource: source.yaml\n\n", d.Supplier, d.Emit)
	for _, c := range d.columns {
		if d.isStatus(c) {
			fmt.Fprintf(&b, "# %s\n# when: row.%s == %q\n\n", d.mark(fmt.Sprintf("the column %s has the codes %s: are all records for us?", c.Name, strings.Join(c.codes(), ", "))), c.Name, c.codes()[0])
		}
	}
	b.WriteString("set:\n")
	for _, r := range d.rules {
		if r.Reason != "" {
			b.WriteString("  # " + r.Reason + "\n")
		}
		if r.open != "" {
			b.WriteString("  # " + r.open + "\n")
		}
		if r.text != "" {
			fmt.Fprintf(&b, "  %s: %s\n", r.Target, r.text)
		} else {
			fmt.Fprintf(&b, "  # %s:\n", r.Target)
		}
	}
	if ignored := d.ignored(); len(ignored) > 0 {
		b.WriteString("\n# What is sent and not used. Each needs a reason of yours: data that is not needed is not kept.\nignore:\n")
		for _, name := range ignored {
			fmt.Fprintf(&b, "  - { column: %s, why: %s }\n", name, quote(d.mark("no field of the event is like this column")))
		}
	}
	return b.String()
}

// ignored lists the fields that no rule reads.
func (d *drafting) ignored() []string {
	var out []string
	for _, c := range d.columns {
		used := false
		for _, r := range d.rules {
			used = used || r.From == c.Name || mentions(r.Expr, c.Name)
		}
		if !used {
			out = append(out, c.Name)
		}
	}
	return out
}

// mentions reports whether an expression reads a field.
func mentions(expr, name string) bool {
	_, rest, ok := strings.Cut(expr, "row."+name)
	return ok && (rest == "" || !unicode.IsLetter(rune(rest[0])) && !unicode.IsDigit(rune(rest[0])) && rest[0] != '_')
}
