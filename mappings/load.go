package mappings

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// Mapping is a supplier's folder, checked and compiled. It is immutable and safe for concurrent use.
type Mapping struct {
	supplier string
	emit     engine.Kind
	source   *source
	when     *expression
	rules    []rule
	ignored  []Ignored
	archive  []byte
	digest   string
}

// Supplier returns the name that the mapping gives itself.
func (m *Mapping) Supplier() string { return m.supplier }

// Emit returns the kind of event that the mapping makes.
func (m *Mapping) Emit() engine.Kind { return m.emit }

// Schema returns the declared source.
func (m *Mapping) Schema() engine.Schema { return m.source.schema }

// SourceFile returns the path of the source.yaml that counts, as problems print it: the extended folder's where the mapping has none.
func (m *Mapping) SourceFile() string { return m.source.name }

// Archive returns mapping.yaml, source.yaml and the tables as one canonical txtar file. LoadArchive makes the same mapping of it.
func (m *Mapping) Archive() []byte { return append([]byte(nil), m.archive...) }

// Digest returns the SHA-256 of Archive as 64 hexadecimal digits: the name that every event carries.
func (m *Mapping) Digest() string { return m.digest }

// Load reads, checks and compiles the folder dir of fsys. The error is Problems: all of them, not the first.
func Load(fsys fs.FS, dir string, formats Formats) (*Mapping, error) {
	f, problems := readFolder(fsys, dir)
	if len(problems) > 0 {
		d := document{name: f.at(mappingFile), problems: &problems}
		if text, there := f.files[mappingFile]; there { // a misspelt "extends" is why a source is missed
			if top := d.parse(text); top != nil {
				d.keys(top, mappingKeys()...)
			}
		}
		return nil, problems.sorted()
	}
	return compile(f, formats)
}

// LoadArchive makes a mapping of the bytes that Archive returned. The error is Problems, or an *engine.Error for other bytes.
func LoadArchive(archive []byte, formats Formats) (*Mapping, error) {
	f, err := openArchive(archive)
	if err != nil {
		return nil, err
	}
	return compile(f, formats)
}

// loading is a mapping.yaml on its way to being a Mapping.
type loading struct {
	document
	folder folder
	source *source
	tables map[string]*table
	env    *cel.Env
	out    Mapping
	known  []target

	datings []pendingDating
}

func compile(f folder, formats Formats) (*Mapping, error) {
	var problems Problems
	m := &loading{document: document{name: f.at(mappingFile), problems: &problems}, folder: f}
	m.tables = loadTables(f, &problems)
	if top := m.parse(f.files[mappingFile]); top != nil {
		m.read(top, formats)
	}
	m.doubt()
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	m.out.archive = f.archive()
	m.out.digest = engine.Digest(m.out.archive)
	return &m.out, nil
}

func mappingKeys() []string {
	return []string{"supplier", "extends", "emit", "source", "when", "without", "set", "ignore"}
}

func (m *loading) read(top *yaml.Node, formats Formats) {
	keys := m.keys(top, mappingKeys()...)
	b := m.readBase(keys["extends"])
	required := []string{"supplier", "emit", "source", "set"}
	if keys["extends"] != nil {
		required = required[:1]
	}
	for _, key := range required {
		if keys[key] == nil {
			m.fail(top, CodeMissing, "the key %q is missing", key).Why = "it has no default: add a line " + keyAdvice(key, m.folder.dir)
		}
	}
	m.readSupplier(keys["supplier"])
	m.readWithout(keys["without"], b)
	emit, d := m.or(keys, b, "emit")
	m.within(d, func() { m.readEmit(emit) })
	source, d := m.or(keys, b, "source")
	m.within(d, func() { m.readSource(source, formats) })
	if m.source == nil {
		return
	}
	env, err := newEnvironment(m.source)
	if err != nil {
		m.fail(top, CodeExpression, "the fields of the source make no environment for expressions")
		return
	}
	m.env = env
	when, d := m.or(keys, b, "when")
	m.within(d, func() { m.readWhen(when) })
	if (keys["set"] != nil || b != nil) && m.out.emit != "" {
		m.readRules(keyOf(top, "set"), keys["set"], b)
	}
	ignore, d := m.or(keys, b, "ignore")
	m.within(d, func() { m.readIgnored(ignore) })
}

