package fhir

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:generate go test ./oracle -run TestElementTable -update

//go:embed elements.txt
var elementText string

// element is one element of a type, as R4 defines it.
type element struct {
	name     string   // without [x]
	types    []string // one, unless it is a choice
	codes    []string // the required value set, where R4 closes it
	targets  []string // the types that a reference may lead to; none means any
	order    int      // place within its type, which XML has to keep to
	choice   bool     // value[x]
	list     bool     // max is more than one
	required bool     // min is one
	attr     bool     // an attribute in XML, and without extensions: the id of an element, the url of an extension
}

// property is what a JSON key of an object means.
type property struct {
	el     *element
	typ    string     // the type that the key stands for: string for valueString
	form   *primitive // how its values are written, for a primitive
	shadow bool       // _birthDate: id and extensions of a primitive
}

// typeInfo is one type: a resource, a datatype, or a nested element such as Bundle.entry.
type typeInfo struct {
	name     string
	resource bool
	elements []*element
	keys     map[string]property
	required uint64 // a bit for each element, by order, that must be there
}

// elementTable is all of R4. It never changes once it is loaded.
type elementTable struct {
	types     map[string]*typeInfo
	resources []string            // sorted
	names     map[string]string   // every JSON key of R4, to itself
	shadows   map[string]string   // birthDate to _birthDate
	sets      map[string][]string // value sets that are too long to stand with their element
	forms     map[string]string   // the regular expression of each primitive
}

var r4 = sync.OnceValue(loadElements)

// Types that the reader knows by name.
const (
	typeResource  = "Resource" // any resource
	typeReference = "Reference"
	typeElement   = "Element" // id and extensions, which is all that a primitive has beside its value
	typeExtension = "Extension"
	typeXHTML     = "xhtml" // Narrative.div: the one primitive that is text with markup

	// typeElementDefinition has ids that stand in a snapshot and in a differential alike: HL7's own StructureDefinitions repeat them.
	typeElementDefinition = "ElementDefinition"
)

// modifierExtension is the member whose extensions change what their element means.
const modifierExtension = "modifierExtension"

func loadElements() *elementTable {
	t := &elementTable{
		types: map[string]*typeInfo{}, names: map[string]string{"resourceType": "resourceType"},
		shadows: map[string]string{}, sets: map[string][]string{}, forms: map[string]string{},
	}
	for line := range strings.Lines(elementText) {
		line = strings.TrimSuffix(line, "\n")
		switch line[0] {
		case '$':
			name, form, _ := strings.Cut(line[1:], " ")
			t.forms[name] = form
		case '%':
			name, codes, _ := strings.Cut(line[1:], ":")
			t.sets[name] = strings.Fields(codes)
		default:
			t.addType(line)
		}
	}
	t.addType(typeElement + ": id=string extension=Extension*")
	slices.Sort(t.resources)
	return t
}

// addType reads one type's line. Value sets stand before the types in the table.
func (t *elementTable) addType(line string) {
	name, rest, _ := strings.Cut(line, ":")
	info := &typeInfo{keys: map[string]property{}}
	info.name, info.resource = strings.CutPrefix(name, "@")
	for _, field := range strings.Fields(rest) {
		el := t.parseElement(field)
		el.attr = !info.resource && el.name == "id" || info.name == typeExtension && el.name == "url"
		info.add(el)
	}
	for key := range info.keys {
		t.names[key] = key
		if plain, ok := strings.CutPrefix(key, "_"); ok {
			t.shadows[plain] = key
		}
	}
	t.types[info.name] = info
	if info.resource {
		t.resources = append(t.resources, info.name)
	}
}

// parseElement reads one field of the table: "status=code{planned,arrived}!", "subject=Reference(Patient,Group)", "value[x]=string|Quantity".
func (t *elementTable) parseElement(field string) *element {
	name, spec, _ := strings.Cut(field, "=")
	el := &element{}
	el.name, el.choice = strings.CutSuffix(name, "[x]")
	spec, el.required = strings.CutSuffix(spec, "!")
	spec, el.list = strings.CutSuffix(spec, "*")
	if open := strings.IndexByte(spec, '{'); open >= 0 && !el.choice {
		el.codes = strings.Split(strings.TrimSuffix(spec[open+1:], "}"), ",")
		if set, long := strings.CutPrefix(el.codes[0], "%"); long {
			el.codes = t.sets[set]
		}
		spec = spec[:open]
	}
	el.types = strings.Split(spec, "|")
	for i, typ := range el.types {
		if plain, targets, ok := strings.Cut(typ, "("); ok {
			el.types[i], el.targets = plain, strings.Split(strings.TrimSuffix(targets, ")"), ",")
		}
	}
	return el
}

func (i *typeInfo) add(el *element) {
	el.order = len(i.elements)
	i.elements = append(i.elements, el)
	if el.required {
		i.required |= 1 << el.order
	}
	for _, typ := range el.types {
		key := el.name
		if el.choice {
			key += choiceSuffix(typ)
		}
		i.keys[key] = property{el: el, typ: typ, form: primitives()[typ]}
		if isPrimitive(typ) && !el.attr && typ != typeXHTML {
			i.keys["_"+key] = property{el: el, typ: typeElement, shadow: true}
		}
	}
}

// choiceSuffix is what a choice's key ends with for a type. R4 names it by the type that a profiled type is based on.
func choiceSuffix(typ string) string {
	switch typ {
	case "SimpleQuantity", "MoneyQuantity":
		return "Quantity"
	}
	return strings.ToUpper(typ[:1]) + typ[1:]
}

// isPrimitive reports whether a type's JSON form is a string, number or boolean: R4 writes those types with a small letter.
func isPrimitive(typ string) bool {
	return typ != "" && typ[0] >= 'a' && typ[0] <= 'z'
}

// known returns the key itself where R4 knows it, without allocating.
func (t *elementTable) known(key []byte) (string, bool) {
	name, ok := t.names[string(key)]
	return name, ok
}

// nearest returns the candidate that is closest to the name by edit distance, or nothing when none is close.
func nearest(name string, candidates []string) string {
	best, bestCost := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if cost := editDistance(strings.ToLower(name), strings.ToLower(c), bestCost); cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours, and gives up at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 64 {
		return limit
	}
	var before, prev []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row = prev, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
