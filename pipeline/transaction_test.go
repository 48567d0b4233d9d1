package pipeline

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transactional makes the scene's members deliver exactly once, under an id that
// they share: only one may run at a time.
func (s *scene) transactional() *scene {
	s.cfg.TransactionalID = "id-" + s.cfg.Group
	s.cfg.InstanceID = s.cfg.TransactionalID
	return s
}

// as are the same members under another id.
func (s *scene) as(id string) *scene {
	other := *s
	other.cfg.TransactionalID, other.cfg.InstanceID = s.cfg.Group+"-"+id, s.cfg.Group+"-"+id
	return &other
}

// openTransaction reports whether a topic ends in records of a transaction that
// is not ended.
func (s *scene) openTransaction(t *testing.T, topic string) bool {
	t.Helper()
	ends, err := s.admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	stable, err := s.admin.ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	open := false
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := stable.Lookup(end.Topic, end.Partition)
		open = open || at.Offset < end.Offset
	})
	return open
}

// readCommitted returns what is committed in a topic, once no transaction is open.
func (s *scene) readCommitted(t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	eventually(t, "no transaction is open", func() bool { return !s.openTransaction(t, topic) })
	return s.read(t, topic, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

// aborted is how many alerts there are that were sent and not committed.
func (s *scene) aborted(t *testing.T) int {
	t.Helper()
	return len(s.read(t, s.cfg.AlertsTopic)) - len(s.readCommitted(t, s.cfg.AlertsTopic))
}

// A member that is killed in the middle of a transaction, again and again, loses
// nothing and repeats nothing for readers of what is committed.
func TestKillsInTransactionsRepeatNothing(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend).transactional()
		s.cfg.DrainTimeout = 200 * time.Millisecond // the victims' ends must not hold up the test's
		load := s.load(t, 3)
		for range 5 {
			victim := s.start(t)
			eventually(t, "the victim has committed", func() bool { return victim.metric(t, "transactions_total", "result", "committed") > 1 })
			eventually(t, "the victim is in a transaction", func() bool { return s.openTransaction(t, s.cfg.AlertsTopic) })
			victim.cable.pull()
			victim.cancel()
		}
		s.start(t)
		records := load.end(t)
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if n := s.aborted(t); n == 0 {
			t.Error("no alert was aborted: no kill met a transaction, the test proves nothing")
		}
	})
}

// Stops and starts under load, in the middle of transactions, abort none.
func TestStopsInTransactionsCommitThem(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend).transactional()
		load := s.load(t, 3)
		for range 4 {
			m := s.start(t)
			eventually(t, "the member works", func() bool { return m.metric(t, "records_total") > 100 })
			eventually(t, "the member is in a transaction", func() bool { return s.openTransaction(t, s.cfg.AlertsTopic) })
			if err := m.stop(t); err != nil {
				t.Fatalf("Run returns %v", err)
			}
			if s.openTransaction(t, s.cfg.AlertsTopic) {
				t.Error("the stop leaves a transaction open")
			}
		}
		m := s.start(t)
		records := load.end(t)
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if n := s.aborted(t); n != 0 {
			t.Errorf("%d alerts were aborted", n)
		}
		if got := m.metric(t, "commits_total"); got != 0 {
			t.Errorf("%v commits outside of transactions", got)
		}
	})
}

// Members with ids of their own, of which each is killed or stopped and comes
// back, while a guest without a static id makes the group rebalance again and
// again.
func TestRebalancesRepeatNothing(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 6, defend)
		s.cfg.DrainTimeout = 200 * time.Millisecond
		s.cfg.TransactionalID = s.cfg.Group + "-guest"
		load := s.load(t, 6)
		static := []*scene{s.as("0"), s.as("1"), s.as("2")}
		var members [3]*member
		for i, own := range static {
			members[i] = own.start(t)
		}
		share := func(m *member, n float64) func() bool {
			return func() bool { return m.metric(t, "partitions_assigned") == n }
		}
		for i := range 6 {
			guest := s.start(t)
			eventually(t, "the guest has its share", func() bool { return guest.metric(t, "partitions_assigned") > 0 })
			m := members[i%3]
			before := m.metric(t, "transactions_total", "result", "committed")
			eventually(t, "the member commits", func() bool { return m.metric(t, "transactions_total", "result", "committed") > before })
			if i%2 == 0 {
				m.cable.pull()
				m.cancel()
			} else if err := m.stop(t); err != nil && !errors.Is(err, errDrained) {
				t.Errorf("Run returns %v", err)
			}
			members[i%3] = static[i%3].start(t)
			if err := guest.stop(t); err != nil && !errors.Is(err, errDrained) {
				t.Errorf("Run returns %v", err)
			}
			eventually(t, "the guest's share is taken over", share(members[(i+1)%3], 2))
		}
		records := load.end(t)
		s.settled(t)
		s.wantAlerts(t, false, records...)
		t.Logf("%d alerts were aborted", s.aborted(t))
	})
}

// A session whose transaction cannot be ended is replaced, without an end of the
// process.
func TestFailedEndsAreOverwon(t *testing.T) {
	for _, trouble := range []*kerr.Error{kerr.InvalidTxnState, kerr.UnknownServerError, kerr.CoordinatorNotAvailable, kerr.TransactionalIDAuthorizationFailed} {
		t.Run(trouble.Message, func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 2, defend).transactional()
			f := s.fault(kmsg.EndTxn, "", trouble, 2)
			load := s.load(t, 2)
			m := s.start(t)
			s.waitFault(t, f, 2)
			records := load.end(t)
			s.settled(t)
			s.wantAlerts(t, false, records...)
			eventually(t, "ready", func() bool { return m.Ready() == nil })
			if got := m.metric(t, "records_total"); int(got) != len(records) {
				t.Errorf("%v records counted, want %d: one outcome each, however often they were judged", got, len(records))
			}
		})
	}
}

