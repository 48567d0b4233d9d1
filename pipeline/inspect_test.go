package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// rights are the least that a member needs.
var rights = []kfake.ACL{
	allow(kmsg.ACLResourceTypeTopic, "in", kmsg.ACLOperationRead),
	allow(kmsg.ACLResourceTypeTopic, "raw.a", kmsg.ACLOperationRead),
	allow(kmsg.ACLResourceTypeTopic, "alerts", kmsg.ACLOperationWrite),
	allow(kmsg.ACLResourceTypeTopic, "deadletters", kmsg.ACLOperationWrite),
	allow(kmsg.ACLResourceTypeGroup, "g", kmsg.ACLOperationRead),
	allow(kmsg.ACLResourceTypeTransactionalId, "id", kmsg.ACLOperationWrite),
}

func allow(kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
}

// inspect inspects as a user with rights and returns the checks as lines.
func inspect(t *testing.T, rights ...kfake.ACL) (lines []string) {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "root"),
		kfake.User("PLAIN", "member", "pw", rights...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c := &cluster{fake: k, opts: []kgo.Opt{kgo.SASL(plain.Auth{User: "root", Pass: "root"}.AsMechanism())}}
	c.dial(t, k.ListenAddrs())
	for _, topic := range []string{"in", "raw.a", "raw.b", "alerts", "deadletters"} {
		c.createTopic(t, topic, 2, nil)
	}
	checks := Inspect(t.Context(), Config{
		Brokers: c.addrs, Group: "g", TransactionalID: "id", AlertsTopic: "alerts", DeadletterTopic: "deadletters",
		Topics: []Topic{{Name: "in", Source: defend}, {Name: "/raw.*/", Pattern: regexp.MustCompile("^raw"), Source: defend}},
	}, kgo.SASL(plain.Auth{User: "member", Pass: "pw"}.AsMechanism()))
	for _, check := range checks {
		if check.Err != nil {
			lines = append(lines, fmt.Sprintf("FAIL %s: %v", check.What, check.Err))
		} else {
			lines = append(lines, fmt.Sprintf("ok %s: %s", check.What, check.Detail))
		}
	}
	return lines
}

func TestInspect(t *testing.T) {
	t.Parallel()
	got := strings.Join(inspect(t, rights...), "\n")
	want := regexp.MustCompile(`^ok brokers: 1 reached, Kafka .*
ok topic alerts: 2 partitions, to write, max\.message\.bytes 1000012 is assumed, this user may not ask \(DescribeConfigs\)
ok topic deadletters: 2 partitions, to write, max\.message\.bytes 1000012 is assumed, this user may not ask \(DescribeConfigs\)
ok topic in: 2 partitions, to read
ok topic /raw\.\*/: matches 1 topics with 2 partitions, to read
ok group g: to join and commit
ok transactional id id: to write$`)
	if !want.MatchString(got) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each right that is taken away, and left at describing it, is named.
func TestInspectNamesEachRight(t *testing.T) {
	t.Parallel()
	wants := []string{
		"FAIL topic in: not allowed to read (TOPIC_AUTHORIZATION_FAILED)",
		"FAIL topic /raw.*/: raw.a: not allowed to read (TOPIC_AUTHORIZATION_FAILED)",
		"FAIL topic alerts: not allowed to write (TOPIC_AUTHORIZATION_FAILED)",
		"FAIL topic deadletters: not allowed to write (TOPIC_AUTHORIZATION_FAILED)",
		"FAIL group g: not allowed to read (GROUP_AUTHORIZATION_FAILED)",
		"FAIL transactional id id: not allowed to write (TRANSACTIONAL_ID_AUTHORIZATION_FAILED)",
	}
	for i, want := range wants {
		for _, describe := range []bool{false, true} {
			left := append(append([]kfake.ACL{}, rights[:i]...), rights[i+1:]...)
			if describe {
				left = append(left, allow(rights[i].Resource, rights[i].Name, kmsg.ACLOperationDescribe))
			} else if rights[i].Name == "raw.a" { // nobody can tell from a topic that is not there
				want = "ok topic /raw.*/: warning: matches no topic that this user may see"
			}
			found, fails := false, 0
			lines := inspect(t, left...)
			for _, line := range lines {
				found = found || line == want
				if strings.HasPrefix(line, "FAIL") {
					fails++
				}
			}
			if !found || fails != 1 && strings.HasPrefix(want, "FAIL") {
				t.Errorf("without a right, described %v, want only %s:\n%s", describe, want, strings.Join(lines, "\n"))
			}
			want = wants[i]
		}
	}
}

// On brokers without an authorizer, and for a group that does not exist or does.
func TestInspectOnEachCluster(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		s.cfg.TransactionalID = "id-" + s.cfg.Group
		look := func() {
			t.Helper()
			for _, check := range Inspect(t.Context(), s.cfg, s.opts...) {
				t.Logf("%s: %s", check.What, check.Detail)
				if check.Err != nil {
					t.Errorf("%s: %v", check.What, check.Err)
				}
			}
		}
		look()
		id := s.cfg.TransactionalID
		s.cfg.TransactionalID = ""
		s.produce(t, s.input(), nearMiss(t, defend))
		s.start(t)
		s.settled(t)
		s.cfg.TransactionalID = id
		look()
		if at := s.committed(t, s.input(), 0); at != 1 {
			t.Errorf("the group is at %d after a look at it", at)
		}
	})
}

func TestInspectWithoutBrokers(t *testing.T) {
	t.Parallel()
	checks := Inspect(t.Context(), Config{Brokers: []string{"127.0.0.1:1"}, AlertsTopic: "a", DeadletterTopic: "d", Topics: []Topic{{Name: "in", Source: defend}}})
	if len(checks) != 1 || checks[0].What != "brokers" || !errors.Is(checks[0].Err, ErrKafka) {
		t.Errorf("checks %+v", checks)
	}
	checks = Inspect(t.Context(), Config{Brokers: []string{"127.0.0.1:1"}, AlertsTopic: "a", DeadletterTopic: "a"})
	if len(checks) != 1 || checks[0].What != "configuration" || checks[0].Err == nil {
		t.Errorf("checks %+v", checks)
	}
}
