package pipeline

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (s *scene) fault(key kmsg.Key, topic string, err *kerr.Error, count int) *kfake.FaultHandle {
	return s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Err: err, Count: count})
}

func (s *scene) waitFault(t *testing.T, f *kfake.FaultHandle, hits int) {
	t.Helper()
	eventually(t, "the fault is met", func() bool { return f.Hits() >= hits })
}

// A broker that refuses holds the offsets: nothing is committed past what it
// refused, and when it relents everything is sent.
func TestRefusedOutputsAreSentAgain(t *testing.T) {
	tests := []*kerr.Error{
		kerr.TopicAuthorizationFailed, kerr.MessageTooLarge, kerr.PolicyViolation, kerr.InvalidRecord, kerr.UnknownServerError,
	}
	for _, output := range []string{"Alerts", "DeadLetters"} {
		for _, refusal := range tests {
			t.Run(output+"/"+refusal.Message, func(t *testing.T) {
				t.Parallel()
				s := fakeCluster(t).newScene(t, 1, defend)
				topic := s.cfg.AlertsTopic
				if output == "DeadLetters" {
					topic = s.cfg.DeadletterTopic
				}
				m := s.start(t)
				before := s.produce(t, s.input(), nearMiss(t, defend), attack(t, defend), []byte("{"))
				s.settled(t)
				if err := m.Ready(); err != nil {
					t.Errorf("not ready before the refusal: %v", err)
				}
				f := s.fault(kmsg.Produce, topic, refusal, -1)
				after := s.produce(t, s.input(), attack(t, defend), []byte("{"), attack(t, defend))
				s.waitFault(t, f, 2) // refused, set back and sent again
				if err := m.Ready(); err == nil {
					t.Error("ready while a broker refuses")
				}
				if err := m.Healthy(); err != nil {
					t.Errorf("unhealthy while a broker refuses: %v", err)
				}
				if at := s.committed(t, s.input(), 0); at != int64(len(before)) {
					t.Errorf("committed to %d, past what was refused at %d", at, len(before))
				}
				if got := m.metric(t, "produce_errors_total", "topic", topic, "code", refusal.Message); got < 1 {
					t.Errorf("%v refusals counted", got)
				}
				if got := m.metric(t, "records_total"); int(got) != len(before) {
					t.Errorf("%v records counted while %d are done", got, len(before))
				}
				f.Remove()
				s.settled(t)
				eventually(t, "ready again", func() bool { return m.Ready() == nil })
				s.wantAlerts(t, true, slices.Concat(before, after)...)
				if got := m.metric(t, "records_total"); int(got) != len(before)+len(after) {
					t.Errorf("%v records counted, want %d: one outcome each, however often they were sent", got, len(before)+len(after))
				}
				if got := m.metric(t, "alerts_total"); got != 3 {
					t.Errorf("%v alerts counted, want 3", got)
				}
			})
		}
	}
}

// The alerts topic is deleted while a member runs, and comes back.
func TestDeletedAlertsTopicIsWaitedFor(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		m := s.start(t)
		s.produce(t, s.input(), attack(t, defend))
		s.settled(t)
		s.deleteTopic(t, s.cfg.AlertsTopic)
		after := s.produce(t, s.input(), attack(t, defend))
		eventually(t, "the refusal is noticed", func() bool { return m.Ready() != nil })
		if at := s.committed(t, s.input(), 0); at != 1 {
			t.Errorf("committed to %d without an alerts topic", at)
		}
		s.createTopic(t, s.cfg.AlertsTopic, 1, nil)
		s.settled(t)
		s.wantAlerts(t, true, after...)
	})
}

func (c *cluster) deleteTopic(t *testing.T, topic string) {
	t.Helper()
	deleted, err := c.admin.DeleteTopic(t.Context(), topic)
	if err != nil {
		t.Fatalf("topic %s: %v %s", topic, err, deleted.ErrMessage)
	}
	c.client.PurgeTopicsFromProducing(topic) // or it holds on to the old one
}

// The limit of the alerts topic is lowered while a member runs: the first alert
// that is too large is refused, the limit read anew, the alert cut.
func TestLoweredLimitIsNoticed(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		m := s.start(t)
		small := s.produce(t, s.input(), attack(t, defend))
		s.settled(t)
		s.setLimit(t, s.cfg.AlertsTopic, 20_000)
		long := strings.Replace(string(attack(t, defend)), "/latest/", "/"+noise(100_000)+"/latest/", 1)
		large := s.produce(t, s.input(), []byte(long), attack(t, defend))
		s.settled(t)
		s.wantAlerts(t, true, append(small, large...)...)
		if got := m.metric(t, "produce_errors_total", "code", "MESSAGE_TOO_LARGE"); got < 1 {
			t.Errorf("%v refusals counted", got)
		}
	})
}

// Trouble that passes is waited for: nothing is refused, lost or repeated, and
// waiting is healthy.
func TestPassingTroubleIsWaitedFor(t *testing.T) {
	for _, trouble := range []*kerr.Error{
		kerr.NotEnoughReplicas, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.RequestTimedOut, kerr.KafkaStorageError,
	} {
		t.Run(trouble.Message, func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 1, defend)
			m := s.start(t)
			before := s.produce(t, s.input(), attack(t, defend))
			s.settled(t)
			f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, trouble, -1)
			after := s.produce(t, s.input(), mixed(t, defend, 50)...)
			s.waitFault(t, f, 3)
			if err := m.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
			if err := m.Healthy(); err != nil {
				t.Errorf("unhealthy: %v", err)
			}
			if at := s.committed(t, s.input(), 0); at != 1 {
				t.Errorf("committed to %d, past what is not acknowledged", at)
			}
			f.Remove()
			s.settled(t)
			s.wantAlerts(t, trouble == kerr.RequestTimedOut, append(before, after...)...)
			if got := m.metric(t, "produce_errors_total"); got != 0 {
				t.Errorf("%v refusals counted", got)
			}
		})
	}
}

