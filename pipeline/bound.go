package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Bound is one end of a replay's range. A range holds the records from its first
// bound on and none from its second on.
type Bound struct {
	kind   boundKind
	at     time.Time
	offset int64
}

type boundKind byte

const (
	boundEarliest boundKind = iota
	boundLatest
	boundTime
	boundOffset
)

// ParseBound reads "earliest", "latest", an offset, an RFC 3339 time, or a
// duration back from now such as "-24h".
func ParseBound(s string, now time.Time) (Bound, error) {
	switch s = strings.TrimSpace(s); s {
	case "earliest":
		return Bound{kind: boundEarliest}, nil
	case "latest":
		return Bound{kind: boundLatest}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return Bound{kind: boundOffset, offset: n}, nil
	}
	if strings.HasPrefix(s, "-") {
		if back, err := time.ParseDuration(s); err == nil {
			return Bound{kind: boundTime, at: now.Add(back)}, nil
		}
	} else if at, err := time.Parse(time.RFC3339, s); err == nil {
		return Bound{kind: boundTime, at: at}, nil
	}
	return Bound{}, fmt.Errorf("%q, want earliest, latest, a time like 2026-01-31T00:00:00Z, a time back like -24h, or an offset", s)
}

// IsOffset reports whether the bound is an offset, which means something within
// one partition alone.
func (b Bound) IsOffset() bool { return b.kind == boundOffset }

// Behind reports whether b lies behind other whatever the partitions hold, so
// that from b to other there can be nothing.
func (b Bound) Behind(other Bound) bool {
	switch {
	case b.kind == boundTime && other.kind == boundTime:
		return b.at.After(other.at)
	case b.kind == boundOffset && other.kind == boundOffset:
		return b.offset > other.offset
	case b.kind == boundLatest:
		return other.kind == boundEarliest
	}
	return false
}

// list asks where the bound is in each partition of topics; of an offset nobody
// needs to be asked. The end is that of a reader who waits for no transaction.
func (b Bound) list(ctx context.Context, admin *kadm.Client, topics []string) (listed kadm.ListedOffsets, err error) {
	switch b.kind {
	case boundEarliest:
		listed, err = admin.ListStartOffsets(ctx, topics...)
	case boundLatest:
		listed, err = admin.ListCommittedOffsets(ctx, topics...)
	case boundTime:
		listed, err = admin.ListOffsetsAfterMilli(ctx, max(0, ceilMilli(b.at)), topics...)
	case boundOffset:
		return nil, nil
	}
	return listed, listError(listed, err)
}

// ceilMilli is the first millisecond that is not before t: Kafka knows no less.
func ceilMilli(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// in is the bound's offset in a partition.
func (b Bound) in(listed kadm.ListedOffsets, tp topicPartition) int64 {
	if b.kind == boundOffset {
		return b.offset
	}
	o, _ := listed.Lookup(tp.topic, tp.partition)
	return o.Offset
}

func listError(listed kadm.ListedOffsets, err error) error {
	err = errors.Join(err, listed.Error())
	if shard, ok := errors.AsType[*kadm.ShardErrors](err); ok && len(shard.Errs) > 0 {
		err = shard.Errs[0].Err
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("%w: a topic went away: %w", ErrKafka, err)
	}
	if err != nil {
		return fmt.Errorf("%w: listing offsets: %w", ErrKafka, err)
	}
	return nil
}

// extent is a part of a partition: offsets from the first on, up to the second.
type extent struct{ from, to int64 }

var everything = extent{math.MinInt64, math.MaxInt64}

func (e extent) holds(offset int64) bool { return offset >= e.from && offset < e.to }
