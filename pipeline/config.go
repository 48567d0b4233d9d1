package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"github.com/imdswatch/imdswatch/normalize"
)

// Topic is an input: a topic, or every topic whose name a pattern matches, and
// the source of its records.
type Topic struct {
	Name    string         // as it was configured
	Pattern *regexp.Regexp // nil for a topic
	Source  *normalize.Source
}

// Config is what a pipeline does where. All fields without a remark are needed.
type Config struct {
	Brokers         []string
	Group           string
	InstanceID      string // static membership; empty for dynamic
	TransactionalID string // exactly once, in transactions under this id; empty for at least once
	Rack            string // read from replicas in this rack; may be empty
	ServerBalancer  bool   // KIP-848, Kafka 4.3 or later; the client's cooperative balancer otherwise
	Topics          []Topic
	AlertsTopic     string
	DeadletterTopic string
	Start           kgo.Offset // where a group without committed offsets begins
	CommitInterval  time.Duration
	DrainTimeout    time.Duration // how long a stop waits for acknowledgements
	Workers         int           // partitions judged at once
	FetchMaxBytes   int           // of one fetch from one broker; 0 derives it from GOMEMLIMIT
	Version, Commit string
	Log             *slog.Logger
}

// sourceOf is the source of a topic's records: that of its name, else that of
// the first pattern that matches; nil for a topic that is no input.
func (c *Config) sourceOf(topic string) *normalize.Source {
	for _, t := range c.Topics {
		if t.Pattern == nil && t.Name == topic {
			return t.Source
		}
	}
	for _, t := range c.Topics {
		if t.Pattern != nil && t.Pattern.MatchString(topic) {
			return t.Source
		}
	}
	return nil
}

// exactlyOnce tells whether alerts, dead letters and offsets go in transactions.
func (c *Config) exactlyOnce() bool { return c.TransactionalID != "" }

// check finds the outputs that are inputs: imdswatch would read what it wrote.
// It finds the topics whose records cannot be delivered exactly once.
func (c *Config) check() error {
	if c.exactlyOnce() {
		var joining []error
		for _, t := range c.Topics {
			if t.Source.Joins {
				joining = append(joining, fmt.Errorf("topic %q cannot be delivered exactly once: a transaction commits all that was polled, and source %s holds records back until their event is whole; "+
					"give the topic a deployment of its own with at-least-once: what repeats there has the same alert ids", t.Name, t.Source.Name))
			}
		}
		if len(joining) > 0 {
			return errors.Join(joining...)
		}
	}
	if c.AlertsTopic == c.DeadletterTopic {
		return fmt.Errorf("alerts and dead letters both go to topic %q, want two topics", c.AlertsTopic)
	}
	for _, out := range []string{c.AlertsTopic, c.DeadletterTopic} {
		for _, t := range c.Topics {
			if t.Pattern == nil && t.Name == out || t.Pattern != nil && t.Pattern.MatchString(out) {
				return fmt.Errorf("output topic %q is an input as well, by %q", out, t.Name)
			}
		}
	}
	return nil
}

// consumed are the topics as kgo wants them: names, or where one of them is a
// pattern, patterns.
func (c *Config) consumed() (topics []string, regex bool) {
	for _, t := range c.Topics {
		regex = regex || t.Pattern != nil
	}
	for _, t := range c.Topics {
		switch {
		case t.Pattern != nil:
			topics = append(topics, t.Pattern.String())
		case regex:
			topics = append(topics, "^"+regexp.QuoteMeta(t.Name)+"$")
		default:
			topics = append(topics, t.Name)
		}
	}
	return topics, regex
}

