package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Revocation says which lists of revoked certificates (RFC 5280 section 5) are read.
type Revocation struct {
	Files []string // each holds one list in DER, or several in PEM; empty: certificates are not held against lists
	// AcceptStale lets a certificate in whose issuer has no list that holds now: there is none, or its next was due. One that stands on an
	// old list is refused all the same.
	AcceptStale bool
	Every       time.Duration // the files are looked at so often, and read when they have changed
}

// revocations holds the lists of the files. They are read by whoever notices that a file has changed: there is no goroutine.
type revocations struct {
	Revocation
	leeway  time.Duration
	now     func() time.Time
	warn    func(text string, err error)
	current atomic.Pointer[lists]

	looking sync.Mutex
	looked  time.Time // under looking
	seen    string    // stamp of the files at the last look, under looking
	old     bool      // it was told that a list is old, under looking
}

// lists is what was read at one time. It is never changed.
type lists struct{ by map[string][]*list } // by the issuer's name in DER

// list is one list, its entries as a set.
type list struct {
	*x509.RevocationList
	serials map[string]struct{}
	signed  sync.Map // digest of an authority's certificate -> whether it signed the list
}

// newRevocations reads the lists; nil when none are configured.
func newRevocations(cfg Config, now func() time.Time, warn func(string, error)) (*revocations, error) {
	if len(cfg.Revocation.Files) == 0 {
		return nil, nil
	}
	r := &revocations{Revocation: cfg.Revocation, leeway: cfg.Leeway, now: now, warn: warn}
	r.looked, r.seen = now(), r.stamp()
	read, err := r.read()
	if err != nil {
		return nil, err
	}
	r.current.Store(read)
	return r, nil
}

// lists returns the newest lists. When the files have changed it reads them; while one caller does, the others go on with the lists in hand.
func (r *revocations) lists() *lists {
	if r == nil {
		return nil
	}
	if r.looking.TryLock() {
		defer r.looking.Unlock()
		if now := r.now(); now.Sub(r.looked) >= r.Every {
			r.looked = now
			r.look()
		}
	}
	return r.current.Load()
}

// look reads the files when they have changed. What cannot be read leaves the lists as they were, until they are too old.
func (r *revocations) look() {
	if stamp := r.stamp(); stamp != r.seen {
		read, err := r.read()
		if err != nil {
			r.warn("changed lists cannot be read: those in hand stay in use until their next ones are due", err)
			r.seen = "" // the next look tries again
		} else {
			r.seen, r.old = stamp, false
			r.current.Store(read)
		}
	}
	if !r.old && r.current.Load().stale(r.now()) {
		r.old = true
		r.warn("a list is not the newest any more", errors.New("identity: revocation: its next one was due (nextUpdate)"))
	}
}

// stamp changes when a file does.
func (r *revocations) stamp() string {
	var out bytes.Buffer
	for _, path := range r.Files {
		info, err := os.Stat(path)
		if err != nil {
			out.WriteString("away;")
			continue
		}
		fmt.Fprintf(&out, "%d %d;", info.Size(), info.ModTime().UnixNano())
	}
	return out.String()
}

func (r *revocations) read() (*lists, error) {
	out := &lists{by: map[string][]*list{}}
	var errs []error
	for i, path := range r.Files {
		raw, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("identity: revocation: file %d: cannot be read", i+1))
			continue
		}
		found, err := parseLists(raw)
		if err != nil {
			errs = append(errs, fmt.Errorf("identity: revocation: file %d: %w", i+1, err))
			continue
		}
		for _, l := range found {
			out.by[string(l.RawIssuer)] = append(out.by[string(l.RawIssuer)], l)
		}
	}
	return out, errors.Join(errs...)
}

// ParseRevocations checks a file of lists of revoked certificates and returns how many it holds.
func ParseRevocations(raw []byte) (int, error) {
	found, err := parseLists(raw)
	return len(found), err
}

