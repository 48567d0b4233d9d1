package pipeline

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// While a broker refuses an output, transactions are aborted, ever more slowly,
// and nothing is committed. When it relents, each alert is there once.
func TestRefusedTransactionsBackOff(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 2, defend).transactional()
		m := s.start(t)
		records := s.produce(t, s.input(), mixed(t, defend, 20)...)
		s.settled(t)
		done := float64(len(records)) // counted behind the commit that was awaited
		eventually(t, "the records are counted", func() bool { return m.metric(t, "records_total") == done })
		f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
		records = append(records, s.produce(t, s.input(), mixed(t, defend, 20)...)...)
		time.Sleep(time.Minute)
		// 0.1 s, 0.2 s, ... 3.2 s between, and the span of each.
		if n := m.metric(t, "transactions_total", "result", "aborted"); n < 10 || n > 30 {
			t.Errorf("%v transactions aborted in a minute, want some 20", n)
		}
		if at := s.committed(t, s.input(), 0); at != 20 {
			t.Errorf("committed to %d, past what was refused", at)
		}
		if m.Ready() == nil {
			t.Error("ready while a broker refuses")
		}
		if err := m.Healthy(); err != nil {
			t.Error(err)
		}
		if m.metric(t, "produce_errors_total", "topic", s.cfg.AlertsTopic, "code", "TOPIC_AUTHORIZATION_FAILED") == 0 {
			t.Error("no refusal counted")
		}
		if n := m.metric(t, "records_total"); n != done {
			t.Errorf("%v records counted, %v of them done", n, done)
		}
		f.Remove()
		s.settled(t)
		s.wantAlerts(t, false, records...)
		eventually(t, "ready again", func() bool { return m.Ready() == nil })
		if n := m.metric(t, "records_total"); int(n) != len(records) {
			t.Errorf("%v records counted, want %d", n, len(records))
		}
	})
}

// Brokers that cannot keep a record often enough are waited for; nothing is
// aborted meanwhile.
func TestTransactionsWaitForReplicas(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 2, defend).transactional()
		f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.NotEnoughReplicas, -1)
		m := s.start(t)
		records := s.produce(t, s.input(), mixed(t, defend, 50)...)
		time.Sleep(transactionTimeout)
		if f.Hits() < 3 {
			t.Errorf("the fault was met %d times", f.Hits())
		}
		f.Remove()
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if n := m.metric(t, "transactions_total", "result", "aborted"); n != 0 {
			t.Errorf("%v transactions aborted", n)
		}
	})
}

// A transaction that outlives its timeout is aborted by the brokers, which then
// fence its member. That is no twin: the member goes on in a new session.
func TestLateTransactionIsNoTwin(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 2, defend).transactional()
		f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.NotEnoughReplicas, -1)
		m := s.start(t)
		records := s.produce(t, s.input(), append(mixed(t, defend, 50), []byte("{"))...)
		time.Sleep(3 * transactionTimeout)
		f.Remove()
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if s.aborted(t) == 0 {
			t.Error("the brokers aborted nothing, the test proves nothing")
		}
		if n := len(s.readCommitted(t, s.cfg.DeadletterTopic)); n != 1 {
			t.Errorf("%d dead letters, want 1", n)
		}
		if n := m.metric(t, "records_total"); int(n) != len(records) {
			t.Errorf("%v records counted, want %d", n, len(records))
		}
	})
}

// Alerts and dead letters of one record are of one transaction: while one of
// them is refused, readers see neither.
func TestDeadLettersAreOfTheTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend).transactional()
		f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.PolicyViolation, -1)
		s.start(t)
		records := s.produce(t, s.input(), attack(t, defend), []byte("{"), attack(t, defend))
		time.Sleep(10 * time.Second)
		if n := len(s.read(t, s.cfg.AlertsTopic)); n < 4 {
			t.Errorf("%d alerts were sent, want those of several tries", n)
		}
		if n := len(s.alerted(t)); n > 0 {
			t.Errorf("%d alerts are committed without the dead letter", n)
		}
		f.Remove()
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if n := len(s.readCommitted(t, s.cfg.DeadletterTopic)); n != 1 {
			t.Errorf("%d dead letters, want 1", n)
		}
	})
}

// A batch that is left out while its dead letter is refused, in a partition with
// records in front of it and in one without, is left out once.
func TestRefusedBombIsLeftOutOnce(t *testing.T) {
	for name, before := range map[string]int{"Alone": 0, "BehindRecords": 5} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster) {
				s := c.newScene(t, 1, defend).transactional()
				f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.TopicAuthorizationFailed, -1)
				var records []*kgo.Record
				if before > 0 {
					records = s.produce(t, s.input(), mixed(t, defend, before)...)
				}
				bomb := s.bomb(t)
				records = append(records, s.produce(t, s.input(), attack(t, defend))...)
				m := s.start(t, smallBatches)
				time.Sleep(10 * time.Second)
				if at := s.committed(t, s.input(), 0); at > 0 {
					t.Errorf("committed to %d", at)
				}
				f.Remove()
				s.settled(t)
				s.wantAlerts(t, false, records...)
				s.wantDecompressLetters(t, bomb)
				if n := m.metric(t, "records_total"); int(n) != len(records)+1 {
					t.Errorf("%v records counted, want %d", n, len(records)+1)
				}
			})
		})
	}
}