// ParseTopic reads "topic:source" or "/pattern/:source".
func ParseTopic(s string) (Topic, error) {
	colon := strings.LastIndexByte(s, ':')
	t := Topic{Name: strings.TrimSpace(s[:max(0, colon)])}
	if t.Name == "" {
		return Topic{}, fmt.Errorf("topic %q: want topic:source", s)
	}
	name := strings.TrimSpace(s[colon+1:])
	if t.Source = normalize.Lookup(name); t.Source == nil {
		var names []string
		for _, s := range normalize.Sources() {
			names = append(names, s.Name)
		}
		return Topic{}, fmt.Errorf("topic %q: no source %q, want one of %s", s, name, strings.Join(names, " "))
	}
	if n := t.Name; len(n) > 2 && n[0] == '/' && n[len(n)-1] == '/' {
		re, err := regexp.Compile(n[1 : len(n)-1])
		if err != nil {
			return Topic{}, fmt.Errorf("topic %q: %w", s, err)
		}
		t.Pattern = re
	}
	return t, nil
}

const (
	// pollRecords bounds a batch. A rebalance waits for the batch in work, so
	// judging and acknowledging it must stay far below the rebalance timeout of
	// 60 s; 10,000 records take some 20 ms.
	pollRecords = 10_000
	// maxBatchBytes bounds what one compressed batch may unfold to.
	maxBatchBytes = 64 << 20
	// maxFetchBytes is kgo's own default for a fetch from one broker.
	maxFetchBytes = 50 << 20
	// minFetchBytes lets a fetch hold several batches of usual size.
	minFetchBytes = 4 << 20
)

// fetchMaxBytes is the size of one fetch. kgo holds a fetch a broker, twice
// over while it decompresses, and records inflate some four times: an eighth of
// the memory limit keeps three brokers within it.
func (c *Config) fetchMaxBytes() int32 {
	if c.FetchMaxBytes > 0 {
		return int32(min(c.FetchMaxBytes, math.MaxInt32))
	}
	limit := debug.SetMemoryLimit(-1)
	return int32(max(minFetchBytes, min(limit/8, maxFetchBytes)))
}

// base are the options of every client: those that do not read or write.
func (c *Config) base() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("imdswatch"),
		kgo.SoftwareNameAndVersion("imdswatch", softwareVersion(c.Version)),
		// Without it a connection that drops on its first request ends a
		// commit or a produce for good.
		kgo.AlwaysRetryEOF(),
		// Most retries wait for new metadata: five seconds by default.
		kgo.MetadataMinAge(250 * time.Millisecond),
	}
}

// softwareVersion is the version in the letters KIP-511 allows. Brokers answer no
// client that sends none.
func softwareVersion(v string) string {
	return cmp.Or(strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9.-]`).ReplaceAllString(v, "-"), ".-"), "unknown")
}

// client are the options of the client that consumes and produces.
func (p *Pipeline) clientOptions() []kgo.Opt {
	c := &p.cfg
	topics, regex := c.consumed()
	opts := append(c.base(),
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeStartOffset(c.Start),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Control records move the position over transaction markers; without
		// them the lag of a transactional topic never reaches 0.
		kgo.KeepControlRecords(),
		// A deleted topic is silent otherwise.
		kgo.KeepRetryableFetchErrors(),
		kgo.FetchMaxBytes(c.fetchMaxBytes()),
		// A partition that is assigned anew waits until the fetch in flight
		// returns: on quiet topics five seconds by default.
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(p.assigned),
		kgo.OnPartitionsRevoked(p.revoked),
		kgo.OnPartitionsLost(p.lost),
		kgo.AdjustFetchOffsetsFn(p.positioned),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(p.limits.of),
	)
	if regex {
		opts = append(opts, kgo.ConsumeRegex())
	}
	if c.exactlyOnce() {
		// That a group waits for offsets in transactions that are still open
		// (KIP-447) is the client's only way by now.
		opts = append(opts, kgo.TransactionalID(c.TransactionalID), kgo.TransactionTimeout(transactionTimeout))
	}
	if c.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(c.InstanceID))
	}
	if c.Rack != "" {
		opts = append(opts, kgo.Rack(c.Rack))
	}
	if c.ServerBalancer {
		opts = append(opts, kgo.ServerSideBalancer())
	} else {
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	// A hook of its own for each client: one that is closed may still be at it.
	opts = append(opts, kgo.WithHooks(kprom.NewMetrics("imdswatch", kprom.Subsystem("kafka"), kprom.Registerer(p.reg))))
	return append(opts, p.opts...)
}