// maxListBytes bounds a file: a list of a million certificates is some 40 MB.
const maxListBytes = 64 << 20

func parseLists(raw []byte) ([]*list, error) {
	if len(raw) > maxListBytes {
		return nil, errors.New("is over 64 MiB")
	}
	var ders [][]byte
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "X509 CRL" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		ders = [][]byte{raw}
	}
	var out []*list
	for i, der := range ders {
		l, err := parseList(der)
		if err != nil {
			return nil, fmt.Errorf("list %d: %w", i+1, err)
		}
		out = append(out, l)
	}
	return out, nil
}

func parseList(der []byte) (*list, error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, errors.New("is no list of revoked certificates (X.509 CRL) in PEM (BEGIN X509 CRL) or DER")
	}
	if crl.NextUpdate.IsZero() {
		return nil, errors.New("does not say when the next one is due (nextUpdate): how long it holds cannot be known")
	}
	// A list must not be used by whoever does not understand what is critical in it (RFC 5280 section 5.2): delta lists, indirect lists and
	// lists of a part of an authority's certificates.
	for _, e := range crl.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("has the critical extension %s: delta, indirect and partitioned lists are not read, ask the authority for its full one", e.Id)
		}
	}
	out := &list{RevocationList: crl, serials: make(map[string]struct{}, len(crl.RevokedCertificateEntries))}
	for _, entry := range crl.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical {
				return nil, fmt.Errorf("an entry has the critical extension %s: indirect lists are not read", e.Id)
			}
		}
		out.serials[string(entry.SerialNumber.Bytes())] = struct{}{}
	}
	crl.RevokedCertificateEntries = nil
	return out, nil
}

// stale reports whether a list's next one was due.
func (ls *lists) stale(now time.Time) bool {
	for _, all := range ls.by {
		for _, l := range all {
			if now.After(l.NextUpdate) {
				return true
			}
		}
	}
	return false
}

// check holds the chains against the lists. One good chain is enough. Until is when the answer has to be looked at again.
func (r *revocations) check(ls *lists, chains [][]*x509.Certificate, now time.Time) (until time.Time, refused Reason) {
	for _, chain := range chains {
		until, refused = time.Time{}, ""
		for i := 0; i+1 < len(chain) && refused == ""; i++ { // not the authority at its end, which nobody revokes
			var holds time.Time
			if holds, refused = r.one(ls, chain[i], chain[i+1], now); refused == "" && !holds.IsZero() && (until.IsZero() || holds.Before(until)) {
				until = holds
			}
		}
		if refused == "" {
			return until, ""
		}
	}
	return time.Time{}, refused
}

// one holds one certificate against its issuer's newest list. The time is zero when the lists say nothing of it and that is accepted.
func (r *revocations) one(ls *lists, cert, issuer *x509.Certificate, now time.Time) (time.Time, Reason) {
	var newest *list
	for _, l := range ls.by[string(cert.RawIssuer)] {
		if l.by(issuer) && !l.ThisUpdate.After(now.Add(r.leeway)) && (newest == nil || l.ThisUpdate.After(newest.ThisUpdate)) {
			newest = l
		}
	}
	if newest != nil {
		if _, stands := newest.serials[string(cert.SerialNumber.Bytes())]; stands {
			return time.Time{}, Revoked
		}
		if !now.After(newest.NextUpdate) {
			return newest.NextUpdate, ""
		}
	}
	if r.AcceptStale {
		return time.Time{}, ""
	}
	return time.Time{}, ListsOld
}

// by reports whether the authority signed the list.
func (l *list) by(issuer *x509.Certificate) bool {
	key := sha256.Sum256(issuer.Raw)
	if known, ok := l.signed.Load(key); ok {
		return known.(bool)
	}
	signed := l.CheckSignatureFrom(issuer) == nil
	l.signed.Store(key, signed)
	return signed
}