// keyAdvice shows the line that a mapping without a key lacks.
func keyAdvice(key, dir string) string {
	switch key {
	case "supplier":
		return "\"supplier: " + path.Base(dir) + "\", the name of the folder"
	case "emit":
		return "\"emit: flag\"; a mapping emits one of " + strings.Join(emits(), ", ")
	case "source":
		return "\"source: " + sourceFile + "\""
	}
	return "\"set:\" and below it a rule for each target field"
}

func (m *loading) readSupplier(n *yaml.Node) {
	name, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	m.out.supplier = name
	if dir := path.Base(m.folder.dir); m.folder.dir != "" && dir != "." && dir != name {
		p := m.fail(n, CodeSupplier, "the supplier %q is not named like its folder", name)
		p.Suggest = dir
		p.Why = fmt.Sprintf("events, figures and quarantine would speak of two suppliers; if this is a copy to compare with, change nothing in it and keep it under its own name in another folder, such as before/%s", name)
	}
}

func (m *loading) readEmit(n *yaml.Node) {
	word, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	if !contains(emits(), word) {
		m.fail(n, CodeWord, "no event %q: a mapping emits one of %s", word, strings.Join(emits(), ", ")).Suggest = nearest(word, emits())
		return
	}
	m.out.emit = engine.Kind(word)
	m.known = targets(m.out.emit)
}

func (m *loading) readSource(n *yaml.Node, formats Formats) {
	name, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	if name != sourceFile {
		m.fail(n, CodeFile, "the source is always declared in a file named %s, beside this one", sourceFile).Suggest = sourceFile
	}
	file := sourceFile
	if _, own := m.folder.files[file]; !own {
		file = path.Join(baseFolder, sourceFile)
	}
	m.source = loadSource(m.folder, file, formats, m.problems)
	m.out.source = m.source
}

func (m *loading) readWhen(n *yaml.Node) {
	if n == nil {
		return
	}
	m.out.when = m.compileExpression(n)
	if m.out.when != nil && !m.out.when.result.IsExactType(cel.BoolType) {
		m.fail(n, CodeType, "when must be true or false, and this is %s", m.out.when.result)
	}
}

// readIgnored reads the list of what is deliberately not used, each with its reason, and then insists that every declared field is
// either used or in it.
func (m *loading) readIgnored(n *yaml.Node) {
	if n != nil && m.is(n, yaml.SequenceNode, "a list") {
		for _, item := range n.Content {
			m.readIgnore(item)
		}
	}
	if len(*m.problems) > 0 {
		return // a rule that could not be read would make its fields look unused
	}
	for _, f := range m.source.fields {
		if !m.source.used[f.Name] {
			m.source.fail(f.node, CodeUnused, "the field %q is neither used nor ignored", f.Name).Why =
				"what a supplier sends and nobody reads should be a decision: add it to \"ignore\" with its reason, or leave it out here"
		}
	}
}

func (m *loading) readIgnore(n *yaml.Node) {
	keys := m.keys(n, "column", "why")
	name, named := m.scalar(keys["column"])
	why, reasoned := m.scalar(keys["why"])
	switch {
	case keys["column"] == nil || keys["why"] == nil || reasoned && strings.TrimSpace(why) == "":
		m.fail(n, CodeMissing, "an ignored field has a \"column\" and a \"why\"")
	case named && m.source.find(name) == nil:
		p := m.fail(keys["column"], CodeSelector, "no field %q in the source", name)
		p.Suggest = nearest(name, m.source.names())
		m.declaredAt(p)
	case named && m.source.used[name]:
		m.fail(keys["column"], CodeContradicts, "the field %q is used", name)
	}
	if named {
		m.source.used[name] = true
		m.out.ignored = append(m.out.ignored, Ignored{Field: name, Why: why})
	}
}
