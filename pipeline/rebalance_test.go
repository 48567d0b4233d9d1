package pipeline

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member that comes and goes under load costs nothing and, where the client
// balances, repeats nothing: it commits before it gives a partition away.
func TestMembersComeAndGo(t *testing.T) {
	for _, server := range []bool{false, true} {
		t.Run(map[bool]string{false: "Cooperative", true: "Server"}[server], func(t *testing.T) {
			t.Parallel()
			onEachCluster(t, func(t *testing.T, c *cluster) { comeAndGo(t, c, server) })
		})
	}
}

func comeAndGo(t *testing.T, c *cluster, server bool) {
	s := c.newScene(t, 6, defend)
	s.cfg.ServerBalancer = server
	load := s.load(t, 6)
	steady := s.start(t)
	eventually(t, "the first member has all", func() bool { return steady.metric(t, "partitions_assigned") == 6 })
	for range 3 {
		guest := s.start(t)
		eventually(t, "the members share the partitions", func() bool {
			return steady.metric(t, "partitions_assigned") == 3 && guest.metric(t, "partitions_assigned") == 3
		})
		if _, n := steady.series(t, "lag_records"); n > 3 {
			t.Errorf("%d lag series of 3 partitions", n)
		}
		if err := guest.stop(t); err != nil {
			t.Errorf("Run returns %v", err)
		}
		eventually(t, "the first member has all again", func() bool { return steady.metric(t, "partitions_assigned") == 6 })
	}
	records := load.end(t)
	s.settled(t)
	s.wantAlerts(t, server, records...)
	for kind, least := range map[string]float64{"assigned": 4, "revoked": 3} {
		if got := steady.metric(t, "rebalances_total", "kind", kind); got < least {
			t.Errorf("%v rebalances of kind %s, want at least %v", got, kind, least)
		}
	}
}

// A member that is killed leaves its partitions to the other; what it had not
// committed comes again.
func TestKilledMemberLosesNothing(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 4, defend)
		s.cfg.DrainTimeout = 500 * time.Millisecond // the victim's end must not hold up the test's
		short := kgo.SessionTimeout(1500 * time.Millisecond)
		victim, heir := s.start(t, short), s.start(t, short)
		eventually(t, "the members share the partitions", func() bool {
			return victim.metric(t, "partitions_assigned") == 2 && heir.metric(t, "partitions_assigned") == 2
		})
		load := s.load(t, 4)
		eventually(t, "the victim works", func() bool { return victim.metric(t, "records_total") > 50 })
		victim.cable.pull()
		eventually(t, "the heir has all", func() bool { return heir.metric(t, "partitions_assigned") == 4 })
		records := load.end(t)
		s.settled(t)
		s.wantAlerts(t, true, records...)
	})
}

// A member that the group has timed out drops its partitions without a commit,
// joins again and goes on.
func TestLostMemberComesBack(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 2, defend)
	m := s.start(t)
	load := s.load(t, 2)
	eventually(t, "the member works", func() bool { return m.metric(t, "records_total") > 50 })
	f := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: s.cfg.Group, Err: kerr.UnknownMemberID, TopLevel: true})
	s.waitFault(t, f, 1)
	eventually(t, "the loss is noticed", func() bool { return m.metric(t, "rebalances_total", "kind", "lost") == 1 })
	records := load.end(t)
	s.settled(t)
	s.wantAlerts(t, true, records...)
}
