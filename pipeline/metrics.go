package pipeline

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the imdswatch_* metrics. Nothing per record touches them: a
// partition counts in a tally of its own, published once a batch.
type metrics struct {
	records, bytes, events, alerts, deadletters *prometheus.CounterVec
	latency, batch                              prometheus.Histogram
	lagRecords, lagSeconds                      *prometheus.GaugeVec
	commits, produceErrors, rebalances, panics  *prometheus.CounterVec
	transactions                                *prometheus.CounterVec
	partitions, rulesLoaded                     prometheus.Gauge
	rules                                       *prometheus.GaugeVec
	dataLoss                                    prometheus.Counter
	pending                                     *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer, version, commit string) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "imdswatch", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "imdswatch", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "imdswatch", Name: name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	m := &metrics{
		records:       counter("records_total", "Records consumed, by what became of them.", "source", "outcome"),
		bytes:         counter("bytes_total", "Bytes of the values of consumed records.", "source"),
		events:        counter("events_total", "Process-start events that the records held.", "source"),
		alerts:        counter("alerts_total", "Alerts that the brokers acknowledged.", "rule", "severity"),
		deadletters:   counter("deadletters_total", "Dead letters that the brokers acknowledged.", "source", "reason"),
		commits:       counter("commits_total", "Offset commits, at least once.", "result"),
		transactions:  counter("transactions_total", "Transactions, exactly once, by how they ended.", "result"),
		produceErrors: counter("produce_errors_total", "Records that a broker refused, by Kafka's error.", "topic", "code"),
		rebalances:    counter("rebalances_total", "Changes of the assignment.", "kind"),
		panics:        counter("panics_recovered_total", "Panics that cost one record each; a defect of imdswatch.", "stage"),
		lagRecords:    gauge("lag_records", "Records between the position and the end of an assigned partition.", "topic", "partition"),
		lagSeconds:    gauge("lag_seconds", "Age of the last judged record of a partition that lags, else 0.", "topic", "partition"),
		partitions:    gauge("partitions_assigned", "Partitions assigned to this member.").WithLabelValues(),
		rulesLoaded:   gauge("rules_loaded", "Rules in force.").WithLabelValues(),
		rules:         gauge("rules_info", "1, labelled with the hash of the rules in force.", "hash"),
		pending:       gauge("joiner_pending_events", "Events that wait for more records.", "source"),
		dataLoss:      counter("data_loss_total", "Offsets that retention or deletion took before they were read.").WithLabelValues(),
		latency: histogram("event_to_alert_seconds", "From an event's own time to the acknowledgement of its alert.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 300, 3600, 86400}),
		batch: histogram("batch_seconds", "From a poll's return to the acknowledgement of all it led to.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}),
	}
	gauge("build_info", "1, labelled with the build.", "version", "commit", "goversion").
		WithLabelValues(version, commit, runtime.Version()).Set(1)
	return m
}

// tally is what a partition counted since it was last published.
type tally struct {
	outcomes      [outcomes]int
	bytes, events int
	lost          int64 // offsets that were taken before they were read
}

func (t *tally) add(v Verdict, size int) {
	for o, n := range v.Counts {
		t.outcomes[o] += n
	}
	t.events += v.Events
	t.bytes += size
}

func (t *tally) merge(other *tally) {
	for o, n := range other.outcomes {
		t.outcomes[o] += n
	}
	t.events += other.events
	t.bytes += other.bytes
	t.lost += other.lost
}

func (m *metrics) publish(source string, t *tally) {
	for o, n := range t.outcomes {
		if n > 0 {
			m.records.WithLabelValues(source, Outcome(o).String()).Add(float64(n))
		}
	}
	m.bytes.WithLabelValues(source).Add(float64(t.bytes))
	m.events.WithLabelValues(source).Add(float64(t.events))
	m.dataLoss.Add(float64(t.lost))
	*t = tally{}
}
