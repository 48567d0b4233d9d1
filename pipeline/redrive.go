package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// Redrive is how dead letters are sent through again: they are judged as the
// records they stand for, in a run of its own, or copied back to where those
// came from.
type Redrive struct {
	Selection
	ToTopics bool // copy them back rather than judge them
	DryRun   bool // produce nothing
	// Failing is told of each letter that still fails, and why. The reason never
	// holds the record's content.
	Failing func(l *DeadLetter, why error)
}

// Redriven counts the letters of a Redrive. Each that was read was redriven, its
// alerts or its copy acknowledged, or is still failing.
type Redriven struct {
	Read         int `json:"read"`
	Redriven     int `json:"redriven"`
	StillFailing int `json:"still_failing"`
}

// Redrive sends the selected dead letters through again. An alert has the id
// that it would have had live: letters are judged under the coordinates of their
// records. What still fails becomes no dead letter again, it is one. The counts
// stand beside an error.
func (p *Pipeline) Redrive(ctx context.Context, r Redrive) (Redriven, error) {
	w := &redriving{Redrive: r, p: p, judges: map[origin]*Judge{}, apart: map[origin][]*DeadLetter{}, limited: map[string]bool{}}
	err := w.run(ctx)
	w.sum.StillFailing = w.sum.Read - w.sum.Redriven
	return w.sum, err
}

// redriving is a Redrive at work.
type redriving struct {
	Redrive
	p       *Pipeline
	client  *kgo.Client
	sum     Redriven
	judges  map[origin]*Judge
	apart   map[origin][]*DeadLetter // of sources that join: their order counts
	limited map[string]bool          // topics whose limit was asked for

	passed []*DeadLetter // what is to be redriven once out is acknowledged
	out    []returning
	bytes  int // in out
}

// origin is where letters came from, and what reads them.
type origin struct {
	topicPartition
	source *normalize.Source
}

// returning is a record that a letter led to.
type returning struct {
	record *kgo.Record
	letter *DeadLetter
}

