// Package pipeline moves records: it polls raw records from Kafka, has them
// judged, sends alerts and dead letters, and commits what is done.
package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// Pipeline is one member of the consumer group. Make it with New, start it
// with Run.
type Pipeline struct {
	cfg     Config
	opts    []kgo.Opt
	log     *slog.Logger
	reg     prometheus.Registerer
	metrics *metrics
	set     atomic.Pointer[detector.Set] // loaded once a batch, so that a new set is a swap
	limits  limits

	client  *kgo.Client
	session *kgo.GroupTransactSession // of the client; nil unless exactly once
	silent  bool                      // nothing is produced: a replay prints its alerts

	// partitions belongs to the loop while a poll's records are in work and to
	// the group's callbacks otherwise: BlockRebalanceOnPoll lets no callback run
	// between a poll's return and AllowRebalance. The end of a transaction does
	// not hold callbacks up; what comes behind it takes group, as they do.
	partitions map[topicPartition]*partition
	group      sync.Mutex
	taken      bool      // partitions were taken since the last transaction ended
	fenced     error     // another member has this one's id
	committed  time.Time // when the loop last committed
	complaints Complaints
	recent     recent

	mu      sync.Mutex               // guards what is written while polls are in work; group is taken first
	starts  map[topicPartition]int64 // positions the group gave
	renewed map[string]bool          // topics that were created anew

	assignedOnce atomic.Bool
	refused      atomic.Bool  // a broker refused what a partition's records led to; see note
	judging      atomic.Int64 // when the batch in work was begun, Unix nanoseconds; 0 if none is
}

type topicPartition struct {
	topic     string
	partition int32
}

// New makes a pipeline; its metrics are in reg from then on. Further options,
// such as TLS, go to every client it makes. It fails on a configuration that
// cannot be right whatever the brokers say.
func New(cfg Config, set *detector.Set, reg prometheus.Registerer, opts ...kgo.Opt) (*Pipeline, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Workers = max(1, cfg.Workers)
	p := &Pipeline{
		cfg: cfg, opts: opts, log: cfg.Log,
		reg:        reg,
		metrics:    newMetrics(reg, cfg.Version, cfg.Commit),
		partitions: map[topicPartition]*partition{},
		starts:     map[topicPartition]int64{},
		renewed:    map[string]bool{},
	}
	p.Load(set)
	if err := kgo.ValidateOpts(p.clientOptions()...); err != nil {
		return nil, err
	}
	return p, nil
}

// Load puts a set of rules in force from the next batch on.
func (p *Pipeline) Load(set *detector.Set) {
	p.set.Store(set)
	p.metrics.rules.Reset()
	p.metrics.rules.WithLabelValues(set.Hash()).Set(1)
	p.metrics.rulesLoaded.Set(float64(len(set.Rules())))
}