// transactional tells a member's requests from those of a test's client.
func transactional(r kmsg.Request) bool {
	switch r := r.(type) {
	case *kmsg.ProduceRequest:
		return r.TransactionID != nil
	case *kmsg.InitProducerIDRequest:
		return r.TransactionalID != nil
	}
	return true
}

// Connections that drop in the middle of a transaction, before a request is
// heard or before its answer is, cost nothing.
func TestDroppedConnectionsRepeatNothing(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		for _, heard := range []bool{false, true} {
			t.Run(key.Name()+"/Heard="+strconv.FormatBool(heard), func(t *testing.T) {
				t.Parallel()
				s := fakeCluster(t).newScene(t, 2, defend).transactional()
				records := s.produce(t, s.input(), mixed(t, defend, 20)...)
				m := s.start(t)
				var met atomic.Int32
				s.fake.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
					s.fake.KeepControl()
					if !transactional(r) || met.Add(1)%3 != 1 {
						return nil, nil, false
					}
					if heard {
						m.cable.drop()
						return nil, nil, false
					}
					return nil, errors.New("dropped"), true
				})
				for range 5 {
					records = append(records, s.produce(t, s.input(), mixed(t, defend, 20)...)...)
					s.settled(t)
				}
				s.wantAlerts(t, false, records...)
				if met.Load() < 4 {
					t.Errorf("the request was met %d times, the test proves nothing", met.Load())
				}
			})
		}
	}
}

// Of two members with one id the first one ends, and says which id it is.
func TestTwinsAreToldApart(t *testing.T) {
	for _, static := range []bool{true, false} {
		t.Run("Static="+strconv.FormatBool(static), func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 2, defend).transactional()
			if !static {
				s.cfg.InstanceID = ""
			}
			load := s.load(t, 2)
			first := s.start(t)
			eventually(t, "the first member commits", func() bool { return first.metric(t, "transactions_total", "result", "committed") > 0 })
			second := s.start(t)
			var err error
			select {
			case err = <-first.ended:
				first.ended <- err
			case err = <-second.ended: // dynamic members fence each other by turns
				second.ended <- err
				second = first
			case <-time.After(patience):
				t.Fatal("both members run on")
			}
			if !errors.Is(err, ErrKafka) || !strings.Contains(err.Error(), strconv.Quote(s.cfg.TransactionalID)) {
				t.Errorf("Run returns %v, want an error of Kafka's that names %s", err, s.cfg.TransactionalID)
			}
			records := load.end(t)
			s.settled(t)
			s.wantAlerts(t, false, records...)
			select {
			case err := <-second.ended:
				t.Errorf("the other member ends too: %v", err)
			default:
			}
		})
	}
}

// An abort before anything is committed goes back to where the group begins, not
// to where the log does.
func TestAbortsGoBackToTheStart(t *testing.T) {
	for _, at := range []string{"latest", "time"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 1, defend).transactional()
			old := time.Now().Add(-time.Hour)
			s.produceRecords(t, &kgo.Record{Topic: s.input(), Value: attack(t, defend), Timestamp: old}, &kgo.Record{Topic: s.input(), Value: attack(t, defend), Timestamp: old})
			s.cfg.Start = kgo.NewOffset().AtEnd()
			if at == "time" {
				s.cfg.Start = kgo.NewOffset().AfterMilli(old.Add(time.Minute).UnixMilli())
			}
			f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, 3)
			m := s.start(t)
			eventually(t, "the start is known", func() bool {
				_, ok := m.Pipeline.start(topicPartition{s.input(), 0})
				return ok
			})
			records := s.produce(t, s.input(), attack(t, defend), attack(t, defend))
			s.waitFault(t, f, 3)
			s.settled(t)
			s.wantAlerts(t, false, records...)
			if got := m.metric(t, "records_total"); int(got) != len(records) {
				t.Errorf("%v records counted, want %d", got, len(records))
			}
		})
	}
}

// A stop that cannot finish its transaction in time says so, and commits none of it.
func TestStopGivesATransactionUpAtTheDrainTimeout(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.InitProducerID} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 1, defend).transactional()
			s.cfg.DrainTimeout = 200 * time.Millisecond
			m := s.start(t)
			eventually(t, "ready", func() bool { return m.Ready() == nil })
			var met, over atomic.Bool
			s.fake.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
				s.fake.KeepControl()
				if over.Load() || !transactional(r) {
					return nil, nil, false
				}
				met.Store(true)
				return nil, nil, true // no answer
			})
			records := s.produce(t, s.input(), mixed(t, defend, 50)...)
			eventually(t, "the request is met", met.Load)
			began := time.Now()
			if err := m.stop(t); !errors.Is(err, errDrained) {
				t.Errorf("Run returns %v, want %v", err, errDrained)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("the stop took %v with a timeout of %v", took, s.cfg.DrainTimeout)
			}
			over.Store(true)
			s.start(t)
			s.settled(t)
			s.wantAlerts(t, false, records...)
		})
	}
}
