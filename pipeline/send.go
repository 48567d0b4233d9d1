package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// deliver sends the alerts and dead letters of a batch and waits until the
// brokers have acknowledged them all. Trouble that may pass, such as a leader
// that moves, is waited for without bound; an error means that a broker refused
// something, or that ctx ended.
func (p *Pipeline) deliver(ctx context.Context, batch []*partition) error {
	var records []*kgo.Record
	for _, pt := range batch {
		for _, a := range pt.alerts {
			records = append(records, p.alertRecord(pt, a))
		}
		for _, l := range pt.letters {
			d := deadLetter(p.cfg.DeadletterTopic, p.cfg.Version, pt.judge.source.Name, l.record, l.fault)
			truncateDeadLetter(d, int(p.limits.of(d.Topic)))
			records = append(records, d)
		}
	}
	return p.send(ctx, records)
}

// alertRecord is the record of an alert. A batch is refused whole for one
// record that is too large, so size is checked here. The record's timestamp is
// the time of sending: brokers refuse one too far ahead of their clock.
func (p *Pipeline) alertRecord(pt *partition, a *detector.Alert) *kgo.Record {
	r := &kgo.Record{Topic: p.cfg.AlertsTopic, Key: a.Key(), Value: a.AppendJSON(nil)}
	if limit := int(p.limits.of(r.Topic)); recordSize(r) > limit {
		a.Truncate(limit - (recordSize(r) - len(r.Value)))
		r.Value = a.AppendJSON(nil)
		if p.complaints.Show("truncated alert") {
			p.log.Warn("alert was larger than its topic takes and was truncated", "topic", pt.topic, "partition", pt.partition, "id", a.ID())
		}
	}
	return r
}

// send produces records and waits for all of them; it returns the first error.
// A produced record whose outcome is unknown does not listen to its context, so
// the wait does.
func (p *Pipeline) send(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	acks := make(chan error, len(records))
	for _, r := range records {
		p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				err = &refusal{r.Topic, err}
			}
			acks <- err
		})
	}
	var first error
	for range records {
		select {
		case err := <-acks:
			if err != nil && first == nil {
				first = err
			}
			p.countRefusal(err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p.refused.Store(first != nil)
	if first != nil {
		p.repair(ctx, first)
	}
	return first
}

// refusal is a record that a broker refused.
type refusal struct {
	topic string
	err   error
}

func (r *refusal) Error() string { return fmt.Sprintf("topic %s: %v", r.topic, r.err) }
func (r *refusal) Unwrap() error { return r.err }

func (p *Pipeline) countRefusal(err error) {
	r, ok := err.(*refusal)
	if !ok {
		return
	}
	code := "CLIENT"
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		code = ke.Message
	}
	p.metrics.produceErrors.WithLabelValues(r.topic, code).Inc()
}

// repair does what can be done about a refusal before the records come again.
func (p *Pipeline) repair(ctx context.Context, err error) {
	if p.recent.again(err.Error()) {
		p.log.Error("a broker refused alerts or dead letters; nothing is committed, they will be sent again", "error", err)
	}
	r, ok := err.(*refusal)
	switch {
	case !ok:
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		p.log.Warn("output topic was created anew", "topic", r.topic)
		p.client.PurgeTopicsFromProducing(r.topic)
	case errors.Is(err, kerr.MessageTooLarge):
		p.limits.read(ctx, p.client, p.cfg.AlertsTopic, p.cfg.DeadletterTopic)
	}
}
