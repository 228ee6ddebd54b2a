package observe

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the counters and histograms that the engine's rooms feed as they work.
type metrics struct {
	registry *prometheus.Registry

	received, receivedBytes, repeats, uncollected, listings *prometheus.CounterVec
	records, published, publishFailures, handled, effects   *prometheus.CounterVec
	unmapped, reloads                                       *prometheus.CounterVec
	mappingRefused                                          *prometheus.GaugeVec
	fhirRequests, secondOpinions, traced, traceWaits        *prometheus.CounterVec
	unrouted, reconciled, commitFailures, exportFailures    prometheus.Counter

	steps, fhirDuration                              *prometheus.HistogramVec
	notificationDelay, commitDuration, commitChanges prometheus.Histogram
}

// newMetrics makes the metrics on a registry of their own.
func newMetrics(version string) *metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "signalbox_build_info", Help: "Always 1; the labels say what is running."},
		[]string{"version", "goversion"})
	r.MustRegister(build)
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m := &metrics{registry: r}
	m.addIntake()
	m.addEvents()
	m.addEdges()
	return m
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *metrics) addIntake() {
	m.received = m.counter("signalbox_messages_received_total", "Messages made durable, by way in (mesh, report, fhir, query) and our mailbox.", "way", "mailbox")
	m.receivedBytes = m.counter("signalbox_messages_received_bytes_total", "Bytes of the messages made durable.", "way", "mailbox")
	m.repeats = m.counter("signalbox_messages_repeated_total", "Messages that arrived again and were durable already.", "way", "mailbox")
	m.uncollected = m.counter("signalbox_mesh_collect_failures_total", "Messages that could not be collected in a round and stay in the mailbox.", "mailbox")
	m.listings = m.counter("signalbox_mesh_listings_total", "Rounds over a mailbox, by result (ok, failed).", "mailbox", "result")
	m.records = m.counter("signalbox_records_total", "Records translated, by supplier and outcome (accepted, rejected, parked, skipped).", "supplier", "outcome")
	m.unmapped = m.counter("signalbox_unmapped_codes_total", "Codes that a code table does not know, by supplier and table.", "supplier", "table")
	m.reloads = m.counter("signalbox_mapping_reloads_total", "Changed supplier folders, by result (loaded, refused).", "supplier", "result")
	m.mappingRefused = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "signalbox_mapping_refused",
		Help: "1 while a supplier's changed folder is refused and its old mapping stays in use."}, []string{"supplier"})
	m.registry.MustRegister(m.mappingRefused)
	m.traced = m.counter("signalbox_pds_traces_total", "Children of files by what PDS makes of them (matched, no-match, sensitive, not-verified, bad-format, superseded, inactive).", "outcome")
	m.traceWaits = m.counter("signalbox_pds_waits_total", "Times that a file was put off because PDS had not answered for all of its children, by whether it answered at all (some, none).", "answers")
	m.unrouted = m.counter("signalbox_messages_unrouted_total", "Messages kept aside because no route names them.").WithLabelValues()
}

func (m *metrics) addEvents() {
	m.published = m.counter("signalbox_events_published_total", "Events published to a topic, again included.", "topic")
	m.publishFailures = m.counter("signalbox_publish_failures_total", "Batches of which it is not known that all was published.", "topic")
	m.handled = m.counter("signalbox_events_handled_total", "Events handled, by verdict (ack, retry, quarantine, stop).", "topic", "verdict")
	m.reconciled = m.counter("signalbox_events_reconciled_total", "Events that were on the stream too long without an outcome and are published again.").WithLabelValues()
	m.steps = m.histogram("signalbox_step_duration_seconds",
		"Time of one step (collect, receive, ask, translate, apply, tell, reply, send).", prometheus.ExponentialBuckets(0.0005, 4, 10), "step")
	m.commitDuration = m.histogram("signalbox_store_commit_duration_seconds", "Time of one commit of the record, with its changes.",
		prometheus.ExponentialBuckets(0.0005, 2, 14)).WithLabelValues().(prometheus.Histogram)
	m.commitChanges = m.histogram("signalbox_store_commit_changes", "Changes that shared one commit.",
		prometheus.ExponentialBuckets(1, 2, 11)).WithLabelValues().(prometheus.Histogram)
	m.commitFailures = m.counter("signalbox_store_commit_failures_total", "Commits that failed; what they held is tried again.").WithLabelValues()
}

func (m *metrics) addEdges() {
	m.effects = m.counter("signalbox_effects_total", "Attempts to send, by kind, authority and outcome (sent, retried, refused).", "kind", "la", "outcome")
	m.notificationDelay = m.histogram("signalbox_notification_delay_seconds", "Time from an access to the MESH send of the notification that tells of it.",
		[]float64{1, 5, 15, 60, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600}).WithLabelValues().(prometheus.Histogram)
	m.fhirRequests = m.counter("signalbox_fhir_requests_total", "FHIR requests answered, by route and status.", "route", "status")
	m.secondOpinions = m.counter("signalbox_fhir_second_opinions_total",
		"FHIR documents compared with google/fhir, by class of the verdicts (agreed, a decided kind of difference, undecided, dropped).", "class")
	m.fhirDuration = m.histogram("signalbox_fhir_request_duration_seconds", "Time to answer a FHIR request.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "route")
	m.exportFailures = m.counter("signalbox_trace_export_failures_total", "Batches of spans that the collector did not take.").WithLabelValues()
}
