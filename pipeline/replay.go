package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// ReplayConfig is what a replay does beside what its Config says. Topics, outputs
// and brokers are the Config's; its group has no part in a replay.
type ReplayConfig struct {
	From, To   string  // as ParseBound reads them
	Partitions []int32 // of each topic; all if there are none
	Rate       int     // records read a second, over all; 0 for no bound
	State      string  // the file that a replay started again goes on from; may be empty
	// Print takes the alerts in place of the alerts topic. Nothing is produced
	// then, dead letters neither. It returns when they are out of our hands.
	Print func([]*detector.Alert) error
	// Progress hears how many of the replay's offsets are done; may be nil.
	Progress func(done, total int64)
}

// Replay judges a closed range of history in a run of its own. Make it with
// NewReplay, find its range with Plan, start it with Run, once.
type Replay struct {
	pipeline *Pipeline
	cfg      ReplayConfig
	opts     []kgo.Opt // of every client
	from, to Bound
	state    state
	starts   map[topicPartition]int64 // where the logs begin
	spans    map[topicPartition]*Span // of the open partitions
	client   *kgo.Client              // asks; the pipeline's own reads and writes
	admin    *kadm.Client
	saved    time.Time
	pace     pace
	failing  time.Time // since when fetches fail; zero if they do not
}

// NewReplay makes a replay. What it fails on is wrong whatever the brokers say.
func NewReplay(cfg Config, replay ReplayConfig, set *detector.Set, opts ...kgo.Opt) (*Replay, error) {
	now := time.Now()
	from, err := ParseBound(replay.From, now)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	to, err := ParseBound(replay.To, now)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	if from.Behind(to) {
		return nil, fmt.Errorf("from %s lies behind to %s", replay.From, replay.To)
	}
	cfg.TransactionalID, cfg.InstanceID = "", "" // at least once in either mode, and no member of the group
	p, err := New(cfg, set, prometheus.NewRegistry(), opts...)
	if err != nil {
		return nil, err
	}
	p.silent = replay.Print != nil
	r := &Replay{
		pipeline: p, cfg: replay, opts: opts, from: from, to: to,
		starts: map[topicPartition]int64{}, spans: map[topicPartition]*Span{}, pace: pace{rate: replay.Rate},
	}
	asked := request{From: replay.From, To: replay.To, Partitions: slices.Sorted(slices.Values(replay.Partitions)), Alerts: cfg.AlertsTopic, Rules: set.Hash()}
	if p.silent {
		asked.Alerts = "stdout"
	}
	for _, t := range cfg.Topics {
		asked.Topics = append(asked.Topics, t.Name+":"+t.Source.Name)
	}
	slices.Sort(asked.Topics)
	r.state = state{Request: asked, Report: Report{Run: strings.ToLower(rand.Text()), Partitions: []Span{}}}
	return r, nil
}

// Report is what the replay came to so far.
func (r *Replay) Report() Report { return r.state.Report }

// Sum is what became of the records so far.
func (r *Replay) Sum() Sum { return r.state.Sum }

// Run judges what Plan found until that is done or ctx ends; the report says
// which. A partition's state moves on only behind the acknowledgement of the
// alerts and dead letters of all below it, so that who is started again with the
// state loses none; what comes again has the same ids.
func (r *Replay) Run(ctx context.Context) (err error) {
	defer r.client.Close()
	for i := range r.state.Report.Partitions {
		if s := &r.state.Report.Partitions[i]; !s.over() {
			tp := s.place()
			r.spans[tp] = s
			r.pipeline.partitions[tp] = s.partition(&r.pipeline.cfg, r.state.Report.Run, r.starts[tp])
		}
	}
	r.sumUp()
	if err := r.save(); err != nil || len(r.spans) == 0 {
		return err
	}
	defer func() {
		r.sumUp()
		err = errors.Join(err, r.save())
	}()
	client, err := kgo.NewClient(r.options()...)
	if err != nil {
		return err
	}
	r.pipeline.client = client
	work, cancel := r.pipeline.drain(ctx)
	defer cancel()
	defer r.stop(work)
	r.progress()
	for len(r.spans) > 0 && ctx.Err() == nil {
		if err := r.round(ctx, work); err != nil {
			return err
		}
	}
	return nil
}

