package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/store"
	"signalbox/fhir"
)

// TestSecondOpinionIsCountedAndLogged sends documents past the second opinion as the FHIR face does, and looks at the metric and the log.
func TestSecondOpinionIsCountedAndLogged(t *testing.T) {
	const nhs = "9990000018"
	var log bytes.Buffer
	cfg := DefaultConfig()
	cfg.SecondOpinion = opinionAlways
	e := &engineRoom{cfg: cfg, opts: Options{Log: slog.New(slog.NewJSONHandler(&log, nil))}}
	e.opts.Now = e.now
	require.NoError(t, e.observe())
	defer e.closeObserver()
	opinion, err := e.opinion()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := e.runOpinion(ctx)
	for _, in := range []string{
		`{"resourceType":"Patient","id":"a"}`,
		`{"resourceType":"Patient","gender":"Male","identifier":[{"value":"` + nhs + `"}]}`,
		`{"resourceType":"Patient","birthDate":"` + nhs + `"}`,
	} {
		assert.Empty(t, opinion.Check([]byte(in)), "no say in the answer")
	}
	scrape := func() string {
		w := httptest.NewRecorder()
		e.observer.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	require.Eventually(t, func() bool {
		return bytes.Contains([]byte(scrape()), []byte(`second_opinions_total{class="agreed"} 2`))
	}, 30*time.Second, 5*time.Millisecond,
		"the documents are compared, or the counter says why not")
	stop()
	<-ended
	assert.Contains(t, scrape(), `signalbox_fhir_second_opinions_total{class="code-capitals"} 1`)
	assert.Contains(t, log.String(), `"verdict":"code-capitals","by":"signalbox","faults":1,"rule":"code","at":"Patient.gender"`)
	assert.NotContains(t, log.String(), nhs)
}

func TestSecondOpinionOff(t *testing.T) {
	cfg := DefaultConfig()
	assert.Equal(t, "sample", cfg.SecondOpinion)
	cfg.SecondOpinion = opinionOff
	e := &engineRoom{cfg: cfg}
	opinion, err := e.opinion()
	require.NoError(t, err)
	assert.Nil(t, opinion)
	<-e.runOpinion(t.Context())
	cfg.SecondOpinion = "maybe"
	assert.ErrorContains(t, cfg.Validate(), "secondOpinion: is one of")
}

// TestSecondOpinionIsKept looks for the difference in the record, which an operator can list.
func TestSecondOpinionIsKept(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Store.Path = filepath.Join(t.TempDir(), "record.db")
	cfg.SecondOpinion = opinionAlways
	e := &engineRoom{cfg: cfg, opts: Options{Log: slog.New(slog.DiscardHandler)}}
	e.opts.Now = e.now
	require.NoError(t, e.observe())
	defer e.closeObserver()
	var err error
	e.store, err = cfg.Store.open(t.Context(), nil, nil)
	require.NoError(t, err)
	defer e.store.Close()
	opinion, err := e.opinion()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := e.runOpinion(ctx)
	const body = `<Patient xmlns="http://hl7.org/fhir"><gender value="Male"/></Patient>`
	_, faults := fhir.ExamineEither([]byte(body), fhir.Limits{}, opinion)
	require.NotEmpty(t, faults)
	var all []store.Disagreement
	require.Eventually(t, func() bool {
		all, err = e.store.Disagreements(ctx, 10)
		return err != nil || len(all) == 1
	}, 30*time.Second, 5*time.Millisecond, "the difference is kept")
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(body))
	assert.Equal(t, hex.EncodeToString(sum[:]), all[0].Digest, "the digest is that of the document as it was sent")
	assert.Equal(t, "code-capitals signalbox code Patient.gender", all[0].Class+" "+all[0].Reader+" "+all[0].Rule+" "+all[0].Place)
	stop()
	<-ended
}
