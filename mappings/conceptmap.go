package mappings

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"signalbox/engine"
)

// conceptMap is the part of FHIR R4's ConceptMap that a code table fills.
type conceptMap struct {
	ResourceType string         `json:"resourceType"`
	Name         string         `json:"name"`
	Status       string         `json:"status"`
	Description  string         `json:"description,omitempty"`
	Group        []conceptGroup `json:"group,omitempty"`
}

type conceptGroup struct {
	Element []conceptElement `json:"element"`
}

type conceptElement struct {
	Code   string          `json:"code"`
	Target []conceptTarget `json:"target"`
}

type conceptTarget struct {
	Code        string      `json:"code"`
	Equivalence string      `json:"equivalence"`
	Comment     string      `json:"comment,omitempty"`
	DependsOn   []dependsOn `json:"dependsOn,omitempty"`
}

type dependsOn struct {
	Property string `json:"property"`
	Value    string `json:"value"`
}

// The properties under which days of validity travel: FHIR has no place of its own for them in a ConceptMap.
const (
	validFrom = "urn:signalbox:valid-from"
	validTo   = "urn:signalbox:valid-to"
)

// ExportTable writes a code table of a folder as a FHIR R4 ConceptMap, for tools that edit those.
func ExportTable(fsys fs.FS, dir, name string) ([]byte, error) {
	f, problems := readFolder(fsys, dir)
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	t := loadTables(f, &problems)[name]
	if t == nil {
		return nil, fmt.Errorf("export table: no table %q in %s", name, dir)
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	out := conceptMap{ResourceType: "ConceptMap", Name: name, Status: "active", Description: "Code table " + name + " of " + path.Base(dir)}
	var elements []conceptElement
	for _, r := range t.rows {
		target := conceptTarget{Code: r.target, Equivalence: "equivalent", Comment: r.note}
		for _, day := range []dependsOn{{validFrom, r.from.ISO()}, {validTo, r.until.ISO()}} {
			if day.Value != "" {
				target.DependsOn = append(target.DependsOn, day)
			}
		}
		at := slices.IndexFunc(elements, func(e conceptElement) bool { return e.Code == r.source })
		if at < 0 {
			at = len(elements)
			elements = append(elements, conceptElement{Code: r.source})
		}
		elements[at].Target = append(elements[at].Target, target)
	}
	if len(elements) > 0 {
		out.Group = []conceptGroup{{Element: elements}}
	}
	var b bytes.Buffer
	err := encodeJSON(&b, out)
	return b.Bytes(), err
}

// ImportTable makes the CSV text of a code table of a FHIR R4 ConceptMap. What a table cannot say is refused and not dropped: a target that
// is not equal or equivalent, a source without target, a dependency other than days of validity.
func ImportTable(raw []byte) ([]byte, error) {
	fail := func(text string) ([]byte, error) {
		return nil, &engine.Error{Op: "import table", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: text}
	}
	var in conceptMap
	if err := json.Unmarshal(raw, &in); err != nil || in.ResourceType != "ConceptMap" {
		return fail("the file is no FHIR ConceptMap in JSON")
	}
	rows := [][]string{tableHeader()}
	dated := false
	for _, group := range in.Group {
		for _, element := range group.Element {
			if len(element.Target) == 0 {
				return fail("a source has no target: a code table lists only what is mapped")
			}
			for _, target := range element.Target {
				if target.Equivalence != "equivalent" && target.Equivalence != "equal" {
					return fail("a target is not equal or equivalent to its source")
				}
				row := []string{element.Code, target.Code, target.Comment, "", ""}
				for _, d := range target.DependsOn {
					switch d.Property {
					case validFrom:
						row[3] = d.Value
					case validTo:
						row[4] = d.Value
					default:
						return fail("a target depends on something other than the days of its validity")
					}
					dated = true
				}
				rows = append(rows, row)
			}
		}
	}
	return writeTable(rows, dated)
}

// writeTable writes rows, without the days where none has any, and holds the result against the rules of a table.
func writeTable(rows [][]string, dated bool) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		if !dated {
			row = row[:3]
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	var problems Problems
	loadTable("import", "imported table", b.String(), &problems)
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	return b.Bytes(), w.Error()
}
