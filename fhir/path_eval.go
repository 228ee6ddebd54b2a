package fhir

import "strings"

// item is one item of a collection: a node of the document, or a value that an operation made.
type item struct {
	n    *Node
	typ  string // R4 type as far as it is known
	kind Kind
	text string
}

// op is one compiled operation. It appends what it makes of the focus to out. Operations hold no state, so that a Path can be shared.
type op interface {
	eval(in, out []item) []item
}

type (
	thisOp    struct{}
	literalOp item
	stepOp    struct {
		name   string
		choice bool
	}
	indexOp     int
	lastOp      struct{}
	ofTypeOp    string
	extensionOp string // the url
	resolveOp   struct{}
	whereOp     struct{ crit op }
	existsOp    struct{ crit op } // no crit: anything
	emptyOp     struct{}
	notOp       struct{}
	unionOp     struct{ a, b op }
	equalOp     struct {
		a, b op
		not  bool
	}
	logicOp struct {
		and  bool
		a, b op
	}
	seqOp []op
)

func (thisOp) eval(in, out []item) []item { return append(out, in...) }

func (o literalOp) eval(_, out []item) []item { return append(out, item(o)) }

func (o seqOp) eval(in, out []item) []item {
	var a, b [8]item
	from, to := append(a[:0], in...), b[:0]
	for i, step := range o {
		if i == len(o)-1 {
			return step.eval(from, out)
		}
		to = step.eval(from, to[:0])
		from, to = to, from
	}
	return append(out, from...)
}

func (o stepOp) eval(in, out []item) []item {
	for _, it := range in {
		n := it.n
		if n == nil {
			continue
		}
		if n.kind != Object {
			n = shadow(n)
		}
		if n == nil {
			continue
		}
		info := r4().types[it.typ]
		found := false
		for c := n.first; c != nil; c = c.next {
			if typ, ok := o.match(c.name, info); ok {
				out, found = spread(out, c, typ), true
			}
		}
		if !found { // a primitive that has extensions only
			if c := n.Child("_" + o.name); c != nil {
				out = spread(out, c, "")
			}
		}
	}
	return out
}

// match reports whether a key is the step's element, and its type.
func (o stepOp) match(key string, info *typeInfo) (string, bool) {
	if key == o.name && key != "resourceType" {
		if info == nil {
			return "", true
		}
		return info.keys[key].typ, true
	}
	if !o.choice || !strings.HasPrefix(key, o.name) {
		return "", false
	}
	if info != nil {
		p, ok := info.keys[key]
		return p.typ, ok && p.el.choice && p.el.name == o.name && !p.shadow
	}
	p, ok := r4().types["Extension"].keys["value"+key[len(o.name):]]
	return p.typ, ok
}

// spread appends a node, or an array's items, as items of that type.
func spread(out []item, n *Node, typ string) []item {
	if n.kind == Array {
		for c := n.first; c != nil; c = c.next {
			out = append(out, itemOf(c, typ))
		}
		return out
	}
	return append(out, itemOf(n, typ))
}

func itemOf(n *Node, typ string) item {
	if typ == typeResource || typ == "" {
		typ = n.ResourceType()
	}
	return item{n: n, typ: typ, kind: n.kind, text: n.text}
}

func (o indexOp) eval(in, out []item) []item {
	if int(o) < len(in) {
		out = append(out, in[o])
	}
	return out
}

func (lastOp) eval(in, out []item) []item {
	if len(in) > 0 {
		out = append(out, in[len(in)-1])
	}
	return out
}

func (o ofTypeOp) eval(in, out []item) []item {
	for _, it := range in {
		if it.typ == string(o) {
			out = append(out, it)
		}
	}
	return out
}

func (o extensionOp) eval(in, out []item) []item {
	for _, it := range in {
		if url := it.n.Child("url"); url != nil && url.text == string(o) {
			out = append(out, it)
		}
	}
	return out
}

func (resolveOp) eval(in, out []item) []item {
	for _, it := range in {
		ref := it.n
		if ref != nil && ref.kind == Object {
			ref = ref.Child("reference")
		}
		if ref == nil || ref.kind != String {
			continue
		}
		if to := ref.doc.resolve(ref, ref.text); to != nil {
			out = append(out, itemOf(to, ""))
		}
	}
	return out
}

func (o whereOp) eval(in, out []item) []item {
	for i := range in {
		if truth(o.crit, in[i:i+1]) == yes {
			out = append(out, in[i])
		}
	}
	return out
}

func (o existsOp) eval(in, out []item) []item {
	if o.crit == nil {
		return append(out, boolItem(len(in) > 0))
	}
	for i := range in {
		if truth(o.crit, in[i:i+1]) == yes {
			return append(out, boolItem(true))
		}
	}
	return append(out, boolItem(false))
}

func (emptyOp) eval(in, out []item) []item { return append(out, boolItem(len(in) == 0)) }

func (notOp) eval(in, out []item) []item {
	if v := single(in); v != maybe {
		out = append(out, boolItem(v == no))
	}
	return out
}

// eval keeps one copy of a node that both sides find (FHIRPath, union).
func (o unionOp) eval(in, out []item) []item {
	from := len(out)
	out = o.a.eval(in, out)
	var buf [8]item
	seen := make(map[*Node]bool, len(out)-from)
	for _, it := range out[from:] {
		seen[it.n] = it.n != nil
	}
	for _, it := range o.b.eval(in, buf[:0]) {
		if !seen[it.n] {
			out = append(out, it)
		}
	}
	return out
}

func (o equalOp) eval(in, out []item) []item {
	var x, y [4]item
	a, b := o.a.eval(in, x[:0]), o.b.eval(in, y[:0])
	if len(a) == 0 || len(b) == 0 {
		return out
	}
	same := len(a) == len(b)
	for i := 0; same && i < len(a); i++ {
		same = a[i].kind == b[i].kind && a[i].text == b[i].text && a[i].kind != Object
	}
	return append(out, boolItem(same != o.not))
}

func (o logicOp) eval(in, out []item) []item {
	a, b := truth(o.a, in), truth(o.b, in)
	decisive := no
	if !o.and {
		decisive = yes
	}
	switch {
	case a == decisive || b == decisive:
		return append(out, boolItem(decisive == yes))
	case a == maybe || b == maybe:
		return out
	}
	return append(out, boolItem(o.and))
}

// verity is FHIRPath's three-valued logic: an empty collection is neither true nor false.
type verity int

const (
	maybe verity = iota
	no
	yes
)

func truth(o op, in []item) verity {
	var buf [4]item
	return single(o.eval(in, buf[:0]))
}

// single evaluates a collection as one boolean: a single item that is no boolean counts as true.
func single(items []item) verity {
	switch {
	case len(items) != 1:
		return maybe
	case items[0].kind == Bool && items[0].text == "false":
		return no
	}
	return yes
}

func boolItem(v bool) item {
	if v {
		return item{typ: "boolean", kind: Bool, text: "true"}
	}
	return item{typ: "boolean", kind: Bool, text: "false"}
}
