package pds_test

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/fhir/pds"
	"signalbox/fhir/pds/twin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Numbers of the synthetic 999 range with right check digits.
const (
	known      = "9990000018"
	superseded = "9990000026"
	restricted = "9990000034"
	gone       = "9990000042"
	nobody     = "9990000050"
)

func patients() []twin.Patient {
	return []twin.Patient{
		{NHSNumber: known, Given: "Zoë Ann", Family: "O'Neill-Błaszczyk", Former: "Testerly", BirthDate: "2019-03-04"},
		{NHSNumber: superseded, SupersededBy: known},
		{NHSNumber: restricted, Given: "Robin", Family: "Testerby", BirthDate: "2018-01-02", Security: "R"},
		{NHSNumber: gone, Invalidated: true},
	}
}

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

const base = "https://pds.invalid" + twin.BasePath

// open returns a client and the twin that it asks, without a network.
func open(t *testing.T, change func(*pds.Config, *twin.Config)) (*pds.Client, *twin.Server) {
	t.Helper()
	auth := pds.DefaultAuth()
	auth.TokenURL, auth.ClientID, auth.KeyID, auth.Key = "https://pds.invalid"+twin.TokenPath, "test-application", "test-1", key()
	cfg := pds.Default()
	cfg.BaseURL, cfg.Auth = base, &auth
	there := twin.Config{Patients: patients(), Key: &key().PublicKey, KeyID: "test-1", ClientID: "test-application", Audience: auth.TokenURL, Now: time.Now}
	if change != nil {
		change(&cfg, &there)
	}
	server := twin.New(there)
	if cfg.HTTP == nil {
		cfg.HTTP = server.Transport()
	}
	client, err := pds.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, server
}
