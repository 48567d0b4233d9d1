package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrKafka marks an error of Run that the brokers gave: they cannot be reached,
// a topic is missing, or something is not allowed.
var ErrKafka = errors.New("kafka")

// startTimeout bounds the checks before a run.
const startTimeout = 20 * time.Second

// The operations of Kafka's ACLs, by their bits in a metadata response
// (org.apache.kafka.common.acl.AclOperation).
const (
	opRead  = 1 << 3
	opWrite = 1 << 4
)

// checkTopics asks the brokers whether every topic exists and may be used as it
// will be, and returns all that is wrong at once. It notes how large a record
// each output takes.
func (p *Pipeline) checkTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(p.cfg.base(), p.opts...)...)
	if err != nil {
		return err
	}
	defer client.Close()

	request := kmsg.NewPtrMetadataRequest()
	request.IncludeTopicAuthorizedOperations = true
	need := map[string]int32{p.cfg.AlertsTopic: opWrite, p.cfg.DeadletterTopic: opWrite}
	for _, t := range p.cfg.Topics {
		if t.Pattern == nil {
			need[t.Name] = opRead
		}
	}
	for _, name := range slices.Sorted(maps.Keys(need)) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, t)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKafka, unreachable(err, p.cfg.Brokers))
	}
	var wrong []error
	for _, t := range response.Topics {
		if err := checkTopic(t, need[*t.Topic]); err != nil {
			wrong = append(wrong, fmt.Errorf("%w: %w", ErrKafka, err))
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	p.limits.read(ctx, client, p.cfg.AlertsTopic, p.cfg.DeadletterTopic)
	return nil
}

func unreachable(err error, brokers []string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %v within %v", brokers, startTimeout)
	}
	return fmt.Errorf("brokers %v: %w", brokers, err)
}

func checkTopic(t kmsg.MetadataResponseTopic, need int32) error {
	use := "read"
	if need == opWrite {
		use = "write"
	}
	name := *t.Topic
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("topic %q, to %s, does not exist; create it, imdswatch never does", name, use)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("topic %q, to %s, is not allowed: TOPIC_AUTHORIZATION_FAILED", name, use)
	case err != nil && !kerr.IsRetriable(err):
		return fmt.Errorf("topic %q, to %s: %w", name, use, err)
	}
	// Old brokers and ones without an authorizer answer the least integer.
	if ops := t.AuthorizedOperations; ops > 0 && ops&need == 0 {
		return fmt.Errorf("topic %q is not allowed to be used: this user may not %s it", name, use)
	}
	return nil
}

// limits are the sizes of the largest batch that topics take, in bytes.
type limits struct {
	mu    sync.Mutex
	bytes map[string]int32
}

// defaultLimit is a broker's message.max.bytes where nobody changed it, and
// kgo's own bound (1,000,012 is a little below the broker's 1,048,588).
const defaultLimit = 1_000_012

// of is the limit of a topic; it never blocks on a broker.
func (l *limits) of(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.bytes[topic]; ok {
		return n
	}
	return defaultLimit
}

// read asks the brokers for max.message.bytes of the topics. Where that is not
// allowed the default stands.
func (l *limits) read(ctx context.Context, client *kgo.Client, topics ...string) {
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes == nil {
		l.bytes = map[string]int32{}
	}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if n, err := strconv.ParseInt(kv.MaybeValue(), 10, 32); kv.Key == "max.message.bytes" && err == nil && n > 0 {
				l.bytes[c.Name] = int32(n)
			}
		}
	}
}
