package pipeline

import (
	"errors"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// run starts a member that must fail before it consumes, and returns its error.
func (s *scene) run(t *testing.T, opts ...kgo.Opt) error {
	t.Helper()
	p, err := New(s.cfg, s.set, prometheus.NewRegistry(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(t.Context())
	if p.Ready() == nil {
		t.Error("ready after a failed start")
	}
	return err
}

func TestMissingTopicsAreNamedAtOnce(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		gone := []string{"missing-input", "missing-alerts", "missing-deadletters"}
		present := s.input()
		s.cfg.Topics = append(s.cfg.Topics, Topic{Name: gone[0], Source: defend}, Topic{Name: "/none.*/", Pattern: regexp.MustCompile("none.*"), Source: defend})
		s.cfg.AlertsTopic, s.cfg.DeadletterTopic = gone[1], gone[2]
		err := s.run(t)
		if !errors.Is(err, ErrKafka) {
			t.Fatalf("Run returns %v", err)
		}
		for i, use := range []string{"read", "written", "written"} {
			if want := `topic "` + gone[i] + `": does not exist and is to be ` + use + `; create it`; strings.Count(err.Error(), want) != 1 {
				t.Errorf("error does not say %s once:\n%v", want, err)
			}
		}
		if strings.Contains(err.Error(), present) {
			t.Errorf("error names a topic that is there:\n%v", err)
		}
	})
}

func TestDeniedTopicsAreNamed(t *testing.T) {
	t.Parallel()
	acl := func(topic string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: topic, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	c := &cluster{opts: []kgo.Opt{kgo.SASL(plain.Auth{User: "root", Pass: "root"}.AsMechanism())}}
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "root"),
		kfake.User("PLAIN", "member", "pw",
			acl("in", kmsg.ACLOperationDescribe), // and not read
			acl("alerts", kmsg.ACLOperationWrite), acl("alerts", kmsg.ACLOperationDescribe),
			acl("only-read", kmsg.ACLOperationRead), acl("only-read", kmsg.ACLOperationDescribe),
		))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c.fake = k
	c.dial(t, k.ListenAddrs())
	for _, topic := range []string{"in", "alerts", "only-read", "hidden"} {
		c.createTopic(t, topic, 1, nil)
	}
	s := &scene{cluster: c, set: builtinSet(t), cfg: Config{
		Brokers: c.addrs, Group: "g", AlertsTopic: "alerts", DeadletterTopic: "only-read",
		Topics: []Topic{{Name: "in", Source: defend}, {Name: "hidden", Source: defend}, {Name: "only-read-not", Source: defend}},
	}}
	err = s.run(t, kgo.SASL(plain.Auth{User: "member", Pass: "pw"}.AsMechanism()))
	if !errors.Is(err, ErrKafka) {
		t.Fatalf("Run returns %v", err)
	}
	for _, want := range []string{`"in": not allowed to read (TOPIC_AUTHORIZATION_FAILED)`,
		`"only-read": not allowed to write (TOPIC_AUTHORIZATION_FAILED)`, `"hidden": not allowed to read (TOPIC_AUTHORIZATION_FAILED)`} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("error does not say %s once:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), `"alerts"`) {
		t.Errorf("error names a topic that may be used:\n%v", err)
	}
}

func TestUnreachableBrokerIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s := &scene{cluster: &cluster{}, set: builtinSet(t), cfg: Config{
		Brokers: []string{address}, Group: "g", AlertsTopic: "alerts", DeadletterTopic: "deadletters", Topics: []Topic{{Name: "in", Source: defend}},
	}}
	err = s.run(t, kgo.RequestRetries(1))
	if !errors.Is(err, ErrKafka) || !strings.Contains(err.Error(), address) {
		t.Errorf("Run returns %v", err)
	}
}

// A broker that accepts and never answers is given up on.
func TestSilentBrokerIsGivenUpOn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := &scene{cluster: c, set: builtinSet(t), cfg: Config{
			Brokers: c.addrs, Group: "g", AlertsTopic: "alerts", DeadletterTopic: "deadletters", Topics: []Topic{{Name: "in", Source: defend}},
		}}
		c.silence()
		err := s.run(t, c.opts...)
		if !errors.Is(err, ErrKafka) || !strings.Contains(err.Error(), c.addrs[0]) {
			t.Errorf("Run returns %v", err)
		}
	})
}

// A stop while a member starts is no error.
func TestStopDuringTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		c.silence()
		m := s.start(t)
		if err := m.stop(t); err != nil {
			t.Errorf("Run returns %v", err)
		}
	})
}
