package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// open joins the group.
func (p *Pipeline) open() (err error) {
	p.group.Lock() // the first callback may come before the client is returned
	defer p.group.Unlock()
	if !p.cfg.exactlyOnce() {
		p.client, err = kgo.NewClient(p.clientOptions()...)
		return err
	}
	if p.session, err = kgo.NewGroupTransactSession(p.clientOptions()...); err == nil {
		p.client = p.session.Client()
	}
	return err
}

// fence makes the brokers abort what a member of this id left open when it died.
// Without it they would do so when this member begins its first transaction, or
// when the time of the old one is over: until then the group does not tell the
// offsets in it (KIP-447), so that there is nothing to begin with.
func (p *Pipeline) fence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(append(p.cfg.base(), kgo.TransactionalID(p.cfg.TransactionalID)), p.opts...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := (backOff{}); ; pause.after(ctx, true) {
		_, _, err := client.ProducerID(ctx)
		if err == nil {
			return nil
		}
		// Of a broker that was reached it is the last word; others may move.
		if ke, ok := errors.AsType[*kerr.Error](err); ok && !ke.Retriable || ctx.Err() != nil {
			return fmt.Errorf("%w: transactional id %q: %w", ErrKafka, p.cfg.TransactionalID, err)
		}
	}
}

// twin is the end of a member whose id another one has taken.
func (p *Pipeline) twin(err error) error {
	ids := fmt.Sprintf("instance id %q", p.cfg.InstanceID)
	if p.cfg.exactlyOnce() {
		ids = fmt.Sprintf("transactional id %q or the %s", p.cfg.TransactionalID, ids)
	}
	return fmt.Errorf("%w: another member runs with the %s, each needs its own: %w", ErrKafka, ids, err)
}

// replace closes a session that can say no more what became of a transaction
// that was begun then, and joins the group anew: its offsets tell. It fails if
// another member has this one's ids.
func (p *Pipeline) replace(work context.Context, begun time.Time, cause error) error {
	if work.Err() != nil {
		return context.Cause(work)
	}
	// The brokers fence a transaction that took too long as they do one whose id
	// another member uses.
	late := time.Since(begun) >= transactionTimeout
	switch fenced := errors.Is(cause, kerr.ProducerFenced) || errors.Is(cause, kerr.InvalidProducerEpoch); {
	case errors.Is(cause, kerr.FencedInstanceID), fenced && !late:
		return p.twin(cause)
	}
	if p.recent.again("session " + cause.Error()) {
		p.log.Warn("a transaction could not be begun or ended; joining the group anew", "error", cause)
	}
	if err := p.close(work); err != nil {
		return err
	}
	p.group.Lock()
	for tp := range p.partitions {
		p.dropPartition(tp)
	}
	p.metrics.partitions.Set(0)
	p.taken = false
	p.group.Unlock()
	if err := p.fence(work); err != nil && p.recent.again(err.Error()) { // the next transaction meets it again
		p.log.Error("transactions are refused", "error", err)
	}
	return p.open()
}

// fixStarts puts exact offsets where the group has none yet. An abort goes back
// to what the group has, or else, in kgo, to offset 0.
func (p *Pipeline) fixStarts(ctx context.Context, offsets map[string]map[int32]kgo.Offset) error {
	p.group.Lock()
	admin := kadm.NewClient(p.client)
	p.group.Unlock()
	list := admin.ListStartOffsets
	switch at := p.cfg.Start.EpochOffset().Offset; {
	case at == kgo.NewOffset().AtEnd().EpochOffset().Offset:
		list = admin.ListCommittedOffsets
	case at >= 0:
		list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, at, topics...)
		}
	}
	for topic, numbers := range offsets {
		var listed kadm.ListedOffsets
		for n, o := range numbers {
			if o != p.cfg.Start {
				continue
			}
			if p.isRenewed(topic) {
				numbers[n] = kgo.NewOffset().At(0)
				continue
			}
			if listed == nil {
				var err error
				if listed, err = list(ctx, topic); err != nil {
					return err
				}
			}
			at, ok := listed.Lookup(topic, n)
			if !ok || at.Err != nil {
				return fmt.Errorf("no start of %s/%d: %w", topic, n, cmp.Or(at.Err, error(kerr.UnknownTopicOrPartition)))
			}
			numbers[n] = kgo.NewOffset().At(at.Offset)
		}
	}
	return nil
}

func (p *Pipeline) isRenewed(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renewed[topic]
}
