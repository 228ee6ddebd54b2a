package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Load adds the profiles of a text to the set and returns the larger set; a profile with a canonical URL that is there already is an error, as is
// an element that R4 does not have. The language is described in the README of this package. Errors name the line.
func (p *Profiles) Load(text string) (*Profiles, error) {
	out, err := p.load(text)
	if err == nil {
		err = out.link()
	}
	if err != nil {
		return nil, fmt.Errorf("fhir: load profiles: %w", err)
	}
	return out, nil
}

func (p *Profiles) load(text string) (*Profiles, error) {
	out := &Profiles{byURL: map[string]*Profile{}, urls: append([]string(nil), p.urls...), extensions: map[string]*Profile{}}
	maps.Copy(out.byURL, p.byURL)
	maps.Copy(out.extensions, p.extensions)
	var errs []error
	var at *Profile
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		var err error
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case word == "profile":
			at, err = out.header(rest)
		case word == "extension" && isDefinition(rest):
			at, err = out.extension(rest)
		case at == nil:
			err = errors.New("a constraint stands before the first profile")
		default:
			err = at.constrain(line)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
		}
	}
	return out, errors.Join(errs...)
}

// header reads "URL|VERSION TYPE".
func (p *Profiles) header(line string) (*Profile, error) {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return &Profile{}, errors.New("a profile needs its canonical URL with a version, and its type: profile URL|VERSION TYPE")
	}
	out := &Profile{Type: fields[1]}
	out.URL, out.Version, _ = strings.Cut(fields[0], "|")
	switch {
	case safeType(out.Type) == "":
		return out, fmt.Errorf("R4 has no resource of that name%s", hint(nearest(out.Type, r4().resources)))
	case out.Version == "" || !formURI(out.URL):
		return out, errors.New("the canonical URL needs a version: URL|VERSION")
	case p.byURL[out.URL] != nil:
		return out, errors.New("the profile is there already")
	}
	p.byURL[out.URL] = out
	p.urls = append(p.urls, out.URL)
	return out, nil
}

func hint(name string) string {
	if name == "" {
		return ""
	}
	return ", did you mean " + name + "?"
}

// constrain reads "PATH [MIN..MAX] [key=value]...".
func (p *Profile) constrain(line string) error {
	fields, err := splitFields(line)
	if err != nil {
		return err
	}
	r, info, typ, err := p.place(fields[0])
	if err != nil {
		return err
	}
	for _, field := range fields[1:] {
		switch key, value, ok := strings.Cut(field, "="); {
		case !ok:
			err = r.cardinality(field)
		case key == "types":
			typ, err = r.chooses(value)
		default:
			err = r.set(key, value, typ)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", fields[0], err)
		}
	}
	if r.slice != "" && len(r.by) == 0 {
		return fmt.Errorf("%s: a slice says first how it is told from others: slice=PATH:\"VALUE\"", fields[0])
	}
	if len(r.by) > 0 && r.by[0] != discriminateType && info != nil {
		return info.reach(r.by)
	}
	return nil
}

// splitFields splits at spaces outside of quotes.
func splitFields(line string) ([]string, error) {
	quoted, escaped := false, false
	fields := strings.FieldsFunc(line, func(c rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		return !quoted && (c == ' ' || c == '\t')
	})
	if quoted || len(fields) == 0 {
		return nil, errors.New("a quotation mark is not closed")
	}
	return fields, nil
}

// place finds or makes the rule for a path, and the type of the element there.
func (p *Profile) place(path string) (*rule, *typeInfo, string, error) {
	info, rules, typ := r4().types[p.Type], &p.rules, ""
	var at *rule
	for step := range strings.SplitSeq(path, ".") {
		name, slice, _ := strings.Cut(step, ":")
		if at != nil && at.slice != "" && len(at.by) == 0 {
			return nil, nil, "", fmt.Errorf("%s: a line before this one says how the slice is told from others", path)
		}
		if info == nil {
			return nil, nil, "", fmt.Errorf("%s: %q stands within a primitive or any resource", path, name)
		}
		el := info.element(name)
		if el == nil {
			return nil, nil, "", fmt.Errorf("%s: %s has no element %q%s", path, info.name, name, hint(nearest(name, info.names())))
		}
		at = nil
		for _, r := range *rules {
			if r.name == name && r.slice == slice {
				at = r
			}
		}
		if at == nil {
			at = &rule{name: name, slice: slice, el: el, max: -1}
			*rules = append(*rules, at)
		}
		typ = el.types[0]
		if el.choice {
			typ = at.only()
		}
		info, rules = r4().types[typ], &at.rules
	}
	return at, info, typ, nil
}