// Run consumes until ctx ends, then drains: what was polled is judged, sent and
// committed, for at most the drain timeout. It fails before it consumes where a
// topic is missing or not allowed, or no broker can be reached (ErrKafka).
//
// No record is lost: an offset is committed only when the brokers have
// acknowledged the alerts and dead letters of every record below it. A batch
// that is not acknowledged, because a broker refuses or the process dies, is
// read again; its alerts have the same ids then. Exactly once, alerts, dead
// letters and offsets are one transaction, and readers of committed records see
// each alert once.
func (p *Pipeline) Run(ctx context.Context) error {
	if err := p.checkTopics(ctx); ctx.Err() != nil {
		return nil // told to stop before anything began
	} else if err != nil {
		return err
	}
	if p.cfg.exactlyOnce() {
		if err := p.fence(ctx); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := p.open(); err != nil {
		return err
	}
	work, cancel := p.drain(ctx)
	defer cancel()

	round := p.acknowledge
	if p.cfg.exactlyOnce() {
		round = p.transact
	}
	pause := backOff{}
	for ended := false; !ended; {
		fetches := p.poll(ctx)
		if len(fetches) == 0 {
			continue // the group took back what was ready, and a rebalance may be going on
		}
		ended = ctx.Err() != nil
		failed, err := round(ctx, work, fetches)
		if err == nil && p.fenced != nil {
			err = p.twin(p.fenced)
		}
		if err != nil {
			ctx, cancel := context.WithTimeout(work, closeTimeout)
			defer cancel()
			_ = p.stop(ctx) // what ended the run is the news
			return err
		}
		if failed || !p.refused.Load() { // what is still held back keeps its pause
			pause.after(ctx, failed)
		}
	}
	return p.stop(work)
}

// closeTimeout bounds the good order in which a member leaves: a close waits for
// the rebalance that may be going on.
const closeTimeout = 5 * time.Second

// acknowledge does all that a poll's return asks for, at least once: offsets are
// committed behind acknowledgements. It reports whether it came to nothing or a
// part of it has to be done again. Its error is nil.
func (p *Pipeline) acknowledge(ctx, work context.Context, fetches kgo.Fetches) (failed bool, _ error) {
	began := time.Now()
	troubled := p.heed(fetches)
	batch := p.judge(fetches)
	done, back := p.deliver(work, batch)
	p.settle(done)
	p.setBack(back)
	skipped := p.skipBatches(work)
	p.note()
	if len(batch) > 0 {
		p.metrics.batch.Observe(time.Since(began).Seconds())
	}
	if ctx.Err() != nil || time.Since(p.committed) >= p.cfg.CommitInterval {
		p.commit(work)
	}
	p.client.AllowRebalance()
	return len(back) > 0 || !skipped || troubled && len(batch) == 0, nil
}

// drain is a context that outlives ctx by the drain timeout.
func (p *Pipeline) drain(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(p.cfg.DrainTimeout, func() { cancel(errDrained) })
	})
	return work, func() { stop(); cancel(nil) }
}

var errDrained = errors.New("drain timeout is over")

// poll waits for records, at most until the next commit is due.
func (p *Pipeline) poll(ctx context.Context) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.CommitInterval)
	defer cancel()
	return p.client.PollRecords(ctx, pollRecords)
}

// stop leaves the group; what is done was committed. It fails if the drain
// timeout is over.
func (p *Pipeline) stop(work context.Context) error {
	for kind, n := range p.complaints.Rest() {
		p.log.Warn("more of these were not shown", "kind", kind, "count", n)
	}
	closing, cancel := context.WithTimeout(work, closeTimeout)
	defer cancel()
	if p.close(closing) != nil && work.Err() == nil {
		p.log.Warn("all is done, but the client did not close in time; the group waits for the session timeout")
	}
	return context.Cause(work)
}

// close leaves the group, or gives up when ctx ends: a close can wait for a
// broker that is gone.
func (p *Pipeline) close(ctx context.Context) error {
	return within(ctx, func() error { p.client.CloseAllowingRebalance(); return nil })
}

// within waits for f, which knows no context, for as long as ctx lasts. What
// goes on behind that ends with the process.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ready is nil once rules are loaded, partitions were assigned once, if only
// none, and the last produce was not refused; else it says what is missing.
func (p *Pipeline) Ready() error {
	switch {
	case !p.assignedOnce.Load():
		return errors.New("no partitions were assigned yet")
	case p.refused.Load():
		return errors.New("a broker refused the last alerts or dead letters")
	}
	return nil
}

// hung is how long a batch may be judged before the process counts as hung. A
// batch takes some 20 ms; waiting for brokers is no part of it.
const hung = time.Minute

// Healthy is nil unless judging a batch does not return.
func (p *Pipeline) Healthy() error {
	if since := p.judging.Load(); since != 0 && time.Since(time.Unix(0, since)) > hung {
		return errors.New("judging a batch does not return")
	}
	return nil
}

// backOff is the growing pause between tries of what keeps failing.
type backOff struct{ tries int }

// after pauses if the last try failed, or until ctx ends.
func (b *backOff) after(ctx context.Context, failed bool) {
	if !failed {
		b.tries = 0
		return
	}
	b.tries = min(b.tries+1, 6)
	timer := time.NewTimer(100 * time.Millisecond << (b.tries - 1)) // 0.1 s to 3.2 s
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
