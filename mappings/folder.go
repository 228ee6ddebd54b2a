package mappings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"signalbox/engine"
)

// The files of a folder.
const (
	mappingFile = "mapping.yaml"
	sourceFile  = "source.yaml"
	tableFolder = "tables"
	testFolder  = "tests"
)

// maxFile bounds one file of a folder in bytes. Mappings are written by people; a bigger file is a mistake.
const maxFile = 4 << 20

// folder is the text of a mapping's files by their path within the folder: mapping.yaml, source.yaml, tables/<name>.csv.
type folder struct {
	dir   string // path within the file system, for problems; empty for an archive
	base  string // path of the folder that this one extends, in the same way
	files map[string]string

	stored bool // an archive: it was in use once
}

// at returns a file's path as problems print it.
func (f folder) at(file string) string {
	if rest, of := strings.CutPrefix(file, baseFolder+"/"); of && f.base != "" {
		return path.Join(f.base, rest)
	}
	if f.dir == "" || f.dir == "." {
		return file
	}
	return path.Join(f.dir, file)
}

// normalise makes the text that is hashed independent of how a checkout writes its line ends.
func normalise(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// readFolder reads what makes a mapping: not its tests and not its README. Of a folder that extends another, that other's files are read
// too, so that the mapping's archive is whole without it.
func readFolder(fsys fs.FS, dir string) (folder, Problems) {
	f := folder{dir: dir, files: map[string]string{}}
	problems := f.read(fsys, dir, mappingFile, "")
	name, extends := extended(f.files[mappingFile])
	if _, err := fs.Stat(fsys, path.Join(dir, sourceFile)); err == nil || !extends {
		problems = append(problems, f.read(fsys, dir, sourceFile, "")...)
	}
	problems = append(problems, f.readTables(fsys, dir, "")...)
	if !extends || !fs.ValidPath(name) || strings.Contains(name, "/") || name == "." {
		return f, problems
	}
	f.base = path.Join(path.Dir(dir), name)
	if _, err := fs.Stat(fsys, path.Join(f.base, mappingFile)); err != nil {
		fsys, f.base = Embedded(), name // a folder on disk may extend a built-in one
	}
	if _, err := fs.Stat(fsys, path.Join(f.base, mappingFile)); err != nil {
		return f, problems // told where it is said
	}
	problems = append(problems, f.read(fsys, f.base, mappingFile, baseFolder)...)
	if _, heir := extended(f.files[path.Join(baseFolder, mappingFile)]); heir {
		return f, problems // told where it is said
	}
	problems = append(problems, f.read(fsys, f.base, sourceFile, baseFolder)...)
	return f, append(problems, f.readTables(fsys, f.base, baseFolder)...)
}

func (f folder) readTables(fsys fs.FS, dir, under string) (problems Problems) {
	tables, err := fs.ReadDir(fsys, path.Join(dir, tableFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Problems{{File: f.at(tableFolder), Code: CodeFile, Text: "the folder cannot be read"}}
	}
	for _, entry := range tables {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), ".csv") {
			problems = append(problems, f.read(fsys, dir, path.Join(tableFolder, entry.Name()), under)...)
		}
	}
	return problems
}

// read keeps one file of dir under its path within the archive.
func (f folder) read(fsys fs.FS, dir, name, under string) Problems {
	raw, err := fs.ReadFile(fsys, path.Join(dir, name))
	name = path.Join(under, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Problems{{File: f.at(name), Code: CodeFile, Text: "the file is missing"}}
	case err != nil:
		return Problems{{File: f.at(name), Code: CodeFile, Text: "the file cannot be read"}}
	case len(raw) > maxFile:
		return Problems{{File: f.at(name), Code: CodeFile, Text: fmt.Sprintf("the file is larger than %d bytes", maxFile)}}
	}
	text := normalise(string(raw))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	f.files[name] = text
	if len(txtar.Parse([]byte(text)).Files) > 0 {
		return Problems{{File: f.at(name), Code: CodeFile, Text: "a line of the form \"-- name --\" cannot stand in a mapping"}}
	}
	return nil
}

// archive returns the folder as one canonical txtar file, files in order of name.
func (f folder) archive() []byte {
	a := &txtar.Archive{}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(f.files[name])})
	}
	return txtar.Format(a)
}

// openArchive is the inverse of archive. Bytes that archive did not write are refused, so that a digest names one mapping only.
func openArchive(raw []byte) (folder, error) {
	f := folder{files: map[string]string{}, stored: true}
	for _, file := range txtar.Parse(raw).Files {
		f.files[file.Name] = string(file.Data)
	}
	f.base, _ = extended(f.files[mappingFile])
	if string(f.archive()) != string(raw) {
		return f, &engine.Error{Op: "load mapping archive", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: "not an archive that a mapping wrote"}
	}
	return f, nil
}
