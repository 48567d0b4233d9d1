package pipeline

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// DeadLetter is a record of the dead letter topic, and what its headers say of
// the record it stands for. Where Foreign is set the rest means nothing.
type DeadLetter struct {
	Record    *kgo.Record // as it is in the dead letter topic
	Foreign   error       // why it is no dead letter of imdswatch; nil if it is one
	Topic     string
	Partition int32
	Offset    int64
	Source    string
	Stage     Stage
	Reason    normalize.Reason
	Message   string
	Version   string
	Truncated bool // the value was too large, or never unfolded, and is not there
}

// Reasons are the words of a dead letter's reason header.
var Reasons = []normalize.Reason{normalize.Syntax, normalize.Encoding, normalize.Shape, normalize.TooDeep, normalize.TooLarge, Decompress, Panic, "refused"}

// topicName is what Kafka takes for a topic's name.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// ReadDeadLetter reads the headers of a record of the dead letter topic. A
// record can come with headers like ours, of an imdswatch in front of this one
// or to deceive it: ours stand behind them, and begin with the topic.
func ReadDeadLetter(r *kgo.Record) *DeadLetter {
	l := &DeadLetter{Record: r}
	ours := map[string]string{}
	for _, h := range r.Headers {
		name, ok := strings.CutPrefix(h.Key, deadLetterPrefix)
		if !ok {
			continue
		}
		if name == "topic" {
			clear(ours)
		}
		ours[name] = string(h.Value)
	}
	for _, name := range [...]string{"topic", "partition", "offset", "source", "stage", "reason", "message", "version"} {
		if _, ok := ours[name]; !ok {
			l.Foreign = fmt.Errorf("header %s%s is missing", deadLetterPrefix, name)
			return l
		}
	}
	partition, err := strconv.ParseInt(ours["partition"], 10, 32)
	offset, err2 := strconv.ParseInt(ours["offset"], 10, 64)
	switch { // what they hold instead is not ours to show
	case !topicName.MatchString(ours["topic"]):
		l.Foreign = fmt.Errorf("header %stopic is no topic's name", deadLetterPrefix)
	case err != nil || partition < 0:
		l.Foreign = fmt.Errorf("header %spartition is no partition's number", deadLetterPrefix)
	case err2 != nil || offset < 0:
		l.Foreign = fmt.Errorf("header %soffset is no offset", deadLetterPrefix)
	}
	l.Topic, l.Partition, l.Offset = ours["topic"], int32(partition), offset
	l.Source, l.Stage, l.Reason = ours["source"], Stage(ours["stage"]), normalize.Reason(ours["reason"])
	l.Message, l.Version, l.Truncated = ours["message"], ours["version"], ours["truncated"] == "true"
	return l
}

// lost reports whether the record's value is not there to be judged. Blank
// values are never unreadable: such a letter stands for a fault of no record.
func (l *DeadLetter) lost() bool { return l.Truncated || normalize.Blank(l.Record.Value) }

// original is the record as it came, for the topic and partition it came from.
func (l *DeadLetter) original() *kgo.Record {
	r := &kgo.Record{Topic: l.Topic, Partition: l.Partition, Key: l.Record.Key, Value: l.Record.Value}
	for _, h := range l.Record.Headers {
		if !strings.HasPrefix(h.Key, deadLetterPrefix) {
			r.Headers = append(r.Headers, h)
		}
	}
	return r
}

// Selection is which dead letters are meant. A field that is not set leaves none
// out. A foreign record has only a time: it is left out by nothing else, since
// nobody can tell what it is.
type Selection struct {
	Reason        normalize.Reason
	Source, Topic string
	From, To      time.Time // when the dead letter was written, To excluded
}

func (s *Selection) has(l *DeadLetter) bool {
	at := l.Record.Timestamp
	if at.Before(s.From) || !s.To.IsZero() && !at.Before(s.To) {
		return false
	}
	return l.Foreign != nil ||
		(s.Reason == "" || s.Reason == l.Reason) && (s.Source == "" || s.Source == l.Source) && (s.Topic == "" || s.Topic == l.Topic)
}

