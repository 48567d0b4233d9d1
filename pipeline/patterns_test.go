package pipeline

import (
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// A topic that a pattern matches is consumed as soon as the client knows of it,
// and a topic's own name decides before any pattern does.
func TestPatternGainsATopic(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		prefix := "fleet-" + s.cfg.Group
		pattern := func(text string, source *normalize.Source) Topic {
			return Topic{Name: "/" + text + "/", Pattern: regexp.MustCompile(text), Source: source}
		}
		named := prefix + ".defend"
		s.cfg.Topics = append(s.cfg.Topics, pattern(prefix+`\..*`, ecsSource), Topic{Name: named, Source: defend})
		c.createTopic(t, named, 1, nil)
		s.cfg.Start = kgo.NewOffset().AtStart()
		m := s.start(t, kgo.MetadataMaxAge(100*time.Millisecond))
		records := s.produce(t, named, attack(t, defend))
		records = append(records, s.produce(t, s.input(), attack(t, defend))...)
		s.settledTopic(t, named)

		gained := prefix + ".ecs"
		c.createTopic(t, gained, 1, nil)
		attacks, _ := ecsSource.Samples()
		records = append(records, s.produce(t, gained, attacks...)...)
		other := "x" + s.cfg.Group // no input by name or pattern
		c.createTopic(t, other, 1, nil)
		s.produce(t, other, attack(t, defend))
		s.settledTopic(t, gained)
		s.settledTopic(t, s.input())
		s.wantAlerts(t, false, records...)
		if got := m.metric(t, "records_total", "source", "ecs"); int(got) != len(attacks) {
			t.Errorf("%v records of the gained topic, want %d", got, len(attacks))
		}
		if got := m.metric(t, "partitions_assigned"); got != 3 {
			t.Errorf("%v partitions, want 3", got)
		}
	})
}
