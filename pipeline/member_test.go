package pipeline

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member is a running pipeline.
type member struct {
	*Pipeline
	metrics *prometheus.Registry
	cable   *cable
	cancel  context.CancelFunc
	ended   chan error
}

// start runs a member until the test ends or it is stopped.
func (s *scene) start(t *testing.T, opts ...kgo.Opt) *member {
	t.Helper()
	m := &member{metrics: prometheus.NewPedanticRegistry(), cable: &cable{conns: map[net.Conn]bool{}}, ended: make(chan error, 1)}
	base := []kgo.Opt{
		kgo.Dialer(m.cable.dial), kgo.HeartbeatInterval(100 * time.Millisecond), kgo.SessionTimeout(patience),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}
	p, err := New(s.cfg, s.set, m.metrics, append(append(base, s.opts...), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	m.Pipeline = p
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	m.cancel = cancel
	go func() { m.ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-m.ended:
			m.ended <- err
			if t.Failed() {
				t.Logf("Run returned %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("a member does not end")
		}
		if t.Failed() {
			t.Log(s.logs.String())
		}
	})
	return m
}

// stop ends a member as a signal does and returns what Run returned.
func (m *member) stop(t *testing.T) error {
	t.Helper()
	m.cancel()
	select {
	case err := <-m.ended:
		m.ended <- err
		return err
	case <-time.After(patience):
		t.Fatal("a member does not end")
		return nil
	}
}

// metric is the sum of a metric's series that have the labels, given as name
// and value by turns.
func (m *member) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	sum, _ := m.series(t, name, labels...)
	return sum
}

func (m *member) series(t *testing.T, name string, labels ...string) (sum float64, count int) {
	t.Helper()
	families, err := m.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "imdswatch_"+name {
			continue
		}
	series:
		for _, s := range f.GetMetric() {
			has := map[string]string{}
			for _, l := range s.GetLabel() {
				has[l.GetName()] = l.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if has[labels[i]] != labels[i+1] {
					continue series
				}
			}
			count++
			sum += s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		}
	}
	return sum, count
}

// cable is a member's network. Cut, it is as if the process had been killed.
type cable struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		conn.Close()
		return nil, net.ErrClosed
	}
	c.conns[conn] = true
	return conn, nil
}

func (c *cable) pull() {
	c.mu.Lock()
	c.cut = true
	c.mu.Unlock()
	c.drop()
}

// drop ends the connections that there are.
func (c *cable) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}
