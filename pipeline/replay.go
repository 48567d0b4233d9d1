package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
)

// Replay is a run over a closed range of history: outside of every group, whose
// offsets it does not touch.
type Replay struct {
	Run   string                      // the id that its alerts carry
	Spans []*Span                     // see Spans; where one was begun before, its Next is where it goes on
	Rate  int                         // records a second over all, 0 for no limit
	Alert func(*detector.Alert) error // takes the alerts in place of the topic, and dead letters are not sent; may be nil
	// Done is called after what was judged is acknowledged: the spans' Next may be
	// written down then. An error ends the run.
	Done func() error
}

// Span is a range of a partition's offsets, and how far it was judged.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`   // excluded
	Next      int64  `json:"next"` // all events that began below it are judged, and their alerts acknowledged
	Records   int64  `json:"records"`
	Events    int64  `json:"events"`
	Alerts    int64  `json:"alerts"`
	Complete  bool   `json:"complete"`
	Gap       int64  `json:"gap"` // offsets of the range that retention had taken

	End int64 `json:"-"` // where the log ended at the start: an event that began in the range may go on until there
}

// replaying is a span at work.
type replaying struct {
	*partition
	span  *Span
	done  Tally     // what is acknowledged
	batch Tally     // of the batch in work
	read  int64     // the offset behind the last record that was read
	moved time.Time // when it last moved
}

// Tally is what the records of a replay came to.
type Tally struct {
	Records, Events, Alerts      int
	Skipped, NoMatch, Unreadable int
}

func (t *Tally) add(o *Tally) {
	t.Records += o.Records
	t.Events += o.Events
	t.Alerts += o.Alerts
	t.Skipped += o.Skipped
	t.NoMatch += o.NoMatch
	t.Unreadable += o.Unreadable
}

// silent is how long a partition may give nothing before it is asked whether
// there is anything: the last offsets of a range may be those of records that were
// compacted away.
const silent = 2 * time.Second

// Replay judges the spans. An event belongs to the span of its first record: where
// the source joins records, it is read from some records in front of the span and
// until those that began in it are over. It returns when all spans are complete or
// ctx ends, at least once: what was judged and not acknowledged comes again in
// the next run.
func (p *Pipeline) Replay(ctx context.Context, r Replay) (Tally, error) {
	if err := p.checkReplay(ctx, r.Alert == nil); err != nil {
		return Tally{}, err
	}
	work := map[topicPartition]*replaying{}
	from := map[string]map[int32]kgo.Offset{}
	for _, s := range r.Spans {
		if s.Complete || s.Next >= s.To {
			s.Complete = true
			continue
		}
		tp := topicPartition{s.Topic, s.Partition}
		pt := p.take(tp)
		pt.judge.Run = r.Run
		start := s.Next
		if pt.judge.source.Joins {
			start = max(0, s.Next-joinBack)
		}
		if from[s.Topic] == nil {
			from[s.Topic] = map[int32]kgo.Offset{}
		}
		from[s.Topic][s.Partition] = kgo.NewOffset().At(start)
		work[tp] = &replaying{partition: pt, span: s, read: start, moved: time.Now()}
	}
	sum := func() (t Tally) {
		for _, w := range work {
			t.add(&w.done)
		}
		return t
	}
	if len(work) == 0 {
		return Tally{}, r.Done()
	}
	client, err := kgo.NewClient(p.replayOptions(from)...)
	if err != nil {
		return Tally{}, err
	}
	defer client.Close()
	p.client = client
	err = p.replay(ctx, &r, work)
	return sum(), err
}

// joinBack is how many records in front of a span are read so that the lines of an
// event that began there are not taken for one that begins in it. The lines of
// an event are seconds apart at most.
const joinBack = 50_000

func (p *Pipeline) replayOptions(from map[string]map[int32]kgo.Offset) []kgo.Opt {
	return append(append(p.cfg.base(),
		kgo.ConsumePartitions(from),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // retention may pass a slow run; see lose
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a range can end in a transaction's marker
		kgo.FetchMaxBytes(p.cfg.fetchMaxBytes()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(p.limits.of),
	), p.opts...)
}

// checkReplay fails before anything is read where topics cannot be used.
func (p *Pipeline) checkReplay(ctx context.Context, produces bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(p.cfg.base(), p.opts...)...)
	if err != nil || !produces {
		return err
	}
	defer client.Close()
	outputs := map[string]int32{p.cfg.AlertsTopic: opWrite, p.cfg.DeadletterTopic: opWrite}
	if err := p.cfg.usable(ctx, client, outputs); err != nil {
		return err
	}
	p.limits.read(ctx, client, p.cfg.AlertsTopic, p.cfg.DeadletterTopic)
	return nil
}

