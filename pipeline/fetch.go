package pipeline

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// heed acts on the errors of a poll and reports whether there were any. Kafka's
// client repeats some of them every millisecond until the trouble ends, so a
// poll of errors alone is followed by a pause. One of them ends the member: see
// fenced.
func (p *Pipeline) heed(fetches kgo.Fetches) (troubled bool) {
	fetches.EachError(func(topic string, n int32, err error) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) {
			return // the poll's own end
		}
		troubled = true
		tooLarge, isTooLarge := errors.AsType[*kgo.ErrDecompressTooLarge](err)
		loss, isLoss := errors.AsType[*kgo.ErrDataLoss](err)
		switch {
		case isTooLarge:
			if pt := p.partitions[topicPartition{topic, n}]; pt != nil {
				pt.tooLarge = tooLarge
			}
		case isLoss:
			if lost := loss.ResetTo - loss.ConsumedTo; lost > 0 {
				p.metrics.dataLoss.Add(float64(lost))
			}
			p.log.Error("the partition lost records", "topic", topic, "partition", n, "position", loss.ConsumedTo, "reset", loss.ResetTo)
		case errors.Is(err, kerr.FencedInstanceID):
			p.fenced = err
		case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
			p.renew(topic)
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			if p.recent.again("deleted " + topic) {
				p.log.Error("topic is gone; waiting for it to come back", "topic", topic)
			}
		case kerr.IsRetriable(err):
			if p.recent.again(topic + err.Error()) {
				p.log.Info("fetch will be tried again", "topic", topic, "partition", n, "error", err)
			}
		default:
			if p.recent.again(topic + err.Error()) {
				p.log.Error("fetch failed", "topic", topic, "partition", n, "error", err)
			}
		}
	})
	return troubled
}

// renew makes the client forget a topic that was deleted and created again and
// consume the new one, from its start: the brokers dropped the group's offsets
// with the old one. What was not read of the old one is lost, and counted.
func (p *Pipeline) renew(topic string) {
	if !p.recent.again("renew " + topic) {
		return
	}
	lost := int64(0)
	for tp, pt := range p.partitions {
		if tp.topic == topic {
			if pt.next >= 0 {
				lost += max(0, pt.end-pt.next)
			}
		}
	}
	p.metrics.dataLoss.Add(float64(lost))
	p.mu.Lock()
	p.renewed[topic] = true
	p.mu.Unlock()
	p.log.Error("topic was deleted and created anew; reading it from its start", "topic", topic, "lost", lost)
	p.reassign(topic)
}

// reassign makes the client forget a topic and join the group anew for it. It
// comes back with what the group has committed.
func (p *Pipeline) reassign(topic string) {
	for tp := range p.partitions {
		if tp.topic == topic {
			p.dropPartition(tp)
		}
	}
	p.metrics.partitions.Set(float64(len(p.partitions)))
	p.client.PurgeTopicsFromConsuming(topic)
	if _, regex := p.cfg.consumed(); !regex {
		p.client.AddConsumeTopics(topic)
	}
}

// skipBatches leaves out the batches that would unfold beyond maxBatchBytes: a
// dead letter without value stands for each. The client stops at such a batch
// until it is told where to go on, so one whose dead letter is refused waits. It
// reports whether none does.
func (p *Pipeline) skipBatches(ctx context.Context) bool {
	all := true
	for _, pt := range p.partitions {
		if pt.tooLarge != nil {
			all = p.skipBatch(ctx, pt) && all
		}
	}
	return all
}

// pointTo is the dead letter that stands for a batch that is left out, and its
// record.
func (p *Pipeline) pointTo(pt *partition, e *kgo.ErrDecompressTooLarge) (letter, *kgo.Record) {
	l := letter{
		&kgo.Record{Topic: e.Topic, Partition: e.Partition, Offset: e.Offset},
		&Fault{Stage: StageFetch, Reason: Decompress, Message: "the compressed batch that begins here unfolds to more than imdswatch takes"},
	}
	d := deadLetter(p.cfg.DeadletterTopic, p.cfg.Version, pt.judge.source.Name, l.record, l.fault)
	d.Headers = append(d.Headers, kgo.RecordHeader{Key: deadLetterPrefix + "truncated", Value: []byte("true")})
	return l, d
}

func (p *Pipeline) skipBatch(ctx context.Context, pt *partition) bool {
	e := pt.tooLarge
	l, d := p.pointTo(pt, e)
	p.send(ctx, []outgoing{{record: d, from: pt}})
	if pt.held {
		return false
	}
	p.complain(pt, l)
	p.metrics.records.WithLabelValues(pt.judge.source.Name, Unreadable.String()).Inc()
	_, started := p.start(pt.topicPartition)
	known := pt.next >= 0 || started
	pt.next, pt.epoch, pt.tooLarge = e.NextOffset, e.Epoch, nil
	pt.move()
	if known {
		p.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{e.Topic: {e.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}})
		return true
	}
	// The client sets no offset of a partition that never had one.
	p.commit(ctx)
	p.reassign(e.Topic)
	return true
}
