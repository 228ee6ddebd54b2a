package oracle

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	annotations "github.com/google/fhir/go/proto/google/fhir/proto/annotations_go_proto"
	bundle "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var update = flag.Bool("update", false, "write ../elements.txt from google/fhir's descriptors")

// TestElementTable checks that fhir/elements.txt is what google/fhir's R4 descriptors say, and rewrites it under -update.
func TestElementTable(t *testing.T) {
	want := elementTable()
	if *update {
		if err := os.WriteFile("../elements.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("../elements.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatal("elements.txt differs from google/fhir's descriptors; run: go test ./fhir/oracle -run TestElementTable -update")
	}
}

// maxEnum is the longest value set that is written where it is used; a longer one has a line of its own.
const maxEnum = 40

// tabler writes one line a type: "Name: element=type[|type...][*][!]", "*" for a list, "!" for a minimum of one. A choice element is written
// with "[x]". An enumeration is written as code{a,b} or, when it is long, as code{%Set} with a line "%Set: a b". Reference(A,B) names the types
// that a reference may lead to; a plain Reference leads anywhere. Resources have an "@" before their name. "$date regex" is a primitive's form.
type tabler struct {
	lines map[string]string
	names map[protoreflect.FullName]string // the path under which a nested type was met first: Parameters.parameter.part is Parameters.parameter
}

func elementTable() string {
	tb := &tabler{lines: map[string]string{}, names: map[protoreflect.FullName]string{}}
	fields := (&bundle.ContainedResource{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		d := fields.Get(i).Message()
		tb.add("@"+string(d.Name()), string(d.Name()), d)
	}
	tb.mend()
	lines := make([]string, 0, len(tb.lines))
	for _, l := range tb.lines {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// mend adds what R4 has and google/fhir v0.7.4 has not: Meta among the types of an extension's value (FHIR R4, "Extensibility", open types).
func (tb *tabler) mend() {
	tb.lines["Extension"] = strings.Replace(tb.lines["Extension"], "|Money|", "|Meta|Money|", 1)
}

func (tb *tabler) add(label, name string, d protoreflect.MessageDescriptor) {
	if _, done := tb.lines[name]; done {
		return
	}
	tb.lines[name] = label
	var parts []string
	fields := d.Fields()
	for i := range fields.Len() {
		if p := tb.element(name, fields.Get(i)); p != "" {
			parts = append(parts, p)
		}
	}
	tb.lines[name] = label + ": " + strings.Join(parts, " ")
}

func (tb *tabler) element(owner string, f protoreflect.FieldDescriptor) string {
	if f.Message() == nil {
		return ""
	}
	name, types := f.JSONName(), ""
	switch {
	case proto.GetExtension(f.Message().Options(), annotations.E_IsChoiceType).(bool):
		name += "[x]"
		var all []string
		for i := range f.Message().Fields().Len() {
			arm := f.Message().Fields().Get(i)
			all = append(all, tb.typeOf(owner+"."+name, arm.Message())+targets(arm, f))
		}
		slices.Sort(all)
		types = strings.Join(slices.Compact(all), "|")
	default:
		types = tb.typeOf(owner+"."+name, f.Message()) + targets(f)
	}
	if f.IsList() {
		types += "*"
	}
	if proto.GetExtension(f.Options(), annotations.E_ValidationRequirement) == annotations.Requirement_REQUIRED_BY_FHIR {
		types += "!"
	}
	return name + "=" + types
}

// targets returns the types that a reference may lead to, in brackets; the annotation stands on the first of the fields that has one.
func targets(fields ...protoreflect.FieldDescriptor) string {
	if fields[0].Message().Name() != "Reference" {
		return ""
	}
	for _, f := range fields {
		if types := proto.GetExtension(f.Options(), annotations.E_ValidReferenceType).([]string); len(types) > 0 {
			if slices.Contains(types, "Resource") {
				return ""
			}
			return "(" + strings.Join(types, ",") + ")"
		}
	}
	return ""
}

// typeOf returns the type's name and makes sure that its own line is in the table.
func (tb *tabler) typeOf(path string, d protoreflect.MessageDescriptor) string {
	switch d.Name() {
	case "Any", "ContainedResource":
		return "Resource"
	case "Xhtml":
		return "xhtml"
	case "ReferenceId":
		return "string"
	}
	kind := proto.GetExtension(d.Options(), annotations.E_StructureDefinitionKind).(annotations.StructureDefinitionKindValue)
	if kind == annotations.StructureDefinitionKindValue_KIND_PRIMITIVE_TYPE || d.Fields().ByName("value") != nil && isCode(d) {
		return tb.primitive(d)
	}
	if _, nested := d.Parent().(protoreflect.MessageDescriptor); nested {
		name, met := tb.names[d.FullName()]
		if !met {
			name = path
			tb.names[d.FullName()] = name
			tb.add(name, name, d)
		}
		return name
	}
	if d.Name() == "Reference" {
		tb.lines["Reference"] = "Reference: id=string extension=Extension* reference=string type=uri identifier=Identifier display=string"
		tb.typeOf(path, d.Fields().ByName("identifier").Message())
		return "Reference"
	}
	tb.add(string(d.Name()), string(d.Name()), d)
	return string(d.Name())
}

func isCode(d protoreflect.MessageDescriptor) bool {
	return proto.GetExtension(d.Options(), annotations.E_FhirValuesetUrl).(string) != "" || strings.HasSuffix(string(d.Name()), "Code")
}

// primitive returns the type's name, with its codes, and makes sure that its regular expression is in the table.
func (tb *tabler) primitive(d protoreflect.MessageDescriptor) string {
	v := d.Fields().ByName("value")
	switch {
	case v != nil && v.Enum() != nil && v.Enum().Values().Len() <= maxEnum:
		return "code{" + strings.Join(enumCodes(v.Enum()), ",") + "}"
	case v != nil && v.Enum() != nil:
		set := strings.TrimSuffix(string(v.Enum().Parent().Name()), "Code")
		tb.lines["%"+set] = "%" + set + ": " + strings.Join(enumCodes(v.Enum()), " ")
		return "code{%" + set + "}"
	case isCode(d):
		return "code"
	}
	n := string(d.Name())
	n = strings.ToLower(n[:1]) + n[1:]
	if form := proto.GetExtension(d.Options(), annotations.E_ValueRegex).(string); form != "" {
		tb.lines["$"+n] = "$" + n + " " + form
	}
	return n
}

func enumCodes(e protoreflect.EnumDescriptor) []string {
	var codes []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if v.Number() == 0 {
			continue
		}
		code := proto.GetExtension(v.Options(), annotations.E_FhirOriginalCode).(string)
		if code == "" {
			code = strings.ReplaceAll(strings.ToLower(string(v.Name())), "_", "-")
		}
		codes = append(codes, code)
	}
	return codes
}