// element returns the element of a type by its name, without [x].
func (i *typeInfo) element(name string) *element {
	for _, el := range i.elements {
		if el.name == name {
			return el
		}
	}
	return nil
}

// reach checks that a discriminator's path is one of the type.
func (i *typeInfo) reach(path []string) error {
	for _, name := range path {
		if i == nil || i.element(name) == nil {
			return fmt.Errorf("slice: there is no element %q to tell the slice by", name)
		}
		i = r4().types[i.element(name).types[0]]
	}
	return nil
}

// cardinality reads "1..", "..1", "0..1", "1..*".
func (r *rule) cardinality(field string) error {
	low, high, ok := strings.Cut(field, "..")
	if !ok {
		return errors.New("a word that is neither MIN..MAX nor key=value")
	}
	var err error
	if low != "" {
		if r.min, err = strconv.Atoi(low); err != nil || r.min < 0 {
			return errors.New("the minimum is not a number")
		}
	}
	if high != "" && high != "*" {
		if r.max, err = strconv.Atoi(high); err != nil || r.max < 0 || r.max < r.min {
			return errors.New("the maximum is not a number from the minimum on, or *")
		}
	}
	return nil
}

// set reads one key=value. typ is the type of the element, or nothing for a choice.
func (r *rule) set(key, value, typ string) error {
	var err error
	switch key {
	case "slices":
		if r.closed = value == "closed"; !r.closed || r.slice != "" {
			return errors.New("slices=closed stands on the element of which there are slices")
		}
	case "slice":
		path, quoted, _ := strings.Cut(value, ":")
		r.by = strings.Split(path, ".")
		if r.value, err = strconv.Unquote(quoted); err != nil || r.value == "" || path == "" {
			return errors.New(`slice is written slice=PATH:"VALUE"`)
		}
	case "fixed":
		if r.fixed, err = strconv.Unquote(value); err != nil || r.fixed == "" {
			return errors.New(`fixed is written fixed="VALUE"`)
		}
		if !isPrimitive(typ) {
			return errors.New("fixed is for primitives; use pattern")
		}
	case "pattern":
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		if err = d.Decode(&r.pattern); err != nil || r.pattern == nil || d.More() {
			return errors.New("pattern is one JSON value without spaces outside of quotes")
		}
	case "codes":
		list := value
		if system, codes, ok := cutLast(value, "|"); ok {
			r.system, list = system, codes
		}
		r.codes = strings.Split(list, ",")
	case "targets":
		r.targets = strings.Split(value, ",")
		for _, t := range r.targets {
			if safeType(t) == "" || typ != typeReference {
				return errors.New("targets names R4 resources, for a reference")
			}
		}
	case "profile":
		r.profile = value
	default:
		return errors.New("a key that is none of slice, slices, types, fixed, pattern, codes, targets, profile")
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if at := strings.LastIndex(s, sep); at >= 0 {
		return s[:at], s[at+len(sep):], true
	}
	return s, "", false
}

// link finds the profiles that rules lead to.
func (p *Profiles) link() error {
	var errs []error
	for _, url := range p.urls {
		errs = append(errs, p.linkRules(p.byURL[url].rules))
	}
	for _, url := range slices.Sorted(maps.Keys(p.extensions)) {
		errs = append(errs, p.linkRules(p.extensions[url].rules))
	}
	return errors.Join(errs...)
}

func (p *Profiles) linkRules(rules []*rule) error {
	for _, r := range rules {
		if r.profile != "" && r.nested == nil { // a profile that is linked already may be in use
			if r.nested = p.Find(r.profile); r.nested == nil {
				return fmt.Errorf("%s: its profile is not among those that are loaded", r.label())
			}
		}
		if r.closed && !slices.ContainsFunc(rules, func(o *rule) bool { return o.name == r.name && o.slice != "" }) {
			return fmt.Errorf("%s: it is closed, and no slice of it follows", r.label())
		}
		if err := p.linkRules(r.rules); err != nil {
			return err
		}
	}
	return nil
}
