package pipeline

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/fhir/api"
)

// Route says how one local authority's files are read and what goes back to it.
type Route struct {
	Name     string // for logs: the authority's name in the configuration
	Mailbox  string // ours, where its files arrive and from which it is written to
	Sender   string // its mailbox
	Workflow string // MESH workflow id of its uploads
	Supplier string // name of the mapping folder
	Mapping  Mapping
	Party    notify.Party

	AcknowledgementWorkflow string
	NotificationWorkflow    string
	InactiveWorkflow        string        // of what tells of inactive NHS numbers; empty: the authority is not told, and the task is all
	Compress                bool          // gzip on the way; not every receiver expects it
	FullRefresh             bool          // each file names every child that shall stand: those absent are told, and stay
	OnlyHook                bool          // while its subscription is in error its notifications wait, and do not go over MESH
	Window                  time.Duration // accesses are gathered for so long before a notification is sent; not for an urgent party
	EmptyAfter              time.Duration // an empty notification is sent when nothing was told for so long; 0: never

	PatternWorkflow      string // of what tells of children who were seen across boundaries; empty: the authority is not told
	NotProtectedWorkflow string
	NotProtectedEvery    time.Duration // between two lists of the children who are not protected; 0: no list
}

// Source is one trust whose FHIR messages are translated, and whose transactions and batches.
type Source struct {
	Name     string // the source of its messages, "fhir/<name>"
	Supplier string
	Mapping  Mapping

	TransactionSupplier string
	TransactionMapping  Mapping
}

// of returns the mapping of what the source sent and its folder's name; the mapping is nil when there is none.
func (s Source) of(m engine.Message) (Mapping, string) {
	if m.WorkflowID == api.WorkflowTransaction {
		return s.TransactionMapping, s.TransactionSupplier
	}
	return s.Mapping, s.Supplier
}

// Routes finds the mapping and the authority for a message. It is safe for concurrent use; a mapping in it can be replaced while it is used.
type Routes struct {
	current atomic.Pointer[table]
	replace sync.Mutex // one replacement at a time
}

// table is what Routes says at one moment. It never changes.
type table struct {
	senders   []Route
	trusts    map[string]Source
	authority map[string]int // ODS code -> index into senders
}

// NewRoutes returns the table. Two routes for one sender and workflow, or for one authority, are refused.
func NewRoutes(senders []Route, trusts []Source) (*Routes, error) {
	r := &table{senders: senders, trusts: map[string]Source{}, authority: map[string]int{}}
	for i, a := range senders {
		if _, twice := r.authority[a.Party.Authority.ODSCode]; twice {
			return nil, fmt.Errorf("route %s: another route has the same authority", a.Name)
		}
		r.authority[a.Party.Authority.ODSCode] = i
		for _, b := range senders[:i] {
			if a.Mailbox == b.Mailbox && a.Sender == b.Sender && a.Workflow == b.Workflow {
				return nil, fmt.Errorf("route %s: route %s has the same mailbox, sender and workflow", a.Name, b.Name)
			}
		}
	}
	for _, t := range trusts {
		if _, twice := r.trusts[t.Name]; twice {
			return nil, fmt.Errorf("trust %s: is named twice", t.Name)
		}
		r.trusts[t.Name] = t
	}
	routes := &Routes{}
	routes.current.Store(r)
	return routes, nil
}

// Replace puts another mapping in the place of a supplier's, for every route and trust that names its folder, at once: a message is translated wholly by
// the one or wholly by the other. It reports whether any route names the folder.
func (r *Routes) Replace(supplier string, m Mapping) bool {
	r.replace.Lock()
	defer r.replace.Unlock()
	old, found := r.current.Load(), false
	next := &table{senders: slices.Clone(old.senders), trusts: maps.Clone(old.trusts), authority: old.authority}
	for i := range next.senders {
		if next.senders[i].Supplier == supplier {
			next.senders[i].Mapping, found = m, true
		}
	}
	for name, t := range next.trusts {
		if t.Supplier == supplier && t.Mapping != nil {
			t.Mapping, found = m, true
		}
		if t.TransactionSupplier == supplier && t.TransactionMapping != nil {
			t.TransactionMapping, found = m, true
		}
		next.trusts[name] = t
	}
	r.current.Store(next)
	return found
}

// MeshSource names where a MESH message came in.
func MeshSource(mailbox, sender string) string { return "mesh/" + mailbox + "/" + sender }

// sender finds the route of a message that came through MESH.
func (r *Routes) sender(m engine.Message) (Route, bool) {
	for _, a := range r.current.Load().senders {
		if m.Source == MeshSource(a.Mailbox, a.Sender) && m.WorkflowID == a.Workflow {
			return a, true
		}
	}
	return Route{}, false
}

// Mapping finds the mapping of a message, whichever way it came.
func (r *Routes) Mapping(m engine.Message) (Mapping, bool) {
	if a, ok := r.sender(m); ok {
		return a.Mapping, true
	}
	mapping, _ := r.current.Load().trusts[m.Source].of(m)
	return mapping, mapping != nil
}

// Supplier names the folder of a message's mapping; empty when there is none.
func (r *Routes) Supplier(m engine.Message) string {
	if a, ok := r.sender(m); ok {
		return a.Supplier
	}
	_, supplier := r.current.Load().trusts[m.Source].of(m)
	return supplier
}

// Translate runs a message through a mapping and holds what comes out to the rules of the road that it came by: a mailbox speaks for its own
// authority, and a sender's access ids are its own.
func (r *Routes) Translate(m engine.Message, with Mapping) []engine.Translated {
	return slices.Collect(r.translate(m, with))
}

// translate is Translate a record at a time: what comes of a file need not be in memory as a whole.
func (r *Routes) translate(m engine.Message, with Mapping) iter.Seq[engine.Translated] {
	route, sent := r.sender(m)
	return func(yield func(engine.Translated) bool) {
		pieces := &spans{message: m}
		defer pieces.close()
		for t := range with.Translate(m) {
			if sent {
				t = sentBy(heldToAuthority(t, route.Party.Authority.ODSCode), route.Party.Authority.ODSCode, pieces)
			}
			scopeAccess(t, m.Source)
			if !yield(t) {
				return
			}
		}
	}
}

// Source names where an authority's files come in; ok is false when no route is the authority's.
func (r *Routes) Source(odsCode string) (source string, ok bool) {
	route, ok := r.responsible(odsCode)
	return MeshSource(route.Mailbox, route.Sender), ok
}

// responsible finds the route of an authority by its ODS code.
func (r *Routes) responsible(odsCode string) (Route, bool) {
	t := r.current.Load()
	i, ok := t.authority[odsCode]
	if !ok {
		return Route{}, false
	}
	return t.senders[i], true
}

// mappings returns every mapping in use by the name of its folder.
func (r *Routes) mappings() map[string]Mapping {
	all := map[string]Mapping{}
	t := r.current.Load()
	for _, a := range t.senders {
		all[a.Supplier] = a.Mapping
	}
	for _, t := range t.trusts {
		if t.Mapping != nil {
			all[t.Supplier] = t.Mapping
		}
		if t.TransactionMapping != nil {
			all[t.TransactionSupplier] = t.TransactionMapping
		}
	}
	return all
}