func (w *redriving) run(ctx context.Context) error {
	opts := append(w.p.cfg.base(), kgo.ProducerBatchMaxBytesFn(w.p.limits.of))
	if w.ToTopics { // the records of an event must come together again
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client, err := kgo.NewClient(append(opts, w.p.opts...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	w.client = client
	if err := w.ready(ctx); err != nil {
		return err
	}
	take := func(l *DeadLetter) error { return w.take(ctx, l) }
	if err := DeadLetters(ctx, w.p.cfg, w.Selection, take, w.p.opts...); err != nil {
		return errors.Join(w.flush(ctx), err)
	}
	for o, letters := range w.apart {
		if err := w.together(ctx, o, letters); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// ready fails before anything is read where alerts could not be sent.
func (w *redriving) ready(ctx context.Context) error {
	if w.ToTopics {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	alerts := w.p.cfg.AlertsTopic
	w.p.limits.read(ctx, w.client, alerts)
	return w.p.cfg.usable(ctx, w.client, map[string]int32{alerts: opWrite})
}

// take sends one letter through, or puts it aside until all of its partition are
// there.
func (w *redriving) take(ctx context.Context, l *DeadLetter) error {
	w.sum.Read++
	o := w.origin(l)
	switch {
	case l.Foreign != nil:
		w.Failing(l, l.Foreign)
	case l.lost():
		w.Failing(l, errors.New("the value is lost; the record may still be where it came from"))
	case o.source == nil && w.ToTopics:
		w.Failing(l, errors.New("its topic is no input"))
	case o.source == nil:
		w.Failing(l, errors.New("its topic is no input, and there is no source of its name"))
	case o.source.Joins:
		w.apart[o] = append(w.apart[o], l)
	case w.through(ctx, o, l):
		w.passed = append(w.passed, l)
	}
	if len(w.out) < pollRecords && w.bytes < maxFlush {
		return nil
	}
	return w.flush(ctx)
}

// maxFlush bounds the bytes that wait to be acknowledged.
const maxFlush = 16 << 20

// origin is where a letter came from, with the source that is configured today;
// for a topic that is no input any more, the source of then. Copies go to inputs
// alone: never to our outputs, and nowhere because a header says so.
func (w *redriving) origin(l *DeadLetter) origin {
	o := origin{topicPartition{l.Topic, l.Partition}, w.p.cfg.sourceOf(l.Topic)}
	if o.source == nil && !w.ToTopics {
		o.source = normalize.Lookup(l.Source)
	}
	return o
}

// together sends the letters of one partition through in the order of their
// records. A letter can be there twice, since a record that is read again can
// fail again; a joiner takes each once.
func (w *redriving) together(ctx context.Context, o origin, letters []*DeadLetter) error {
	slices.SortStableFunc(letters, func(a, b *DeadLetter) int { return cmp.Compare(a.Offset, b.Offset) })
	failed := map[int64]bool{}
	for i, l := range letters {
		if i > 0 && letters[i-1].Offset == l.Offset && bytes.Equal(letters[i-1].Record.Value, l.Record.Value) {
			continue
		}
		if !w.through(ctx, o, l) {
			failed[l.Offset] = true
		}
	}
	if !w.ToTopics {
		judge := w.judge(o)
		held := judge.Safe(math.MaxInt64)
		v := judge.Expire(normalize.EndOfInput, w.p.set.Load())
		w.alert(v, letters...)
		for _, l := range letters {
			if v.Fault != nil && l.Offset >= held && !failed[l.Offset] {
				failed[l.Offset] = true
				w.Failing(l, v.Fault)
			}
		}
	}
	for _, l := range letters {
		if !failed[l.Offset] {
			w.passed = append(w.passed, l)
		}
	}
	return w.flush(ctx)
}

// through judges or copies one letter and reports whether it is whole now. The
// alerts of what can be read of it go out in any case.
func (w *redriving) through(ctx context.Context, o origin, l *DeadLetter) bool {
	if w.ToTopics {
		if !w.limited[l.Topic] {
			w.limited[l.Topic] = true
			w.p.limits.read(ctx, w.client, l.Topic)
		}
		w.send(l.original(), l)
		return true
	}
	// The time of the letter is not that of its record, so the record has none.
	v := w.judge(o).Judge(&normalize.Record{Key: l.Record.Key, Value: l.Record.Value, Offset: l.Offset}, w.p.set.Load())
	w.alert(v, l)
	if v.Fault != nil {
		w.Failing(l, v.Fault)
	}
	return v.Fault == nil
}

func (w *redriving) judge(o origin) *Judge {
	if w.judges[o] == nil {
		w.judges[o] = NewJudge(o.source, o.topic, o.partition)
	}
	return w.judges[o]
}

// alert sends the alerts of a verdict, each on the account of the letter with
// its first record.
func (w *redriving) alert(v Verdict, letters ...*DeadLetter) {
	for _, a := range v.Alerts {
		pt := &partition{topicPartition: topicPartition{a.Origin.Topic, a.Origin.Partition}}
		i := slices.IndexFunc(letters, func(l *DeadLetter) bool { return l.Offset == a.Origin.Offset })
		w.send(w.p.alertRecord(pt, a), letters[max(0, i)])
	}
}

func (w *redriving) send(r *kgo.Record, l *DeadLetter) {
	w.out = append(w.out, returning{r, l})
	w.bytes += recordSize(r)
}

// ackTimeout bounds the wait for acknowledgements.
const ackTimeout = time.Minute

// flush produces what is out and waits until the brokers have it. A refusal ends
// the run.
func (w *redriving) flush(ctx context.Context) error {
	missing, err := w.produce(ctx)
	for _, l := range w.passed {
		if missing[l] == 0 {
			w.sum.Redriven++
		} else {
			w.Failing(l, err)
		}
	}
	w.passed, w.out, w.bytes = nil, nil, 0
	return err
}

// produce returns how many records of each letter were not acknowledged, and the
// first reason. A record whose outcome is unknown does not listen to its context,
// so the wait does.
func (w *redriving) produce(ctx context.Context) (missing map[*DeadLetter]int, first error) {
	missing = map[*DeadLetter]int{}
	if w.DryRun {
		return missing, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	type ack struct {
		returning
		err error
	}
	acks := make(chan ack, len(w.out))
	for _, o := range w.out {
		missing[o.letter]++
		w.client.Produce(ctx, o.record, func(_ *kgo.Record, err error) { acks <- ack{o, err} })
	}
	for range w.out {
		select {
		case a := <-acks:
			switch {
			case a.err == nil:
				missing[a.letter]--
			case first == nil:
				first = fmt.Errorf("%w: topic %s: %w", ErrKafka, a.record.Topic, a.err)
			}
		case <-ctx.Done():
			return missing, fmt.Errorf("%w: no acknowledgement within %v", ErrKafka, ackTimeout)
		}
	}
	return missing, first
}
