package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/mappings"
)

// Suppliers opens the supplier folders: those of dir, where it is set, go before the built-in ones of the same name.
func Suppliers(dir string) SupplierFolders {
	folders := SupplierFolders{builtIn: mappings.Embedded()}
	if dir != "" {
		folders.own = os.DirFS(dir)
	}
	return folders
}

// SupplierFolders finds a supplier's folder by name.
type SupplierFolders struct{ own, builtIn fs.FS }

// Find returns the file system that holds the supplier's folder.
func (s SupplierFolders) Find(name string) (fs.FS, error) {
	for _, fsys := range []fs.FS{s.own, s.builtIn} {
		if fsys == nil {
			continue
		}
		if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
			return fsys, nil
		}
	}
	return nil, fmt.Errorf("supplier %s: there is no such folder", name)
}

// openMappings loads the mapping of every supplier that the configuration names. A folder that does not lint is refused with all its
// problems.
func openMappings(c Config) (map[string]*mappings.Mapping, error) {
	folders, formats := Suppliers(c.Suppliers), adapters.All()
	loaded := map[string]*mappings.Mapping{}
	var errs []error
	load := func(name string) {
		if _, have := loaded[name]; have || name == "" {
			return
		}
		fsys, err := folders.Find(name)
		if err == nil {
			loaded[name], err = mappings.Load(fsys, name, formats)
		}
		errs = append(errs, err)
	}
	for _, r := range c.Routes {
		load(r.Supplier)
	}
	for _, t := range c.Trusts {
		load(t.Supplier)
		load(t.Transactions)
	}
	return loaded, errors.Join(errs...)
}

// routes makes the pipeline's table of who sends what.
func (c Config) routes(loaded map[string]*mappings.Mapping) (*pipeline.Routes, error) {
	var senders []pipeline.Route
	for i, r := range c.Routes {
		m := loaded[r.Supplier]
		if m.Emit() == engine.KindAccess {
			return nil, fmt.Errorf("routes[%d].supplier: the mapping emits accesses, not an authority's flags", i)
		}
		senders = append(senders, pipeline.Route{
			Name: r.Name, Mailbox: r.Mailbox, Sender: r.Sender, Workflow: r.Workflows.Upload, Supplier: r.Supplier, Mapping: m,
			Party: notify.Party{Authority: engine.Authority(r.Authority), Dialect: notify.Dialect(r.Dialect), Told: notify.Dialect(r.Notifications),
				Urgent: r.Urgent, SystemID: c.SystemID, Sequence: r.Sequence},
			AcknowledgementWorkflow: r.Workflows.Acknowledgement, NotificationWorkflow: r.Workflows.Notification, InactiveWorkflow: r.Workflows.Inactive,
			PatternWorkflow: r.Workflows.Pattern, Compress: r.Compress, Window: time.Duration(r.Window),
			EmptyAfter: time.Duration(r.EmptyAfter), NotProtectedWorkflow: r.Workflows.NotProtected, NotProtectedEvery: time.Duration(r.NotProtected),
			FullRefresh: r.FullRefresh, OnlyHook: c.Subscriptions.onlyHook(r.Authority.ODSCode),
		})
	}
	var trusts []pipeline.Source
	for i, t := range c.Trusts {
		source := pipeline.Source{Name: pipeline.TrustSource(t.Name), Supplier: t.Supplier}
		if t.Supplier != "" {
			m := loaded[t.Supplier]
			if m.Emit() != engine.KindAccess {
				return nil, fmt.Errorf("trusts[%d].supplier: the mapping does not emit accesses", i)
			}
			source.Mapping = m
		}
		if t.Transactions != "" {
			m := loaded[t.Transactions]
			if m.Emit() != engine.KindAccess {
				return nil, fmt.Errorf("trusts[%d].transactions: the mapping does not emit accesses", i)
			}
			source.TransactionSupplier, source.TransactionMapping = t.Transactions, m
		}
		trusts = append(trusts, source)
	}
	return pipeline.NewRoutes(senders, trusts)
}
