package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
