package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// stuck is a normalizer that does not return before it is let go.
type stuck struct{ letGo chan struct{} }

func (n *stuck) Normalize(dst []ecs.Event, _ *normalize.Record) ([]ecs.Event, error) {
	<-n.letGo
	return dst, nil
}

func TestUnhealthyWhileJudgingDoesNotReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		n := &stuck{letGo: make(chan struct{})}
		s := c.newScene(t, 1, &normalize.Source{Name: "stuck", New: func() normalize.Normalizer { return n }})
		m := s.start(t)
		s.produce(t, s.input(), []byte("x"))
		eventually(t, "a batch is in work", func() bool { return m.judging.Load() != 0 })
		if err := m.Healthy(); err != nil {
			t.Errorf("unhealthy at once: %v", err)
		}
		time.Sleep(hung - time.Second)
		if err := m.Healthy(); err != nil {
			t.Errorf("unhealthy before %v: %v", hung, err)
		}
		time.Sleep(2 * time.Second)
		if m.Healthy() == nil {
			t.Errorf("healthy after %v", hung+time.Second)
		}
		close(n.letGo)
		synctest.Wait()
		if err := m.Healthy(); err != nil {
			t.Errorf("still unhealthy: %v", err)
		}
		if err := m.stop(t); err != nil {
			t.Error(err)
		}
	})
}

// Neither a long wait for records nor one for acknowledgements is a hang.
func TestHealthyWhileItWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		m := s.start(t)
		eventually(t, "ready", func() bool { return m.Ready() == nil })
		time.Sleep(3 * hung)
		if err := m.Healthy(); err != nil {
			t.Errorf("unhealthy without records: %v", err)
		}
		f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.NotEnoughReplicas, -1)
		records := s.produce(t, s.input(), attack(t, defend))
		s.waitFault(t, f, 1)
		time.Sleep(3 * hung)
		if err := m.Healthy(); err != nil {
			t.Errorf("unhealthy without an acknowledgement: %v", err)
		}
		f.Remove()
		s.settled(t)
		s.wantAlerts(t, false, records...)
		if err := m.stop(t); err != nil {
			t.Error(err)
		}
	})
}
