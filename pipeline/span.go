package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bound is one end of a range of history.
type Bound struct {
	Earliest, Latest bool
	Time             time.Time // else the first record of this time or later, if set
	Offset           int64     // else this offset
}

// Spans resolves a range to the exact offsets of each partition: of the topics
// named, or of all inputs if none is, and of the partitions numbered, or of all.
// An end behind the last committed record is that record's at the time of the
// call. A start in front of the log is kept, and counts as a gap.
func Spans(ctx context.Context, cfg Config, topics []string, partitions []int32, from, to Bound, opts ...kgo.Opt) ([]*Span, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(cfg.base(), opts...)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if topics, err = cfg.inputs(ctx, admin, topics); err != nil {
		return nil, err
	}
	need := map[string]int32{}
	for _, t := range topics {
		need[t] = opRead
	}
	if err := cfg.usable(ctx, client, need); err != nil {
		return nil, err
	}
	starts, err1 := admin.ListStartOffsets(ctx, topics...)
	ends, err2 := admin.ListCommittedOffsets(ctx, topics...)
	froms, err3 := bounded(ctx, admin, from, topics, starts, ends)
	tos, err4 := bounded(ctx, admin, to, topics, starts, ends)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKafka, unreachable(err, cfg.Brokers))
	}
	var spans []*Span
	ends.Each(func(end kadm.ListedOffset) {
		if len(partitions) > 0 && !slices.Contains(partitions, end.Partition) {
			return
		}
		start, _ := starts.Lookup(end.Topic, end.Partition)
		s := &Span{Topic: end.Topic, Partition: end.Partition, End: end.Offset}
		s.To = min(tos(end.Topic, end.Partition), end.Offset)
		s.From = min(froms(end.Topic, end.Partition), s.To)
		s.Gap = max(0, min(start.Offset, s.To)-s.From)
		s.Next = s.From + s.Gap
		spans = append(spans, s)
	})
	slices.SortFunc(spans, func(a, b *Span) int {
		if a.Topic != b.Topic {
			return map[bool]int{true: -1, false: 1}[a.Topic < b.Topic]
		}
		return int(a.Partition - b.Partition)
	})
	for _, n := range partitions {
		if !slices.ContainsFunc(spans, func(s *Span) bool { return s.Partition == n }) {
			return nil, fmt.Errorf("no partition %d in %v", n, topics)
		}
	}
	return spans, nil
}

// bounded looks a bound up for every partition.
func bounded(ctx context.Context, admin *kadm.Client, b Bound, topics []string, starts, ends kadm.ListedOffsets) (func(string, int32) int64, error) {
	list := starts
	switch {
	case b.Earliest:
	case b.Latest:
		list = ends
	case !b.Time.IsZero():
		var err error
		if list, err = admin.ListOffsetsAfterMilli(ctx, b.Time.UnixMilli(), topics...); err != nil {
			return nil, err
		}
		if err := list.Error(); err != nil {
			return nil, err
		}
	default:
		return func(string, int32) int64 { return b.Offset }, nil
	}
	return func(topic string, partition int32) int64 {
		o, _ := list.Lookup(topic, partition)
		return o.Offset
	}, nil
}

// inputs are the topics named, or all that the configuration consumes.
func (c *Config) inputs(ctx context.Context, admin *kadm.Client, named []string) ([]string, error) {
	for _, t := range named {
		if c.sourceOf(t) == nil {
			return nil, fmt.Errorf("topic %q is no input of the configuration, which says of what source its records are", t)
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	var topics []string
	patterns := slices.ContainsFunc(c.Topics, func(t Topic) bool { return t.Pattern != nil })
	if !patterns {
		for _, t := range c.Topics {
			topics = append(topics, t.Name)
		}
		return topics, nil
	}
	all, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKafka, unreachable(err, c.Brokers))
	}
	for _, name := range all.Names() {
		if c.sourceOf(name) != nil {
			topics = append(topics, name)
		}
	}
	if len(topics) == 0 {
		return nil, errors.New("no topic matches the inputs of the configuration")
	}
	return topics, nil
}

// RunID is a name for a replay.
var RunID = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)

// probe moves a span over offsets that give no record, which the client passes in
// silence: those of batches that compaction emptied, and the rest of a batch that
// lost its last records to it.
func (p *Pipeline) probe(ctx context.Context, w *replaying) error {
	w.moved = time.Now()
	leader, _, err := p.client.PartitionLeader(w.topic, w.partition.partition)
	if err != nil {
		return err
	}
	metadata, err := kadm.NewClient(p.client).Metadata(ctx, w.topic)
	if err != nil {
		return err
	}
	request := kmsg.NewPtrFetchRequest()
	request.ReplicaID, request.MaxBytes, request.IsolationLevel, request.SessionEpoch = -1, minFetchBytes, 1, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = w.topic, metadata.Topics[w.topic].ID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = w.partition.partition, w.read, minFetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, p.client.Broker(int(leader)))
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, answer := range t.Partitions {
			if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
				return err
			}
			w.read = behindEmpty(answer.RecordBatches, w.read)
		}
	}
	return nil
}

// behindEmpty is the offset behind the batches at the start of encoded that hold
// no record at or behind an offset: those without records, and the one that the
// offset is within, since of a batch the client gives all there is
// (https://kafka.apache.org/documentation/#recordbatch).
func behindEmpty(encoded []byte, at int64) int64 {
	const header = 61
	for len(encoded) >= header {
		first := int64(binary.BigEndian.Uint64(encoded))
		size := 12 + int(binary.BigEndian.Uint32(encoded[8:]))
		last := first + int64(binary.BigEndian.Uint32(encoded[23:]))
		records := binary.BigEndian.Uint32(encoded[57:])
		if encoded[16] != 2 || records > 0 && first >= at {
			break
		}
		at = max(at, last+1)
		if size < header || size > len(encoded) {
			break
		}
		encoded = encoded[size:]
	}
	return at
}
