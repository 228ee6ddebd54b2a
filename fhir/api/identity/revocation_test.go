package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority makes an authority under this one.
func (a *authority) authority(t testing.TB, now time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "Testshire Issuing CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return &authority{cert, key}
}

// revoke makes a list that holds for a day, in PEM.
func (a *authority) revoke(t testing.TB, now time.Time, change func(*x509.RevocationList), serials ...int64) []byte {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}
	for _, s := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: now})
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func withSerial(n int64) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.SerialNumber = big.NewInt(n) }
}

// listed is a door that holds certificates against a file of lists.
func listed(t testing.TB, ca *authority, raw []byte, change func(*Config)) (*door, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lists.pem")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	return newDoor(t, func(c *Config) {
		c.ClientCAs, c.Clients[0].Certificate, c.Revocation.Files = ca.pool(), "dns:ed.testshire.example", []string{file}
		if change != nil {
			change(c)
		}
	}), file
}

var revocationDay = time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)

func TestRevokedCertificates(t *testing.T) {
	now := revocationDay
	ca, stranger := newAuthority(t, now), newAuthority(t, now)
	one, two := ca.sign(t, now, withSerial(11)), ca.sign(t, now, withSerial(12))
	hour := func(from, to int) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = now.Add(time.Duration(from)*time.Hour), now.Add(time.Duration(to)*time.Hour)
		}
	}
	for name, tt := range map[string]struct {
		lists  []byte
		accept bool
		want   [2]Reason
	}{
		"nobody is revoked":                            {ca.revoke(t, now, nil), false, [2]Reason{}},
		"one is":                                       {ca.revoke(t, now, nil, 11), false, [2]Reason{Revoked, ""}},
		"the newest counts":                            {append(ca.revoke(t, now, hour(-5, 5), 11), ca.revoke(t, now, hour(-1, 5), 12)...), false, [2]Reason{"", Revoked}},
		"the newest counts, whatever the order":        {append(ca.revoke(t, now, hour(-1, 5), 12), ca.revoke(t, now, hour(-5, 5), 11)...), false, [2]Reason{"", Revoked}},
		"one of tomorrow does not":                     {append(ca.revoke(t, now, hour(-5, 5), 11), ca.revoke(t, now, hour(24, 48), 12)...), false, [2]Reason{Revoked, ""}},
		"an old list":                                  {ca.revoke(t, now, hour(-5, -1), 11), false, [2]Reason{Revoked, ListsOld}},
		"an old list, accepted":                        {ca.revoke(t, now, hour(-5, -1), 11), true, [2]Reason{Revoked, ""}},
		"of another authority of that name":            {stranger.revoke(t, now, nil, 11), false, [2]Reason{ListsOld, ListsOld}},
		"of another authority of that name, accepted":  {stranger.revoke(t, now, nil, 11), true, [2]Reason{}},
		"another's newer one does not hide a true one": {append(ca.revoke(t, now, hour(-5, 5), 11), stranger.revoke(t, now, hour(-1, 5))...), false, [2]Reason{Revoked, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := listed(t, ca, tt.lists, func(c *Config) { c.Revocation.AcceptStale = tt.accept })
			for range 2 { // the second time from memory
				for i, cert := range []*x509.Certificate{one, two} {
					_, refused := d.with(t, cert, "")
					assert.Equal(t, tt.want[i], refused)
				}
			}
		})
	}
	assert.True(t, refuse(ListsOld).Away(), "the caller cannot mend it")
	assert.False(t, refuse(Revoked).Away())
}

func TestRevokedIssuingAuthority(t *testing.T) {
	now := revocationDay
	root := newAuthority(t, now)
	middle := root.authority(t, now)
	leaf := middle.sign(t, now, withSerial(11))
	for name, tt := range map[string]struct {
		lists []byte
		want  Reason
	}{
		"both lists, nobody":         {append(root.revoke(t, now, nil), middle.revoke(t, now, nil)...), ""},
		"the authority is revoked":   {append(root.revoke(t, now, nil, 77), middle.revoke(t, now, nil)...), Revoked},
		"its certificate is revoked": {append(root.revoke(t, now, nil), middle.revoke(t, now, nil, 11)...), Revoked},
		"the root's list is missing": {middle.revoke(t, now, nil), ListsOld},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := listed(t, root, tt.lists, behindProxy(root))
			_, refused := d.through(t, proxy, nil, "", "Client-Cert", sequence(leaf), "Client-Cert-Chain", sequence(middle.cert))
			assert.Equal(t, tt.want, refused)
		})
	}
}

