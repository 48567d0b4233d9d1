package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/hack/kafka/broker"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// patience bounds each wait of a test. Nothing takes a tenth of it on an idle
// machine.
const patience = time.Minute

// cluster is the brokers of a test.
type cluster struct {
	fake   *kfake.Cluster // nil if they are Apache Kafka
	addrs  []string
	opts   []kgo.Opt // how to reach them
	client *kgo.Client
	admin  *kadm.Client
}

// fakeCluster starts fake brokers for one test.
func fakeCluster(t *testing.T) *cluster {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.consumer.heartbeat.interval.ms": "100"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c := &cluster{fake: k}
	c.dial(t, k.ListenAddrs())
	return c
}

// apache is a real broker, started by the first test that needs it.
var apache = sync.OnceValues(func() (*broker.Cluster, error) {
	return broker.Start(context.Background(), broker.Options{Brokers: 1, Log: os.Stderr})
})

const kafkaVariable = "IMDSWATCH_KAFKA"

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(kafkaVariable) == "1" {
		if c, err := apache(); err == nil {
			c.Close()
		}
	}
	os.Exit(code)
}

// onEachCluster runs a test on fake brokers and, if that was asked for, on
// Apache Kafka.
func onEachCluster(t *testing.T, test func(*testing.T, *cluster)) {
	t.Run("Fake", func(t *testing.T) {
		t.Parallel()
		test(t, fakeCluster(t))
	})
	t.Run("Kafka", func(t *testing.T) {
		if os.Getenv(kafkaVariable) != "1" {
			t.Skip("set " + kafkaVariable + "=1 to run this on Apache Kafka too; it takes java 17 and, the first time, maven")
		}
		t.Parallel()
		k, err := apache()
		if err != nil {
			t.Fatal(err)
		}
		c := &cluster{}
		c.dial(t, k.Addrs())
		test(t, c)
	})
}

func (c *cluster) dial(t *testing.T, addrs []string) {
	t.Helper()
	c.addrs = addrs
	c.client = c.newClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	c.admin = kadm.NewClient(c.client)
}

// newClient is a client of the test, not of a pipeline.
func (c *cluster) newClient(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(append([]kgo.Opt{
		kgo.SeedBrokers(c.addrs...), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(50 * time.Millisecond),
	}, c.opts...), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func (c *cluster) createTopic(t *testing.T, topic string, partitions int32, configs map[string]*string) {
	t.Helper()
	created, err := c.admin.CreateTopic(t.Context(), partitions, 1, configs, topic)
	if err != nil {
		t.Fatalf("topic %s: %v %s", topic, err, created.ErrMessage)
	}
	eventually(t, "the broker knows topic "+topic, func() bool { // Kafka answers before it does
		known, err := c.admin.ListTopics(t.Context(), topic)
		return err == nil && known[topic].Err == nil && len(known[topic].Partitions) == int(partitions)
	})
}

// produce writes values to partition 0 of a topic and returns the records.
func (c *cluster) produce(t *testing.T, topic string, values ...[]byte) []*kgo.Record {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: v})
	}
	return c.produceRecords(t, records...)
}

func (c *cluster) produceRecords(t *testing.T, records ...*kgo.Record) []*kgo.Record {
	t.Helper()
	if err := c.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return records
}

// read returns what is in a topic.
func (c *cluster) read(t *testing.T, topic string, opts ...kgo.Opt) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := c.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	from := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(from) == 0 {
		return nil
	}
	opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords())
	client := c.newClient(t, opts...)
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() { // a transaction's marker
				records = append(records, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// scene is topics of one test on a cluster, and the configuration of the
// members that work on them.
type scene struct {
	*cluster
	cfg  Config
	set  *detector.Set
	logs *logs
}

// newScene creates input topics, one of each source, with outputs and a group.
func (c *cluster) newScene(t *testing.T, partitions int32, sources ...*normalize.Source) *scene {
	t.Helper()
	id := strings.ToLower(rand.Text()[:8])
	s := &scene{cluster: c, set: builtinSet(t), logs: &logs{}}
	s.cfg = Config{
		Brokers: c.addrs, Group: "group-" + id, AlertsTopic: "alerts-" + id, DeadletterTopic: "deadletters-" + id,
		Start: kgo.NewOffset().AtStart(), CommitInterval: 20 * time.Millisecond, DrainTimeout: patience,
		Workers: 2, Version: "1.2.3-test", Commit: "abc", Log: slog.New(slog.NewJSONHandler(s.logs, nil)),
	}
	for _, source := range sources {
		name := "raw." + source.Name + "-" + id
		s.cfg.Topics = append(s.cfg.Topics, Topic{Name: name, Source: source})
		c.createTopic(t, name, partitions, nil)
	}
	c.createTopic(t, s.cfg.AlertsTopic, 1, nil)
	c.createTopic(t, s.cfg.DeadletterTopic, 1, nil)
	return s
}

// input is the scene's first topic.
func (s *scene) input() string { return s.cfg.Topics[0].Name }

func builtinSet(t testing.TB) *detector.Set {
	t.Helper()
	rule, err := detector.Builtin(ecs.Default, detector.FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detector.NewSet([]*detector.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// committed is the group's offset of a partition, -1 if it has none.
func (s *scene) committed(t *testing.T, topic string, partition int32) int64 {
	t.Helper()
	offsets, err := s.admin.FetchOffsets(t.Context(), s.cfg.Group)
	if err != nil {
		return -1
	}
	if o, ok := offsets.Lookup(topic, partition); ok {
		return o.At
	}
	return -1
}

// settled waits until the group has committed all inputs to their ends.
func (s *scene) settled(t *testing.T) {
	t.Helper()
	for _, topic := range s.cfg.Topics {
		s.settledTopic(t, topic.Name)
	}
}

func (s *scene) settledTopic(t *testing.T, topic string) {
	t.Helper()
	behind := ""
	defer func() {
		if t.Failed() && behind != "" {
			t.Log(behind)
		}
	}()
	eventually(t, topic+" is committed to its end", func() bool {
		ends, err := s.admin.ListEndOffsets(t.Context(), topic) // each time: a transaction's marker comes late
		if err != nil {
			t.Fatal(err)
		}
		behind = ""
		ends.Each(func(end kadm.ListedOffset) {
			if at := s.committed(t, topic, end.Partition); end.Offset > 0 && at != end.Offset {
				behind = fmt.Sprintf("partition %d is committed to %d of %d", end.Partition, at, end.Offset)
			}
		})
		return behind == ""
	})
}

// logs is what members logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s *scene) alterTopic(t *testing.T, topic, key, value string) {
	t.Helper()
	set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}
	answers, err := s.admin.AlterTopicConfigs(t.Context(), set, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Err != nil {
			t.Fatal(a.Err)
		}
	}
}

// noise is text that does not compress to less than half.
func noise(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}
