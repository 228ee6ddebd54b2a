//go:build unix

package faults

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/engine/stream/redistest"
	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// Names and secrets of the fault runs. None is of a real service.
const (
	ourMailbox = "SIGNALBOX1"
	workflow   = "TEST_CPIS_UPLOAD"
	password   = "faults-password"
	sharedKey  = "faults-shared-key"
	token      = "faults-token"
)

// world is everything that stands around the engines: MESH in this process, Redis and PostgreSQL where the row says so, and a proxy before
// each of them.
type world struct {
	rng    *rand.Rand
	dir    string
	server *meshserver.Server
	redis  *redistest.Server

	meshWay, redisWay, postgresWay, fhir *proxy

	seats   []*seat // most rows have one
	log     *tail
	trust   *trust
	las     []*authority
	checker *checker
}

// setup says what a row's world is made of.
type setup struct {
	redis     []string                                   // arguments of redis-server; nil: events stay in the engine's process
	reconcile time.Duration                              // 0: 2 s
	postgres  bool                                       // the record is in a PostgreSQL; else in a file
	record    string                                     // folder of that file; empty: one of the row's own
	engines   []string                                   // by which wrong clock each goes (hours, as "2" or "-2"; empty: none); nil: one engine
	around    func(t testing.TB, w *world, to ways) ways // puts something between the engine and what it talks to
}

// ways are the addresses under which the engine reaches others.
type ways struct{ mesh, redis, postgres string }

func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	w := &world{rng: seeded(t), dir: t.TempDir(), log: &tail{}, trust: newTrust()}
	w.checker = newChecker()
	t.Cleanup(w.trust.client.CloseIdleConnections)
	w.openMesh(t)
	to := ways{mesh: w.meshWay.addr()}
	if s.redis != nil {
		w.redis = redistest.Start(t, s.redis...)
		w.redisWay = startProxy(t, w.redis.Addr())
		to.redis = w.redisWay.addr()
	}
	database := ""
	if s.postgres {
		address, err := url.Parse(server.Get(t).Database(t))
		must(t, err)
		w.postgresWay, database = startProxy(t, address.Host), address.Path
		to.postgres = w.postgresWay.addr()
	}
	w.fhir = startProxy(t, "127.0.0.1:1")
	if s.around != nil {
		to = s.around(t, w, to)
	}
	if s.reconcile == 0 {
		s.reconcile = 2 * time.Second
	}
	w.writeConfigs(t, s, to, database)
	for i, name := range []string{"TESTLA01", "TESTLA02"} {
		w.las = append(w.las, w.openAuthority(t, i, name))
	}
	t.Cleanup(w.kill)
	w.start(t)
	return w
}

func (w *world) openMesh(t testing.TB) {
	t.Helper()
	var boxes []meshserver.Mailbox
	for _, id := range []string{ourMailbox, "TESTLA01", "TESTLA02", "STRANGER"} {
		boxes = append(boxes, meshserver.Mailbox{ID: id, Password: password, Active: true})
	}
	var err error
	w.server, err = meshserver.New(meshserver.Config{Dir: filepath.Join(w.dir, "mesh"), SharedKey: sharedKey, Mailboxes: boxes})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{Handler: w.server, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // ends with Close
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		must(t, w.server.Close())
	})
	w.meshWay = startProxy(t, l.Addr().String())
}

// So soon do engines take over from one another in the fault runs: what they are frozen past.
const (
	lease = 2 * time.Second
	claim = 3 * time.Second
)

const config = `STORE
STREAM
mesh: { url: "http://MESH", sharedKey: { file: SECRETS/key }, poll: 50ms }
mailboxes: [ { id: SIGNALBOX1, password: { file: SECRETS/password } } ]
systemId: "999000000001"
routes:
  - name: testshire
    mailbox: SIGNALBOX1
    sender: TESTLA01
    supplier: testshire-cpisxml
    authority: { odsCode: "999", name: TESTSHIRE COUNTY COUNCIL, officeHours: "01632960001", emergencyDuty: "01632960002" }
    dialect: cpis-xml
    workflows: { upload: TEST_CPIS_UPLOAD, acknowledgement: TEST_CPIS_ACK, notification: TEST_CPIS_ACCESS }
    window: 200ms
  - name: northshire
    mailbox: SIGNALBOX1
    sender: TESTLA02
    supplier: northshire-csv
    authority: { odsCode: "998", name: NORTHSHIRE COUNTY COUNCIL, officeHours: "01632960101", emergencyDuty: "01632960102" }
    dialect: csv
    workflows: { upload: TEST_CPIS_UPLOAD, acknowledgement: TEST_CPIS_ACK, notification: TEST_CPIS_ACCESS }
    window: 200ms
trusts:
  - name: testshire-infirmary
    odsCode: RXX99
    display: TESTSHIRE INFIRMARY EMERGENCY DEPARTMENT
    deviceId: "999000000002"
    setting: emergency
    token: { file: SECRETS/token }
    rights: [query, send]
    supplier: testshire-trust-fhir
fhir: { development: true, limits: { perSecond: 0, burst: 0 } }
listen: { fhir: "127.0.0.1:0" }
`

// writeConfigs writes the configuration of each engine: they differ in their names.
func (w *world) writeConfigs(t testing.TB, s setup, to ways, database string) {
	t.Helper()
	secrets := filepath.Join(w.dir, "secrets")
	must(t, os.MkdirAll(secrets, 0o700))
	words := map[string]string{"key": sharedKey, "password": password, "token": token}
	if s.record == "" {
		s.record = filepath.Join(w.dir, "record")
	}
	store := fmt.Sprintf("store: { path: %q }", filepath.Join(s.record, "signalbox.db"))
	if s.postgres {
		words["postgres"] = server.Get(t).Password()
		store = fmt.Sprintf("store: { url: \"postgres://signalbox@%s%s?sslmode=disable\", password: { file: SECRETS/postgres }, lease: %s }", to.postgres, database, lease)
	}
	for name, secret := range words {
		must(t, os.WriteFile(filepath.Join(secrets, name), []byte(secret), 0o600))
	}
	if s.engines == nil {
		s.engines = []string{""}
	}
	for i, hours := range s.engines {
		stream := fmt.Sprintf("stream: { consumer: engine-%d, reconcile: %s }", i+1, s.reconcile) // an engine that comes back takes up its own leases
		if to.redis != "" {
			stream = fmt.Sprintf("stream: { urls: [ \"redis://%s/0\" ], consumer: engine-%d, reconcile: %s, claim: %s }", to.redis, i+1, s.reconcile, claim)
		}
		text := strings.NewReplacer("STORE", strings.ReplaceAll(store, "SECRETS", secrets), "STREAM", stream, "MESH", to.mesh, "SECRETS", secrets).Replace(config)
		at := &seat{binary: binary, config: filepath.Join(w.dir, fmt.Sprintf("signalbox-%d.yaml", i+1))}
		if hours != "" {
			at.binary, at.env = wrongClock(t), []string{clockVariable + "=" + hours}
		}
		must(t, os.WriteFile(at.config, []byte(text), 0o600))
		w.seats = append(w.seats, at)
	}
}

// client opens a mailbox, straight and not through the proxy: the checker's own mail is not to suffer.
func (w *world) client(t testing.TB, mailbox string) *mesh.Client {
	t.Helper()
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey = "http://"+w.meshWay.straight(), mailbox, password, sharedKey
	c, err := mesh.New(cfg)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func (p *proxy) straight() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
