package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// giveUp is how long a replay bears fetches that fail for a reason that the client
// does not expect to pass.
const giveUp = 30 * time.Second

// heed acts on the errors of a poll. Unlike a run, which outlives its topics, a
// replay ends where its topic is not the one any more that it was asked about.
func (r *Replay) heed(fetches kgo.Fetches) error {
	p := r.pipeline
	var fatal error
	failed := false
	fetches.EachError(func(topic string, n int32, err error) {
		tooLarge, isTooLarge := errors.AsType[*kgo.ErrDecompressTooLarge](err)
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrClientClosed):
		case isTooLarge:
			if pt := p.partitions[topicPartition{topic, n}]; pt != nil {
				pt.tooLarge = tooLarge
			}
		case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
			fatal = fmt.Errorf("%w: topic %q was deleted or created anew: %w", ErrKafka, topic, err)
		default:
			failed = true
			fatal = cmp.Or(fatal, r.bear(fmt.Sprintf("%s/%d: ", topic, n), err))
		}
	})
	if !failed && fetches.NumRecords() > 0 {
		r.failing = time.Time{}
	}
	return fatal
}

// trouble is heed for what goes wrong while asking for positions.
func (r *Replay) trouble(ctx context.Context, place string, err error) error {
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, ErrKafka):
		return err
	}
	return r.bear(place, err)
}

// bear says an error, and returns it once it was borne for too long.
func (r *Replay) bear(place string, err error) error {
	if r.failing.IsZero() {
		r.failing = time.Now()
	}
	if !passes(err) && time.Since(r.failing) > giveUp {
		return fmt.Errorf("%w: %s%w", ErrKafka, place, err)
	}
	if r.pipeline.recent.again(place + err.Error()) {
		r.pipeline.log.Warn("fetch will be tried again", "error", place+err.Error())
	}
	return nil
}

// passes reports whether an error can be expected to pass: a leader that moves, a
// broker that is away. A topic that is missing is none of these for long.
func passes(err error) bool {
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Retriable && !errors.Is(err, kerr.UnknownTopicOrPartition)
	}
	return kgo.IsRetryableBrokerErr(err) || errors.Is(err, context.DeadlineExceeded)
}