// DeadLetters calls take with every selected record that the dead letter topic
// holds at the time of the call, each partition in its order, until take fails.
// It joins no group and commits nothing.
func DeadLetters(ctx context.Context, cfg Config, s Selection, take func(*DeadLetter) error, opts ...kgo.Opt) error {
	spans, err := cfg.letterSpans(ctx, s.From, opts)
	if err != nil {
		return err
	}
	return cfg.readLetters(ctx, spans, opts, func(r *kgo.Record) error {
		if l := ReadDeadLetter(r); s.has(l) {
			return take(l)
		}
		return nil
	})
}

// DeadLetterAt is the record of the dead letter topic at an offset, nil if there
// is none.
func DeadLetterAt(ctx context.Context, cfg Config, partition int32, offset int64, opts ...kgo.Opt) (l *DeadLetter, err error) {
	spans, err := cfg.letterSpans(ctx, time.Time{}, opts)
	if err != nil {
		return nil, err
	}
	if s, ok := spans[partition]; !ok || offset < s.from || offset >= s.end {
		return nil, nil
	}
	err = cfg.readLetters(ctx, map[int32]span{partition: {offset, offset + 1}}, opts, func(r *kgo.Record) error {
		l = ReadDeadLetter(r)
		return nil
	})
	return l, err
}

// span is a range of a partition's offsets, the end excluded.
type span struct{ from, end int64 }

// letterSpans are the offsets of the dead letter topic from a time on. Letters of
// a transaction that is open are not there yet.
func (c *Config) letterSpans(ctx context.Context, from time.Time, opts []kgo.Opt) (map[int32]span, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(c.base(), opts...)...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := c.usable(ctx, client, map[string]int32{c.DeadletterTopic: opRead}); err != nil {
		return nil, err
	}
	admin := kadm.NewClient(client)
	ends, err := admin.ListCommittedOffsets(ctx, c.DeadletterTopic)
	starts := ends
	if err = errors.Join(err, ends.Error()); err == nil && from.IsZero() {
		starts, err = admin.ListStartOffsets(ctx, c.DeadletterTopic)
	} else if err == nil {
		starts, err = admin.ListOffsetsAfterMilli(ctx, from.UnixMilli(), c.DeadletterTopic)
	}
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, fmt.Errorf("%w: topic %q: %w", ErrKafka, c.DeadletterTopic, unreachable(err, c.Brokers))
	}
	spans := map[int32]span{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset < end.Offset {
			spans[end.Partition] = span{start.Offset, end.Offset}
		}
	})
	return spans, nil
}

// silence is how long a read waits for the next record of a topic that has more.
const silence = 30 * time.Second

// readLetters calls take with every record of the dead letter topic in the spans.
func (c *Config) readLetters(ctx context.Context, spans map[int32]span, opts []kgo.Opt, take func(*kgo.Record) error) error {
	if len(spans) == 0 {
		return nil
	}
	from := map[int32]kgo.Offset{}
	for n, s := range spans {
		from[n] = kgo.NewOffset().At(s.from)
	}
	client, err := kgo.NewClient(append(append(c.base(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.DeadletterTopic: from}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // retention may pass a slow reader
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a partition can end in one
		kgo.FetchMaxBytes(c.fetchMaxBytes()),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
	), opts...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(spans) > 0 {
		waiting, cancel := context.WithTimeout(ctx, silence)
		fetches := client.PollFetches(waiting)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		if waiting.Err() != nil && fetches.NumRecords() == 0 {
			return fmt.Errorf("%w: topic %q: %d partitions gave no record within %v and are not at their ends", ErrKafka, c.DeadletterTopic, len(spans), silence)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("%w: topic %s/%d: %w", ErrKafka, e.Topic, e.Partition, e.Err)
		}
		for _, r := range fetches.Records() {
			s, reading := spans[r.Partition]
			if !reading {
				continue // came in since
			}
			if r.Offset < s.end && !r.Attrs.IsControl() {
				if err := take(r); err != nil {
					return err
				}
			}
			if r.Offset+1 >= s.end {
				delete(spans, r.Partition)
				client.PauseFetchPartitions(map[string][]int32{c.DeadletterTopic: {r.Partition}})
			}
		}
	}
	return nil
}