// options are those of the client that reads and writes.
func (r *Replay) options() []kgo.Opt {
	p := r.pipeline
	return append(append(p.cfg.base(),
		kgo.ConsumePartitions(offsets(p.partitions)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they move the position
		kgo.KeepRetryableFetchErrors(),
		kgo.FetchMaxBytes(p.cfg.fetchMaxBytes()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.Rack(p.cfg.Rack),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(p.limits.of),
	), r.opts...)
}

// lookInterval is how long a poll waits until the replay asks where the positions are.
const lookInterval = 250 * time.Millisecond

// round judges what a poll returns and settles it.
func (r *Replay) round(ctx, work context.Context) error {
	p := r.pipeline
	polled, cancel := context.WithTimeout(ctx, lookInterval)
	fetches := p.client.PollRecords(polled, r.pace.most())
	cancel()
	if err := r.heed(fetches); err != nil {
		return err
	}
	n := fetches.NumRecords()
	if n == 0 && ctx.Err() == nil {
		if err := r.look(ctx); err != nil {
			return err
		}
	}
	if err := r.deliver(ctx, work, p.judge(fetches)); err != nil {
		return err
	}
	r.skipBatches(ctx, work)
	r.finish()
	r.progress()
	if time.Since(r.saved) >= p.cfg.CommitInterval {
		if err := r.save(); err != nil {
			return err
		}
	}
	r.pace.wait(ctx, n)
	return nil
}

// deliver hands on what a batch led to and settles its partitions. What a broker
// refuses it sends again until the broker relents or ctx ends; the partition
// stays where it is then.
func (r *Replay) deliver(ctx, work context.Context, batch []*partition) error {
	p := r.pipeline
	if p.silent {
		for _, pt := range batch {
			if err := r.cfg.Print(pt.alerts); err != nil {
				return err
			}
		}
		r.settle(batch)
		return nil
	}
	for pause := (backOff{}); len(batch) > 0; {
		done, back := p.deliver(work, batch)
		r.settle(done)
		if len(back) > 0 && ctx.Err() != nil {
			return nil
		}
		pause.after(ctx, len(back) > 0)
		batch = back
	}
	return nil
}

func (r *Replay) settle(batch []*partition) {
	for _, pt := range batch {
		r.state.Sum.add(r.spans[pt.topicPartition].count(pt))
	}
	r.pipeline.settle(batch)
	for _, pt := range batch {
		r.spans[pt.topicPartition].advance(pt.safe)
	}
}

// look moves the partitions over the offsets that no record fills.
func (r *Replay) look(ctx context.Context) error {
	p := r.pipeline
	found, err := look(ctx, r.admin, r.client, p.partitions)
	if err != nil {
		return r.trouble(ctx, "", err)
	}
	failed := false
	for tp, at := range found {
		pt, s := p.partitions[tp], r.spans[tp]
		if at.err == nil && at.log.to < s.To {
			at.err = fmt.Errorf("the log ends at %d, in front of the end of the range at %d, which it had", at.log.to, s.To)
		}
		if at.err != nil {
			failed = true
			if err := r.trouble(ctx, fmt.Sprintf("%s/%d: ", tp.topic, tp.partition), at.err); err != nil {
				return err
			}
			continue
		}
		if at.log.from > pt.next {
			s.lose(pt.next, at.log.from)
			p.log.Error("records were deleted before they were read", "topic", tp.topic, "partition", tp.partition, "from", pt.next, "to", at.log.from)
		}
		pt.next, pt.end = max(pt.next, at.next), at.end
		pt.move()
		s.advance(pt.safe)
	}
	if !failed {
		r.failing = time.Time{}
	}
	return nil
}

// skipBatches leaves out batches that unfold too far, as a run does. Those that
// lie outside of their span have no dead letter.
func (r *Replay) skipBatches(ctx, work context.Context) {
	p := r.pipeline
	for tp, pt := range p.partitions {
		e := pt.tooLarge
		if e == nil || ctx.Err() != nil {
			continue
		}
		s := r.spans[tp]
		within := e.Offset < s.To && e.NextOffset > pt.judge.extent.from
		if within {
			for pause := (backOff{}); !p.skipBatch(work, pt); {
				if pause.after(ctx, true); ctx.Err() != nil {
					return
				}
			}
			s.Records++
			r.state.Sum.Records++
			r.state.Sum.Errors++
		}
		pt.next, pt.tooLarge = e.NextOffset, nil
		pt.move()
		s.advance(pt.safe)
		p.client.RemoveConsumePartitions(map[string][]int32{tp.topic: {tp.partition}})
		p.client.AddConsumePartitions(offsets(map[topicPartition]*partition{tp: pt}))
	}
}

// finish lets go of the partitions that are done.
func (r *Replay) finish() {
	done := map[string][]int32{}
	for tp, s := range r.spans {
		if s.over() {
			delete(r.spans, tp)
			delete(r.pipeline.partitions, tp)
			done[tp.topic] = append(done[tp.topic], tp.partition)
		}
	}
	r.pipeline.client.RemoveConsumePartitions(done)
}

// sumUp makes the report say whether all is done.
func (r *Replay) sumUp() {
	r.state.Report.Complete = true
	for i := range r.state.Report.Partitions {
		s := &r.state.Report.Partitions[i]
		s.advance(s.Next)
		r.state.Report.Complete = r.state.Report.Complete && s.Complete
	}
}

func (r *Replay) progress() {
	if r.cfg.Progress != nil {
		r.cfg.Progress(width(r.state.Report.Partitions))
	}
}

func (r *Replay) save() error {
	r.saved = time.Now()
	if r.cfg.State == "" {
		return nil
	}
	return WriteFile(r.cfg.State, &r.state)
}

// stop says how often what was not shown, and closes the client unless that takes
// longer than a drain may.
func (r *Replay) stop(work context.Context) {
	_ = r.pipeline.stop(work) // what is not acknowledged is not in the state either
}
