package pipeline

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A stop in the middle of a batch waits for its acknowledgements and commits
// it, so that the next start repeats nothing.
func TestStopDrainsTheBatchInWork(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.NotEnoughReplicas, -1)
	records := s.produce(t, s.input(), mixed(t, defend, 100)...)
	m := s.start(t)
	s.waitFault(t, f, 2)
	m.cancel()
	s.waitFault(t, f, f.Hits()+2) // it goes on trying after the signal
	select {
	case err := <-m.ended:
		t.Fatalf("Run returns %v before its alerts are acknowledged", err)
	default:
	}
	f.Remove()
	if err := m.stop(t); err != nil {
		t.Errorf("Run returns %v", err)
	}
	if at := s.committed(t, s.input(), 0); at != 100 {
		t.Errorf("committed to %d, want 100", at)
	}
	records = append(records, s.produce(t, s.input(), attack(t, defend))...)
	s.start(t)
	s.settled(t)
	s.wantAlerts(t, false, records...)
}

// A stop that cannot finish in time says so, and commits nothing that is not
// acknowledged. A record whose request was sent does not listen to its context.
func TestStopGivesUpAtTheDrainTimeout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(kmsg.Request) kmsg.Response // nil for none
	}{
		{"Retriable", func(r kmsg.Request) kmsg.Response { return answerProduce(r, kerr.NotEnoughReplicas) }},
		{"Silent", func(kmsg.Request) kmsg.Response { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fakeCluster(t).newScene(t, 1, defend)
			s.cfg.DrainTimeout = 200 * time.Millisecond
			m := s.start(t)
			records := s.produce(t, s.input(), mixed(t, defend, 10)...)
			s.settled(t)
			records = append(records, s.produce(t, s.input(), mixed(t, defend, 50)...)...)
			var met, over atomic.Bool
			s.fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				s.fake.KeepControl()
				id := s.fake.TopicIDInfo(r.(*kmsg.ProduceRequest).Topics[0].TopicID)
				if over.Load() || id == nil || id.Topic != s.cfg.AlertsTopic {
					return nil, nil, false
				}
				met.Store(true)
				return tt.answer(r), nil, true
			})
			records = append(records, s.produce(t, s.input(), mixed(t, defend, 100)...)...)
			eventually(t, "alerts are on their way", met.Load)
			began := time.Now()
			if err := m.stop(t); !errors.Is(err, errDrained) {
				t.Errorf("Run returns %v, want %v", err, errDrained)
			}
			if took := time.Since(began); took < s.cfg.DrainTimeout || took > patience/2 {
				t.Errorf("the stop took %v with a timeout of %v", took, s.cfg.DrainTimeout)
			}
			if at := s.committed(t, s.input(), 0); at >= 160 {
				t.Errorf("committed to %d, past what is not acknowledged", at)
			}
			over.Store(true)
			s.start(t)
			s.settled(t)
			s.wantAlerts(t, true, records...)
		})
	}
}

func answerProduce(r kmsg.Request, err *kerr.Error) kmsg.Response {
	request := r.(*kmsg.ProduceRequest)
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range request.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, err.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		response.Topics = append(response.Topics, rt)
	}
	return response
}

// Stops and starts under load lose nothing and repeat nothing.
func TestRestartsRepeatNothing(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend)
		load := s.load(t, 3)
		for range 4 {
			m := s.start(t)
			eventually(t, "the member works", func() bool { return m.metric(t, "records_total") > 100 })
			if err := m.stop(t); err != nil {
				t.Fatalf("Run returns %v", err)
			}
		}
		s.start(t)
		records := load.end(t)
		s.settled(t)
		s.wantAlerts(t, false, records...)
	})
}

// A stop that comes before there was anything to do ends at once.
func TestStopWhileIdle(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t)
	eventually(t, "ready", func() bool { return m.Ready() == nil })
	if err := m.stop(t); err != nil {
		t.Errorf("Run returns %v", err)
	}
	if info := s.fake.GroupInfo(s.cfg.Group); info != nil && len(info.Members) > 0 {
		t.Errorf("the group still has %d members", len(info.Members))
	}
}

// load is records that are produced while a test goes on.
type load struct {
	quit, done chan struct{}
	records    []*kgo.Record
	err        error
}

// load produces records, attacks among them, to the partitions of the input
// until it is ended: some thousand a second, no more than a member with the race
// detector keeps up with.
func (s *scene) load(t *testing.T, partitions int) *load {
	l := &load{quit: make(chan struct{}), done: make(chan struct{})}
	ctx, values := t.Context(), mixed(t, defend, 10*partitions)
	go func() {
		defer close(l.done)
		tick := time.NewTicker(time.Duration(partitions) * 10 * time.Millisecond)
		defer tick.Stop()
		for {
			var chunk []*kgo.Record
			for i, v := range values {
				chunk = append(chunk, &kgo.Record{Topic: s.input(), Partition: int32(i / 10), Value: v})
			}
			if l.err = s.client.ProduceSync(ctx, chunk...).FirstErr(); l.err != nil {
				return
			}
			l.records = append(l.records, chunk...)
			select {
			case <-l.quit:
				return
			case <-tick.C:
			}
		}
	}()
	return l
}

// end returns the records that were produced.
func (l *load) end(t *testing.T) []*kgo.Record {
	t.Helper()
	close(l.quit)
	<-l.done
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.records
}