func TestListsAreReadAgainWhenTheyChange(t *testing.T) {
	now := revocationDay
	ca := newAuthority(t, now)
	cert := ca.sign(t, now, withSerial(11))
	d, file := listed(t, ca, ca.revoke(t, now, nil), nil)
	look := func(want Reason, why string) {
		t.Helper()
		_, refused := d.with(t, cert, "")
		assert.Equal(t, want, refused, why)
	}
	look("", "on no list")
	write := func(raw []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, raw, 0o600))
	}
	write(ca.revoke(t, now, nil, 11))
	look("", "the file is not looked at all the time")
	d.now = now.Add(11 * time.Second)
	look(Revoked, "a certificate in memory is held against the new list")
	write([]byte("half a fi"))
	d.now = now.Add(22 * time.Second)
	look(Revoked, "what cannot be read changes nothing")
	assert.Contains(t, d.log.String(), "those in hand stay in use")
	require.NoError(t, os.Remove(file))
	d.now = now.Add(33 * time.Second)
	look(Revoked, "nor does a file that is away")
	write(ca.revoke(t, now, func(l *x509.RevocationList) { l.NextUpdate = now.Add(5 * time.Minute) }))
	d.now = now.Add(44 * time.Second)
	look("", "a list that is back is used")
	d.log.Reset()
	d.now = now.Add(6 * time.Minute)
	look(ListsOld, "memory does not outlive the list")
	assert.Contains(t, d.log.String(), "nextUpdate")
	assert.NotContains(t, d.log.String(), file)
	d.log.Reset()
	d.now = now.Add(8 * time.Minute)
	look(ListsOld, "")
	assert.Empty(t, d.log.String(), "it is told once")
}

func TestListsThatCannotBeUsed(t *testing.T) {
	now := revocationDay
	ca := newAuthority(t, now)
	critical := []pkix.Extension{{Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	whole := ca.revoke(t, now, nil, 11)
	for name, tt := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":                    {nil, "is no list of revoked certificates"},
		"a certificate":            {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), "is no list of revoked certificates"},
		"half":                     {whole[:len(whole)/2], "is no list of revoked certificates"},
		"a delta list":             {ca.revoke(t, now, func(l *x509.RevocationList) { l.ExtraExtensions = critical }), "delta"},
		"the second":               {append(bytes.Clone(whole), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")})...), "list 2"},
		"an entry of somebody's":   {ca.revoke(t, now, func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ExtraExtensions = critical }, 11), "indirect"},
		"without the next's date":  {withoutNext(t, ca, now), "nextUpdate"},
		"over the bound of a file": {make([]byte, maxListBytes+1), "64 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRevocations(tt.raw)
			require.ErrorContains(t, err, tt.want)
		})
	}
	block, _ := pem.Decode(whole)
	n, err := ParseRevocations(block.Bytes)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "DER is taken too")

	cfg := Default()
	cfg.Clients, cfg.ClientCAs, cfg.Development = []Client{client()}, ca.pool(), true
	cfg.Clients[0].TokenSHA256, cfg.Revocation.Files = TokenDigest("x"), []string{filepath.Join(t.TempDir(), "none.pem")}
	_, err = New(cfg, http.DefaultClient, time.Now, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "file 1: cannot be read", "nobody is let in unlisted because a path is wrong")
	cfg.ClientCAs = nil
	require.ErrorContains(t, cfg.Validate(), "Revocation needs ClientCAs")
}

// withoutNext is a list without nextUpdate, which X.509 allows and RFC 5280 does not: the field is cut out of a sound one.
func withoutNext(t testing.TB, ca *authority, now time.Time) []byte {
	t.Helper()
	block, _ := pem.Decode(ca.revoke(t, now, nil))
	next := append([]byte{0x17, 13}, now.Add(24*time.Hour).Format("060102150405Z")...)
	at := bytes.Index(block.Bytes, next)
	require.Positive(t, at)
	der := append(bytes.Clone(block.Bytes[:at]), block.Bytes[at+len(next):]...)
	der[2] -= byte(len(next)) // both lengths are of one byte after 0x81
	require.Equal(t, byte(0x81), der[1])
	inner := 3
	require.Equal(t, byte(0x30), der[inner])
	if der[inner+1] == 0x81 {
		der[inner+2] -= byte(len(next))
	} else {
		der[inner+1] -= byte(len(next))
	}
	if der[inner+1] == 0x81 && der[inner+2] < 0x80 { // a short length takes one byte
		der = append(der[:inner+1], der[inner+2:]...)
		der[2]--
	}
	return der
}

// FuzzParseRevocations: whatever a file holds is refused or read, and a list that is read holds.
func FuzzParseRevocations(f *testing.F) {
	ca := newAuthority(f, revocationDay)
	f.Add(ca.revoke(f, revocationDay, nil, 11, 12))
	f.Add([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := parseLists(raw)
		if err == nil && len(found) == 0 {
			t.Fatal("nothing is read, and nothing is said")
		}
		for _, l := range found {
			if l.NextUpdate.IsZero() {
				t.Fatal("a list that holds for ever")
			}
		}
	})
}
