package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka's client is silent on a deleted topic and spins on a recreated one.
func TestRecreatedTopicIsRead(t *testing.T) {
	for _, start := range []struct {
		name string
		at   kgo.Offset
	}{
		{"Earliest", kgo.NewOffset().AtStart()},
		{"Latest", kgo.NewOffset().AtEnd()}, // what a topic held before a member knew of it is not lost
	} {
		t.Run(start.name, func(t *testing.T) {
			t.Parallel()
			onEachCluster(t, func(t *testing.T, c *cluster) {
				s := c.newScene(t, 1, defend, ecsSource)
				s.cfg.Start = start.at
				m := s.start(t)
				eventually(t, "ready", func() bool { return m.Ready() == nil })
				topic := s.input()
				old := s.load(t, 1)
				eventually(t, "the member works", func() bool { return m.metric(t, "alerts_total") > 0 })
				old.end(t)
				s.settled(t)
				already := len(s.alerted(t))

				s.deleteTopic(t, topic)
				eventually(t, "the log says that the topic is gone", func() bool { return strings.Contains(s.logs.String(), "topic is gone") })
				other := s.produce(t, s.cfg.Topics[1].Name, attack(t, ecsSource)) // the others go on
				s.settledTopic(t, s.cfg.Topics[1].Name)

				s.createTopic(t, topic, 2, nil)
				records := s.produceRecords(t, &kgo.Record{Topic: topic, Value: nearMiss(t, defend)},
					&kgo.Record{Topic: topic, Value: attack(t, defend)}, &kgo.Record{Topic: topic, Partition: 1, Value: attack(t, defend)})
				s.settledTopic(t, topic)
				for id := range s.alertsOf(t, append(records, other...)...) {
					if len(s.alerted(t)[id]) == 0 {
						t.Errorf("no alert %s of the new topic", id)
					}
				}
				if got := len(s.read(t, s.cfg.AlertsTopic)); got < already+3 {
					t.Errorf("%d alerts, want %d", got, already+3)
				}
				if !strings.Contains(s.logs.String(), "created anew") {
					t.Error("the log does not say that the topic was created anew")
				}
				if lost := m.metric(t, "data_loss_total"); lost != 0 {
					t.Errorf("%v records count as lost, all had been read", lost)
				}
				if err := m.stop(t); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// While a topic is missing a member asks for it now and then, not all the time.
func TestDeletedTopicIsNoHotLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		m := s.start(t)
		s.produce(t, s.input(), attack(t, defend))
		s.settled(t)
		s.deleteTopic(t, s.input())
		eventually(t, "the log says that the topic is gone", func() bool { return strings.Contains(s.logs.String(), "topic is gone") })
		fetches := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
		metadata := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Observe: true, Count: -1})
		const span = time.Minute
		time.Sleep(span) // of the bubble
		if n := fetches.Hits(); n < 5 || n > 60 {
			t.Errorf("%d fetches in %v, want one every few seconds", n, span)
		}
		if n := metadata.Hits(); n > 1500 { // the test lowers the age of metadata to 50 ms
			t.Errorf("%d metadata requests in %v", n, span)
		}
		if n := strings.Count(s.logs.String(), "topic is gone"); n > 4 {
			t.Errorf("said %d times in %v", n, span)
		}
		if err := m.stop(t); err != nil {
			t.Error(err)
		}
	})
}
