package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// assigned takes partitions on. It is called after every rebalance, also with
// none.
func (p *Pipeline) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	p.group.Lock()
	defer p.group.Unlock()
	p.assignedOnce.Store(true)
	p.metrics.rebalances.WithLabelValues("assigned").Inc()
	for topic, numbers := range added {
		if p.cfg.sourceOf(topic) == nil {
			continue // cannot be: the group assigns what was asked for
		}
		for _, n := range numbers {
			p.take(topicPartition{topic, n})
		}
	}
	p.metrics.partitions.Set(float64(len(p.partitions)))
	if len(added) > 0 {
		p.log.Info("partitions assigned", "partitions", fmt.Sprint(added))
	}
}

// take takes one partition on.
func (p *Pipeline) take(tp topicPartition) *partition {
	judge := NewJudge(p.cfg.sourceOf(tp.topic), tp.topic, tp.partition)
	pt := &partition{topicPartition: tp, judge: judge, next: -1, safe: -1, epoch: -1}
	p.partitions[tp] = pt
	return pt
}

// positioned notes where the group left each partition, so that a gap between
// that and the first record can be told from an ordinary start. A topic that was
// created anew while it was consumed is read from its start, whatever is
// configured for a new group.
func (p *Pipeline) positioned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	if p.cfg.exactlyOnce() {
		if err := p.fixStarts(ctx, offsets); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, numbers := range offsets {
		for n, o := range numbers {
			if at := o.EpochOffset().Offset; at >= 0 && o != p.cfg.Start { // a time is no offset
				p.starts[topicPartition{topic, n}] = at
			} else if p.renewed[topic] {
				numbers[n] = kgo.NewOffset().AtStart()
			}
		}
	}
	return offsets, nil
}

// start is the offset that the group had of a partition whose first records are
// still to come.
func (p *Pipeline) start(tp topicPartition) (at int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok = p.starts[tp]
	return at, ok
}

// revoked commits and gives partitions back. No batch is in work meanwhile, but
// a transaction may be about to end; it commits its own offsets, or aborts.
func (p *Pipeline) revoked(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	p.group.Lock()
	defer p.group.Unlock()
	p.metrics.rebalances.WithLabelValues("revoked").Inc()
	if !p.cfg.exactlyOnce() {
		ctx, cancel := context.WithTimeout(context.Background(), p.cfg.DrainTimeout)
		defer cancel()
		p.commit(ctx)
	}
	p.taken = p.taken || len(taken) > 0
	p.drop(taken)
	if len(taken) > 0 {
		p.log.Info("partitions revoked", "partitions", fmt.Sprint(taken))
	}
}

// lost drops partitions that another member may read by now.
func (p *Pipeline) lost(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	p.group.Lock()
	defer p.group.Unlock()
	p.metrics.rebalances.WithLabelValues("lost").Inc()
	p.taken = true
	p.drop(taken)
	if len(taken) > 0 {
		p.log.Warn("partitions lost: the group timed this member out", "partitions", fmt.Sprint(taken))
	}
}

func (p *Pipeline) drop(taken map[string][]int32) {
	for topic, numbers := range taken {
		for _, n := range numbers {
			p.dropPartition(topicPartition{topic, n})
		}
	}
	p.note()
	p.metrics.partitions.Set(float64(len(p.partitions)))
}

func (p *Pipeline) dropPartition(tp topicPartition) {
	delete(p.partitions, tp)
	p.metrics.forget(tp)
	p.mu.Lock()
	delete(p.starts, tp)
	p.mu.Unlock()
}

// commitTimeout bounds a commit: it is tried again at the next interval.
const commitTimeout = 10 * time.Second

// commit commits the position of every partition that moved. What fails stays
// dirty and is committed again.
func (p *Pipeline) commit(ctx context.Context) {
	p.committed = time.Now()
	p.countPending()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for tp, pt := range p.partitions {
		if !pt.dirty {
			continue
		}
		if offsets[tp.topic] == nil {
			offsets[tp.topic] = map[int32]kgo.EpochOffset{}
		}
		epoch := pt.epoch
		if pt.safe != pt.next {
			epoch = -1 // that of an earlier record is not known any more
		}
		offsets[tp.topic][tp.partition] = kgo.EpochOffset{Epoch: epoch, Offset: pt.safe}
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	p.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = p.markCommitted(resp)
		}
		if err != nil {
			p.metrics.commits.WithLabelValues("error").Inc()
			if p.recent.again("commit " + err.Error()) {
				p.log.Warn("commit failed, it will be tried again", "error", err)
			}
			return
		}
		p.metrics.commits.WithLabelValues("ok").Inc()
	})
}

// countPending publishes how many events are held back, by source.
func (p *Pipeline) countPending() {
	pending := map[string]int{}
	for _, pt := range p.partitions {
		if pt.judge.source.Joins {
			pending[pt.judge.source.Name] += pt.judge.Pending()
		}
	}
	for source, n := range pending {
		p.metrics.pending.WithLabelValues(source).Set(float64(n))
	}
}

// markCommitted cleans what the response confirms and returns the first error
// in it.
func (p *Pipeline) markCommitted(resp *kmsg.OffsetCommitResponse) (first error) {
	for _, t := range resp.Topics {
		for _, r := range t.Partitions {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				if first == nil {
					first = err
				}
				continue
			}
			if pt := p.partitions[topicPartition{t.Topic, r.Partition}]; pt != nil {
				pt.dirty = false
			}
		}
	}
	return first
}
