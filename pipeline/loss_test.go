package pipeline

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (c *cluster) deleteRecords(t *testing.T, topic string, before int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, before, -1)
	answers, err := c.admin.DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Kafka's client jumps over what retention took and says nothing.
func TestRetentionWhileStoppedIsCounted(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		first := s.start(t)
		before := s.produce(t, s.input(), mixed(t, defend, 10)...)
		s.settled(t)
		if err := first.stop(t); err != nil {
			t.Fatal(err)
		}
		after := s.produce(t, s.input(), mixed(t, defend, 30)...)
		s.deleteRecords(t, s.input(), 27)
		m := s.start(t)
		s.settled(t)
		s.wantAlerts(t, false, append(before, after[17:]...)...)
		if lost := m.metric(t, "data_loss_total"); lost != 17 {
			t.Errorf("%v records count as lost, want 17", lost)
		}
		if got := m.metric(t, "records_total"); got != 13 {
			t.Errorf("%v records counted, want 13", got)
		}
		if log := s.logs.String(); !strings.Contains(log, "deleted before they were read") {
			t.Error("the log says nothing of it")
		}
	})
}

// The partition's records are deleted while its fetches fail.
func TestRetentionWhileRunningIsCounted(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t)
	before := s.produce(t, s.input(), mixed(t, defend, 10)...)
	s.settled(t)
	f := s.fault(kmsg.Fetch, s.input(), kerr.KafkaStorageError, -1)
	s.waitFault(t, f, 2)
	after := s.produce(t, s.input(), mixed(t, defend, 30)...)
	s.deleteRecords(t, s.input(), 27)
	f.Remove()
	s.settled(t)
	s.wantAlerts(t, false, append(before, after[17:]...)...)
	if lost := m.metric(t, "data_loss_total"); lost != 17 {
		t.Errorf("%v records count as lost, want 17", lost)
	}
}

// A group that begins at the start of a log whose start is not 0 lost nothing.
func TestFirstStartLosesNothing(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	records := s.produce(t, s.input(), mixed(t, defend, 30)...)
	s.deleteRecords(t, s.input(), 20)
	m := s.start(t)
	s.settled(t)
	s.wantAlerts(t, false, records[20:]...)
	if lost := m.metric(t, "data_loss_total"); lost != 0 {
		t.Errorf("%v records count as lost", lost)
	}
}

// Compaction leaves gaps that are no loss.
func TestCompactedGapsAreNoLoss(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.alterTopic(t, s.input(), "cleanup.policy", "compact")
	produce := func(n int) (last *kgo.Record) {
		for range n {
			last = s.produceRecords(t, &kgo.Record{Topic: s.input(), Key: []byte("host"), Value: attack(t, defend)})[0]
		}
		return last
	}
	first := s.start(t)
	// It stays, and with it the log's start, which the fake brokers move up to the first record that is left.
	s.produceRecords(t, &kgo.Record{Topic: s.input(), Key: []byte("other host"), Value: attack(t, defend)})
	produce(3)
	s.settled(t)
	if err := first.stop(t); err != nil {
		t.Fatal(err)
	}
	produce(20)
	s.fake.Compact()
	last := produce(1)
	m := s.start(t)
	s.settled(t)
	if got := m.metric(t, "records_total"); got >= 21 || got < 1 {
		t.Fatalf("%v records are left, so the topic was not compacted", got)
	}
	if len(s.alertsOf(t, last)) != 1 || len(s.alerted(t)) < 4 {
		t.Error("the records behind the gap are not judged")
	}
	if lost := m.metric(t, "data_loss_total"); lost != 0 {
		t.Errorf("%v records count as lost", lost)
	}
}
