package pipeline

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Lag stands while records are held back, and goes with the partition.
func TestLagOfRefusedRecords(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t)
	eventually(t, "ready", func() bool { return m.Ready() == nil })
	if _, n := m.series(t, "lag_records"); n != 0 {
		t.Errorf("%d lag series before the first record", n)
	}
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
	old := time.Now().Add(-time.Hour)
	var records []*kgo.Record
	for range 7 {
		records = append(records, &kgo.Record{Topic: s.input(), Value: attack(t, defend), Timestamp: old})
	}
	s.produceRecords(t, records...)
	s.waitFault(t, f, 2)
	eventually(t, "7 records of lag", func() bool { return m.metric(t, "lag_records", "topic", s.input(), "partition", "0") == 7 })
	if age := m.metric(t, "lag_seconds", "topic", s.input(), "partition", "0"); age < 3599 || age > 3700 {
		t.Errorf("the lag is %v s, want an hour", age)
	}
	f.Remove()
	s.settled(t)
	for _, name := range []string{"lag_records", "lag_seconds"} {
		eventually(t, "no lag", func() bool { return m.metric(t, name) == 0 })
	}
	if err := m.stop(t); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"lag_records", "lag_seconds"} {
		if _, n := m.series(t, name); n != 0 {
			t.Errorf("%d series of %s without partitions", n, name)
		}
	}
	if got := m.metric(t, "partitions_assigned"); got != 0 {
		t.Errorf("%v partitions assigned after the stop", got)
	}
}

func TestLag(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name                   string
		end, position          int64
		record                 time.Time
		wantRecords, wantMilli float64
	}{
		{"AtTheEnd", 10, 10, now.Add(-time.Hour), 0, 0},
		{"Behind", 10, 4, now.Add(-time.Minute), 6, 60_000},
		{"RecordOfTheFuture", 10, 4, now.Add(time.Minute), 6, 0},
		{"EndOfAnOlderFetch", 10, 12, now.Add(-time.Minute), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &member{metrics: prometheus.NewRegistry()}
			measured := newMetrics(m.metrics, "v", "c")
			tp := topicPartition{"in", 3}
			measured.lag(&partition{topicPartition: tp, end: tt.end}, tt.position, tt.record, now)
			if got, n := m.series(t, "lag_records", "topic", "in", "partition", "3"); got != tt.wantRecords || n != 1 {
				t.Errorf("lag of %v records in %d series, want %v", got, n, tt.wantRecords)
			}
			if got := 1000 * m.metric(t, "lag_seconds"); got != tt.wantMilli {
				t.Errorf("lag of %v ms, want %v", got, tt.wantMilli)
			}
			measured.forget(tp)
			if _, n := m.series(t, "lag_seconds"); n != 0 {
				t.Errorf("%d series are left", n)
			}
		})
	}
}

// Of a gap, only what lies below the log's start is lost.
func TestCountLoss(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		start, next, first, low int64 // -1 for no start or next
		want                    float64
	}{
		{"NoGap", -1, 10, 10, 0, 0},
		{"FirstOfANewGroup", -1, -1, 600, 600, 0},
		{"FirstOfAGroup", 100, -1, 600, 600, 500},
		{"Running", -1, 100, 600, 600, 500},
		{"RunningWins", 7, 100, 600, 600, 500},
		{"Compaction", -1, 100, 600, 0, 0},
		{"RetentionAndCompaction", -1, 100, 600, 300, 200},
		{"RetentionAfterTheFetch", -1, 100, 100, 400, 0},
		{"OldBrokerTellsNoStart", -1, 100, 600, -1, 0},
		{"BeginsAnewBelow", -1, 100, 3, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &member{metrics: prometheus.NewRegistry()}
			p, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Group: "g", AlertsTopic: "a", DeadletterTopic: "d", Topics: []Topic{{Name: "in", Source: defend}}},
				builtinSet(t), m.metrics)
			if err != nil {
				t.Fatal(err)
			}
			tp := topicPartition{"in", 0}
			if tt.start >= 0 {
				p.starts[tp] = tt.start
			}
			pt := &partition{topicPartition: tp, judge: NewJudge(defend, "in", 0), next: tt.next, low: tt.low, records: []*kgo.Record{{Offset: tt.first}}}
			p.countLoss(pt)
			p.count(pt, nil, nil, &pt.tally, time.Now())
			if got := m.metric(t, "data_loss_total"); got != tt.want {
				t.Errorf("%v records count as lost, want %v", got, tt.want)
			}
			if _, noted := p.start(tp); noted {
				t.Error("the start is still noted")
			}
		})
	}
}