// replay polls until all is done.
func (p *Pipeline) replay(ctx context.Context, r *Replay, work map[topicPartition]*replaying) error {
	limit := rate.NewLimiter(rate.Inf, 0)
	if r.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(r.Rate), max(r.Rate, pollRecords))
	}
	left := len(work)
	for left > 0 && ctx.Err() == nil {
		polling, cancel := context.WithTimeout(ctx, time.Second)
		fetches := p.client.PollRecords(polling, pollRecords)
		cancel()
		p.heed(fetches)
		for _, pt := range p.partitions {
			if pt.tooLarge != nil {
				return fmt.Errorf("%s/%d: a batch unfolds to more than %d bytes", pt.topic, pt.partition, maxBatchBytes)
			}
		}
		batch := p.judgeSpans(fetches, work)
		for _, w := range work {
			if !w.span.Complete && len(w.records) == 0 && time.Since(w.moved) > silent {
				if err := p.probe(ctx, w); err != nil && p.recent.again(err.Error()) {
					p.log.Warn("asking for the rest of a partition failed", "topic", w.topic, "partition", w.partition.partition, "error", err)
				}
				if w.over() {
					w.expire(p.set.Load())
					batch = append(batch, w)
				}
			}
		}
		if len(batch) == 0 {
			continue
		}
		if err := p.deliverSpans(ctx, r, batch); err != nil {
			return err
		}
		n := 0
		for _, w := range batch {
			n += len(w.records)
			if w.settle() {
				left--
				p.client.PauseFetchPartitions(map[string][]int32{w.topic: {w.partition.partition}})
			}
		}
		if err := r.Done(); err != nil {
			return err
		}
		if err := limit.WaitN(ctx, min(n, limit.Burst())); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// judgeSpans judges what a poll returned, partitions side by side.
func (p *Pipeline) judgeSpans(fetches kgo.Fetches, work map[topicPartition]*replaying) (batch []*replaying) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		w := work[topicPartition{f.Topic, f.Partition}]
		if w == nil || w.span.Complete || len(f.Records) == 0 {
			return
		}
		if len(w.records) == 0 {
			batch = append(batch, w)
		}
		w.records = append(w.records, f.Records...)
		w.low, w.moved = f.LogStartOffset, time.Now()
	})
	set := p.set.Load()
	var workers sync.WaitGroup
	turns := make(chan struct{}, p.cfg.Workers)
	for _, w := range batch {
		turns <- struct{}{}
		workers.Go(func() {
			w.judgeAll(set)
			<-turns
		})
	}
	workers.Wait()
	return batch
}

// judgeAll judges the records that were read of a span, and what of them is of
// the span's own.
func (w *replaying) judgeAll(set *detector.Set) {
	w.lose()
	joins := w.judge.source.Joins
	for _, r := range w.records {
		if w.over() {
			break
		}
		w.read = r.Offset + 1
		if r.Attrs.IsControl() || !joins && r.Offset >= w.span.To {
			continue
		}
		v := w.judge.Judge(&normalize.Record{Value: r.Value, Key: r.Key, Time: r.Timestamp, Offset: r.Offset}, set)
		w.take(v)
		if r.Offset < w.span.Next || r.Offset >= w.span.To {
			continue // read for the sake of events that straddle an end of the span
		}
		w.batch.Records++
		w.batch.Skipped += v.Counts[Skipped]
		w.batch.NoMatch += v.Counts[NoMatch]
		if v.Fault != nil {
			w.batch.Unreadable++
			w.letters = append(w.letters, letter{r, v.Fault})
		}
	}
	if w.over() {
		w.expire(set)
	}
}

// take keeps of a verdict what is of events that began in the span.
func (w *replaying) take(v Verdict) {
	for i := range w.judge.Events() {
		if e := &w.judge.Events()[i]; e.Offset >= w.span.Next && e.Offset < w.span.To {
			w.batch.Events++
		}
	}
	for _, a := range v.Alerts {
		if a.Origin.Offset >= w.span.Next && a.Origin.Offset < w.span.To {
			w.alerts = append(w.alerts, a)
		}
	}
}

// expire ends the events that get no more records.
func (w *replaying) expire(set *detector.Set) {
	if w.read >= w.span.End { // else those that began in the span are over already
		w.take(w.judge.Expire(normalize.EndOfInput, set))
	}
}

// over reports whether all events that began in the span are over.
func (w *replaying) over() bool {
	return w.read >= w.span.End || w.read >= w.span.To && w.judge.Safe(w.read) >= w.span.To
}

// lose counts the offsets of the span that retention took while it was read.
func (w *replaying) lose() {
	if first := w.records[0].Offset; min(first, w.low) > max(w.read, w.span.Next) {
		w.span.Gap += min(first, w.low, w.span.To) - min(max(w.read, w.span.Next), w.span.To)
	}
}

// settle moves the span on behind what is acknowledged, and reports whether it is
// complete.
func (w *replaying) settle() bool {
	s := w.span
	w.batch.Alerts = len(w.alerts)
	s.Records += int64(w.batch.Records)
	s.Events += int64(w.batch.Events)
	s.Alerts += int64(w.batch.Alerts)
	w.done.add(&w.batch)
	w.batch = Tally{}
	s.Next = max(s.Next, min(w.judge.Safe(w.read), s.To))
	if w.over() {
		s.Next, s.Complete = s.To, true
	}
	w.partition.clear()
	return s.Complete
}

// deliverSpans sends what a batch led to until the brokers have it.
func (p *Pipeline) deliverSpans(ctx context.Context, r *Replay, batch []*replaying) error {
	if r.Alert != nil {
		for _, w := range batch {
			for _, a := range w.alerts {
				if err := r.Alert(a); err != nil {
					return err
				}
			}
			for _, l := range w.letters {
				p.complain(w.partition, l)
			}
		}
		return nil
	}
	var parts []*partition
	for _, w := range batch {
		parts = append(parts, w.partition)
	}
	pause := backOff{}
	for {
		_, back := p.deliver(ctx, parts)
		if len(back) == 0 {
			break
		}
		if pause.after(ctx, true); ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), errNotSent)
		}
		parts = back
	}
	for _, w := range batch {
		clear(w.sent)
		for _, l := range w.letters {
			p.complain(w.partition, l)
		}
	}
	return nil
}

var errNotSent = errors.New("alerts were not acknowledged; they come again in the next run")
