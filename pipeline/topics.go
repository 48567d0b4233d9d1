package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// TopicState is what the brokers say of a topic that is read or written.
type TopicState struct {
	Name       string
	Write      bool // alerts or dead letters go there; else records are read
	Partitions int
	Err        error // why it cannot be used as it is to be; without the topic's name
}

// uses are the topics that are used by name, by the operation they need.
func (c *Config) uses() map[string]int32 {
	need := map[string]int32{c.AlertsTopic: opWrite, c.DeadletterTopic: opWrite}
	for _, t := range c.Topics {
		if t.Pattern == nil {
			need[t.Name] = opRead
		}
	}
	return need
}

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
	need := p.cfg.uses()
	if p.silent {
		delete(need, p.cfg.AlertsTopic)
		delete(need, p.cfg.DeadletterTopic)
	}
	if err := p.cfg.usable(ctx, client, need); err != nil {
		return err
	}
	if !p.silent {
		p.limits.read(ctx, client, p.cfg.AlertsTopic, p.cfg.DeadletterTopic)
	}
	return nil
}

// usable fails on topics that cannot be used as they are to be, and names them all.
func (c *Config) usable(ctx context.Context, client *kgo.Client, need map[string]int32) error {
	states, err := askTopics(ctx, client, need)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKafka, unreachable(err, c.Brokers))
	}
	var wrong []error
	for _, t := range states {
		if t.Err != nil {
			wrong = append(wrong, fmt.Errorf("%w: topic %q: %w", ErrKafka, t.Name, t.Err))
		}
	}
	return errors.Join(wrong...)
}

// askTopics asks the brokers for the state of topics, by name.
func askTopics(ctx context.Context, client *kgo.Client, need map[string]int32) ([]TopicState, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.IncludeTopicAuthorizedOperations = true
	for _, name := range slices.Sorted(maps.Keys(need)) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, t)
	}
	if len(request.Topics) == 0 {
		request.Topics = []kmsg.MetadataRequestTopic{} // none; nil asks for all
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	var states []TopicState
	for _, t := range response.Topics {
		states = append(states, stateOf(t, need[*t.Topic]))
	}
	slices.SortFunc(states, func(a, b TopicState) int { return strings.Compare(a.Name, b.Name) })
	return states, nil
}

func unreachable(err error, brokers []string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %v within %v", brokers, startTimeout)
	}
	return fmt.Errorf("brokers %v: %w", brokers, err)
}

func stateOf(t kmsg.MetadataResponseTopic, need int32) TopicState {
	s := TopicState{Name: *t.Topic, Write: need == opWrite, Partitions: len(t.Partitions)}
	use, used := "read", "read"
	if s.Write {
		use, used = "write", "written"
	}
	// Old brokers and ones without an authorizer answer the least integer.
	denied := t.AuthorizedOperations > 0 && t.AuthorizedOperations&need == 0
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		s.Err = fmt.Errorf("does not exist and is to be %s; create it, imdswatch never does", used)
	case errors.Is(err, kerr.TopicAuthorizationFailed), err == nil && denied:
		s.Err = fmt.Errorf("not allowed to %s (%s)", use, kerr.TopicAuthorizationFailed.Message)
	case err != nil && !kerr.IsRetriable(err):
		s.Err = err
	}
	return s
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
	if n, ok := l.told(topic); ok {
		return n
	}
	return defaultLimit
}

// told is the limit of a topic if a broker told it.
func (l *limits) told(topic string) (int32, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.bytes[topic]
	return n, ok
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
