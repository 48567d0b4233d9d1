package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// inBubble runs a test with fake brokers on a network and a clock of its own,
// where a minute takes no time.
func inBubble(t *testing.T, test func(*testing.T, *cluster)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen), kfake.GroupMinSessionTimeout(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		c := &cluster{fake: k, opts: []kgo.Opt{kgo.Dialer(network.DialContext)}}
		c.dial(t, k.ListenAddrs())
		test(t, c)
	})
}

// silence makes the brokers accept requests and answer none.
func (c *cluster) silence() {
	c.fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		c.fake.KeepControl()
		return nil, nil, true
	})
}
