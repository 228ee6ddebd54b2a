package mappings_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"signalbox/adapters"
	"signalbox/mappings"
)

func compileSchema(t *testing.T, raw []byte, err error) *jsonschema.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid reads YAML as an editor does and holds it against a schema.
func valid(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// TestSchemas holds every supplier's files against the general schemas and against its own: what lint accepts an editor accepts, and what an
// editor can find it finds.
func TestSchemas(t *testing.T) {
	raw, err := mappings.MappingSchema(nil)
	general := compileSchema(t, raw, err)
	raw, err = mappings.SourceSchema(adapters.All().Formats())
	source := compileSchema(t, raw, err)
	dirs, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		m, err := mappings.Load(mappings.Embedded(), dir.Name(), adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := mappings.MappingSchema(m)
		own := compileSchema(t, raw, err)
		text, err := fs.ReadFile(mappings.Embedded(), dir.Name()+"/mapping.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*jsonschema.Schema{"general": general, "own": own} {
			if err := valid(t, s, text); err != nil {
				t.Errorf("%s: the %s schema refuses its mapping: %v", dir.Name(), name, err)
			}
		}
		if text, err := fs.ReadFile(mappings.Embedded(), dir.Name()+"/source.yaml"); err == nil {
			if err := valid(t, source, text); err != nil {
				t.Errorf("%s: the schema refuses its source: %v", dir.Name(), err)
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	raw, err := mappings.MappingSchema(northshire(t))
	own := compileSchema(t, raw, err)
	raw, err = mappings.SourceSchema(adapters.All().Formats())
	source := compileSchema(t, raw, err)
	folder := copyOf(t, model)
	mapping, declared := string(folder[model+"/mapping.yaml"].Data), string(folder[model+"/source.yaml"].Data)
	for _, change := range []string{"emit: flag => emit: flags", "plan.start: => plan.strat:", "else: reject => else: rejects", "table: plan-type => table: plan-typ",
		"as: nhsNumber => as: nhsNo", "column: worker_name => column: worker", "optional: true => optional: yes please", "const: => konst:",
		"table: plan-type => table: plan-type, at: plan_cat", "table: plan-type => table: plan-type, at: localId"} {
		old, bad, _ := strings.Cut(change, " => ")
		if err := valid(t, own, []byte(strings.Replace(mapping, old, bad, 1))); err == nil {
			t.Errorf("%s is let through", change)
		}
	}
	for _, day := range []string{"start_dt", "plan.start"} {
		if err := valid(t, own, []byte(strings.Replace(mapping, "table: plan-type", "table: plan-type, at: "+day, 1))); err != nil {
			t.Errorf("at: %s is refused: %v", day, err)
		}
	}
	for _, change := range []string{"format: csv => format: cvs", "type: date => type: day", "name: nhs_no => nam: nhs_no", "name: dob => name: d-o-b"} {
		old, bad, _ := strings.Cut(change, " => ")
		if err := valid(t, source, []byte(strings.Replace(declared, old, bad, 1))); err == nil {
			t.Errorf("%s is let through", change)
		}
	}
}
