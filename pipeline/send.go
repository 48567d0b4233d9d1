package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// outgoing is a record on its way to an output topic.
type outgoing struct {
	record *kgo.Record
	from   *partition
	id     string // tells it from all others of the partition
	offset int64  // of the record that led to it
}

// deliver sends the alerts and dead letters of a batch and waits until the
// brokers have acknowledged them all. Trouble that may pass, such as a leader
// that moves, is waited for without bound. The partitions to set back are those
// of which a broker refused something, or of which ctx ended the wait; what was
// acknowledged of them is not sent again.
func (p *Pipeline) deliver(ctx context.Context, batch []*partition) (done, back []*partition) {
	for _, pt := range batch {
		pt.held = false
	}
	p.send(ctx, p.encode(batch))
	for _, pt := range batch {
		if pt.held {
			back = append(back, pt)
		} else {
			done = append(done, pt)
		}
	}
	return done, back
}

// encode makes the records of a batch's alerts and dead letters, but for those
// that were acknowledged before.
func (p *Pipeline) encode(batch []*partition) (out []outgoing) {
	for _, pt := range batch {
		for _, a := range pt.alerts {
			if _, sent := pt.sent[a.ID()]; !sent {
				out = append(out, outgoing{p.alertRecord(pt, a), pt, a.ID(), a.Origin.Offset})
			}
		}
		for _, l := range pt.letters {
			id := "letter " + strconv.FormatInt(l.record.Offset, 10)
			if _, sent := pt.sent[id]; sent {
				continue
			}
			d := deadLetter(p.cfg.DeadletterTopic, p.cfg.Version, l.source(pt), l.record, l.fault)
			truncateDeadLetter(d, int(p.limits.of(d.Topic)))
			out = append(out, outgoing{d, pt, id, l.record.Offset})
		}
	}
	return out
}

// alertRecord is the record of an alert. A batch is refused whole for one
// record that is too large, so size is checked here. The record's timestamp is
// the time of sending: brokers refuse one too far ahead of their clock.
func (p *Pipeline) alertRecord(pt *partition, a *detector.Alert) *kgo.Record {
	r := &kgo.Record{Topic: p.cfg.AlertsTopic, Key: a.Key(), Value: a.AppendJSON(nil)}
	if limit := int(p.limits.of(r.Topic)); recordSize(r) > limit {
		r.Key = r.Key[:min(len(r.Key), maxKey)]
		a.Truncate(limit - (recordSize(r) - len(r.Value)))
		r.Value = a.AppendJSON(nil)
		if p.complaints.Show("truncated alert") {
			p.log.Warn("alert was larger than its topic takes and was truncated", "topic", pt.topic, "partition", pt.partition, "id", a.ID())
		}
	}
	return r
}

// maxKey is what remains of an alert's key that is too large with its alert: a
// host's id is shorter.
const maxKey = 255

// send produces records, waits for all of them and holds the partitions of
// those that were not acknowledged. A produced record whose outcome is unknown
// does not listen to its context, so the wait does.
func (p *Pipeline) send(ctx context.Context, out []outgoing) {
	if p.silent {
		return
	}
	type ack struct {
		outgoing
		err error
	}
	acks := make(chan ack, len(out))
	for _, o := range out {
		o.from.held = false
		p.client.Produce(ctx, o.record, func(_ *kgo.Record, err error) { acks <- ack{o, err} })
	}
	var first *refusal
	acked := make([]outgoing, 0, len(out))
	for range out {
		select {
		case a := <-acks:
			if a.err == nil {
				acked = append(acked, a.outgoing)
				continue
			}
			a.from.held = true
			r := &refusal{a.record.Topic, a.err}
			if ctx.Err() == nil {
				p.countRefusal(r)
			}
			if first == nil {
				first = r
			}
		case <-ctx.Done():
			for _, o := range out {
				o.from.held = true
			}
			return
		}
	}
	for _, o := range acked {
		if o.from.held {
			o.from.remember(o)
		}
	}
	if first != nil && ctx.Err() == nil {
		p.repair(ctx, first)
	}
}

// remember notes that a record was acknowledged while others were not.
func (pt *partition) remember(o outgoing) {
	if pt.sent == nil {
		pt.sent = map[string]int64{}
	}
	pt.sent[o.id] = o.offset
}

// note makes the state of the partitions that of the member.
func (p *Pipeline) note() {
	for _, pt := range p.partitions {
		if pt.held {
			p.refused.Store(true)
			return
		}
	}
	p.refused.Store(false)
}

// refusal is a record that a broker refused.
type refusal struct {
	topic string
	err   error
}

func (r *refusal) Error() string { return fmt.Sprintf("topic %s: %v", r.topic, r.err) }
func (r *refusal) Unwrap() error { return r.err }

func (p *Pipeline) countRefusal(r *refusal) {
	code := "CLIENT"
	if ke, ok := errors.AsType[*kerr.Error](r.err); ok {
		code = ke.Message
	}
	p.metrics.produceErrors.WithLabelValues(r.topic, code).Inc()
}

// repair does what can be done about a refusal before the records come again.
func (p *Pipeline) repair(ctx context.Context, err *refusal) {
	if p.recent.again(err.Error()) {
		p.log.Error("a broker refused alerts or dead letters; nothing is committed, they will be sent again", "error", err)
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		p.log.Warn("output topic was created anew", "topic", err.topic)
		p.client.PurgeTopicsFromProducing(err.topic)
	case errors.Is(err, kerr.MessageTooLarge):
		p.limits.read(ctx, p.client, p.cfg.AlertsTopic, p.cfg.DeadletterTopic)
	}
}