func TestFailedCommitsAreTriedAgain(t *testing.T) {
	for _, trouble := range []*kerr.Error{
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.GroupAuthorizationFailed,
	} {
		t.Run(trouble.Message, func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 1, defend)
			m := s.start(t)
			f := s.fault(kmsg.OffsetCommit, s.input(), trouble, 3)
			records := s.produce(t, s.input(), mixed(t, defend, 20)...)
			s.waitFault(t, f, 3)
			s.settled(t)
			s.wantAlerts(t, true, records...)
			if got := m.metric(t, "commits_total", "result", "ok"); got < 1 {
				t.Errorf("%v commits counted as ok", got)
			}
			// The client itself tries again where only the coordinator moved.
			ours := trouble != kerr.CoordinatorNotAvailable && trouble != kerr.NotCoordinator
			if got := m.metric(t, "commits_total", "result", "error"); ours && got < 1 {
				t.Errorf("%v commits counted as failed", got)
			}
		})
	}
}

// What was refused belongs to partitions. Once the refused records are gone, or
// their partition is another member's, nothing is refused, and the rest goes on
// at full speed.
func TestRefusalEndsWithItsRecords(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t)
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
	s.produce(t, s.input(), attack(t, defend))
	s.waitFault(t, f, 1)
	if err := s.fake.DeleteRecords(s.input(), 0, 1); err != nil {
		t.Fatal(err)
	}
	s.produce(t, s.input(), nearMiss(t, defend))
	s.settled(t)
	eventually(t, "the member is ready", func() bool { return m.Ready() == nil })
}

func TestRefusalEndsWithItsPartition(t *testing.T) {
	p, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Group: "g", AlertsTopic: "a", DeadletterTopic: "d",
		Topics: []Topic{{Name: "in", Source: defend}}}, builtinSet(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	p.assigned(t.Context(), nil, map[string][]int32{"in": {0, 1}})
	p.partitions[topicPartition{"in", 1}].held = true
	p.note()
	if p.Ready() == nil {
		t.Fatal("ready with a refused partition")
	}
	p.lost(t.Context(), nil, map[string][]int32{"in": {0}})
	if p.Ready() == nil {
		t.Error("ready though the refused partition is still here")
	}
	p.lost(t.Context(), nil, map[string][]int32{"in": {1}})
	if err := p.Ready(); err != nil {
		t.Errorf("not ready without a refused partition: %v", err)
	}
}

// A partition whose records are refused does not hold up the others.
func TestRefusalSparesOtherPartitions(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 2, defend)
	f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.TopicAuthorizationFailed, -1)
	s.produce(t, s.input(), attack(t, defend), []byte("{"))
	other := s.produceRecords(t, &kgo.Record{Topic: s.input(), Partition: 1, Value: attack(t, defend)})
	s.start(t)
	s.waitFault(t, f, 1)
	eventually(t, "the other partition is committed", func() bool { return s.committed(t, s.input(), 1) == 1 })
	if at := s.committed(t, s.input(), 0); at != -1 {
		t.Errorf("the refused partition is committed to %d", at)
	}
	if len(s.alerted(t)) < len(other) {
		t.Error("no alert of the other partition")
	}
	f.Remove()
	s.settled(t)
}

// While one output is refused, what goes to the other is not sent over and over.
func TestRefusedDeadLettersDoNotRepeatAlerts(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.start(t)
	f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.TopicAuthorizationFailed, -1)
	records := s.produce(t, s.input(), attack(t, defend), []byte("{"), attack(t, defend))
	s.waitFault(t, f, 4)
	f.Remove()
	s.settled(t)
	s.wantAlerts(t, false, records...)
}

// What was acknowledged of a batch that was set back is remembered until the
// batch is done, and no longer.
func TestSettleForgetsWhatWasSent(t *testing.T) {
	p, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Group: "g", AlertsTopic: "a", DeadletterTopic: "d",
		Topics: []Topic{{Name: "in", Source: defend}}}, builtinSet(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	p.assigned(t.Context(), nil, map[string][]int32{"in": {0}})
	pt := p.partitions[topicPartition{"in", 0}]
	for id, offset := range map[string]int64{"a": 3, "b": 4, "c": 5} {
		pt.remember(outgoing{id: id, offset: offset})
	}
	pt.records = []*kgo.Record{{Offset: 3}, {Offset: 4}}
	p.settle([]*partition{pt})
	if want := map[string]int64{"c": 5}; !maps.Equal(pt.sent, want) {
		t.Errorf("remembered %v, want %v", pt.sent, want)
	}
}

// A pause grows from a tenth of a second to some three, and ends with success
// or with the context.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backOff{}
		for _, step := range []struct {
			failed bool
			want   time.Duration
		}{
			{false, 0}, {true, 100 * time.Millisecond}, {true, 200 * time.Millisecond}, {true, 400 * time.Millisecond},
			{true, 800 * time.Millisecond}, {true, 1600 * time.Millisecond}, {true, 3200 * time.Millisecond},
			{true, 3200 * time.Millisecond}, {false, 0}, {true, 100 * time.Millisecond},
		} {
			began := time.Now()
			b.after(t.Context(), step.failed)
			if took := time.Since(began); took != step.want {
				t.Errorf("pause of %v, want %v", took, step.want)
			}
		}
	})
}

func faultOn(key kmsg.Key) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.UnknownServerError, Count: -1}
}
