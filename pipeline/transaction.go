package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/detector"
)

const (
	// transactionSpan is how long a transaction takes more polls in. Its end costs
	// some 10 to 30 ms where every record is kept three times: one a poll would
	// spend much of the time on ends, one a second would hold alerts back.
	transactionSpan = 100 * time.Millisecond
	// transactionRecords bounds a transaction: what an abort repeats.
	transactionRecords = 5 * pollRecords
	// transactionTimeout is when the brokers abort a transaction whose member is
	// gone, if no successor with its id does so before. Until then readers of
	// committed records see nothing of the outputs that lies behind it. Brokers
	// that move a partition's leader need some seconds of it.
	transactionTimeout = 15 * time.Second
)

// transaction is what one Kafka transaction holds: alerts and dead letters that
// were sent, and of which partitions they are.
type transaction struct {
	begun   time.Time
	records int
	shares  map[*partition]*share

	mu      sync.Mutex // the client acknowledges on a goroutine of its own
	refused []refused
}

// share is what a transaction holds of a partition. It is counted once it is
// committed: what was aborted is read and judged again.
type share struct {
	alerts      []*detector.Alert
	letters     []letter
	tally       tally
	first, last time.Time                  // the timestamps of its records; zero if there are none
	tooLarge    *kgo.ErrDecompressTooLarge // a batch to leave out behind its records
}

// refused is a record that was not acknowledged.
type refused struct {
	from *partition
	refusal
}

// transact does all that a poll's return asks for, exactly once: it polls on
// until the transaction is long enough, sends what there is to send, and ends it.
// It reports whether it came to nothing. An error ends the member.
//
// A rebalance is held up while records are judged, and not while brokers are
// waited for: an end waits for the heartbeat of the group, which may wait for a
// callback. A transaction whose partitions are taken meanwhile is aborted.
func (p *Pipeline) transact(ctx, work context.Context, fetches kgo.Fetches) (failed bool, _ error) {
	troubled := p.heed(fetches)
	if p.taken {
		return p.rewind(work, fetches)
	}
	if fetches.NumRecords() == 0 && !p.skips() {
		p.client.AllowRebalance()
		return troubled, nil
	}
	tx := &transaction{begun: time.Now(), shares: map[*partition]*share{}}
	if err := within(work, p.session.Begin); err != nil {
		p.client.AllowRebalance()
		err = p.replace(work, tx.begun, err)
		p.refused.Store(true) // the id may not be used, for one
		return true, err
	}
	p.fill(work, tx, fetches)
	for tx.records < transactionRecords && ctx.Err() == nil && time.Since(tx.begun) < transactionSpan {
		more := p.pollUntil(ctx, tx.begun.Add(transactionSpan))
		p.heed(more)
		p.fill(work, tx, more)
	}
	p.leaveOut(work, tx)
	p.client.AllowRebalance()
	return p.end(work, tx)
}

// pollUntil waits for records for what is left of a transaction.
func (p *Pipeline) pollUntil(ctx context.Context, deadline time.Time) kgo.Fetches {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return p.client.PollRecords(ctx, pollRecords)
}

// rewind makes what was polled come again. The client aborts the first
// transaction after partitions were taken, even if it began after that.
func (p *Pipeline) rewind(work context.Context, fetches kgo.Fetches) (failed bool, _ error) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if pt := p.partitions[topicPartition{f.Topic, f.Partition}]; pt != nil && len(f.Records) > 0 {
			pt.tooLarge = nil // it is met again, behind these
		}
	})
	p.client.AllowRebalance()
	began := time.Now()
	if _, err := p.session.End(work, kgo.TryAbort); err != nil {
		return true, p.replace(work, began, err)
	}
	p.group.Lock()
	defer p.group.Unlock()
	p.taken = false
	return false, nil
}

// fill judges what a poll returned and sends what it leads to.
func (p *Pipeline) fill(work context.Context, tx *transaction, fetches kgo.Fetches) {
	batch := p.judge(fetches)
	for _, o := range p.encode(batch) {
		p.client.Produce(work, o.record, tx.acknowledge(o))
	}
	for _, pt := range batch {
		s := tx.share(pt)
		first, last := pt.records[0], pt.records[len(pt.records)-1]
		if pt.next < 0 {
			at, ok := p.start(pt.topicPartition)
			if !ok {
				at = first.Offset
			}
			pt.next, pt.safe = at, at
		}
		p.countLoss(pt)
		if s.first.IsZero() {
			s.first = first.Timestamp
		}
		s.last = last.Timestamp
		pt.next, pt.epoch = last.Offset+1, last.LeaderEpoch
		s.alerts = append(s.alerts, pt.alerts...)
		s.letters = append(s.letters, pt.letters...)
		s.tally.merge(&pt.tally)
		tx.records += len(pt.records)
		pt.clear()
	}
}

func (tx *transaction) share(pt *partition) *share {
	s := tx.shares[pt]
	if s == nil {
		s = &share{}
		tx.shares[pt] = s
	}
	return s
}

// acknowledge is what the client calls with the fate of a record.
func (tx *transaction) acknowledge(o outgoing) func(*kgo.Record, error) {
	return func(_ *kgo.Record, err error) {
		if err != nil {
			tx.mu.Lock()
			defer tx.mu.Unlock()
			tx.refused = append(tx.refused, refused{o.from, refusal{o.record.Topic, err}})
		}
	}
}

// skips reports whether there are batches to leave out.
func (p *Pipeline) skips() bool {
	for _, pt := range p.partitions {
		if pt.tooLarge != nil {
			return true
		}
	}
	return false
}

// leaveOut sends the dead letters of the batches that unfold to too much. That
// they are left out is part of the transaction: see commitSkips.
func (p *Pipeline) leaveOut(work context.Context, tx *transaction) {
	for _, pt := range p.partitions {
		e := pt.tooLarge
		if e == nil {
			continue
		}
		l, d := p.pointTo(pt, e)
		p.client.Produce(work, d, tx.acknowledge(outgoing{record: d, from: pt}))
		s := tx.share(pt)
		s.tooLarge, pt.tooLarge = e, nil
		s.letters = append(s.letters, l)
		s.tally.outcomes[Unreadable]++
	}
}

// commitSkips puts the offsets behind the batches that are left out into the
// request that commits those of the records: the client knows of records alone.
func (tx *transaction) commitSkips(request *kmsg.TxnOffsetCommitRequest) error {
	for pt, s := range tx.shares {
		if s.tooLarge == nil {
			continue
		}
		at := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset, at.LeaderEpoch = pt.partition, s.tooLarge.NextOffset, s.tooLarge.Epoch
		setOffset(request, pt.topic, at)
	}
	return nil
}

func setOffset(request *kmsg.TxnOffsetCommitRequest, topic string, at kmsg.TxnOffsetCommitRequestTopicPartition) {
	for i := range request.Topics {
		t := &request.Topics[i]
		if t.Topic != topic {
			continue
		}
		for j := range t.Partitions {
			if t.Partitions[j].Partition == at.Partition {
				t.Partitions[j] = at
				return
			}
		}
		t.Partitions = append(t.Partitions, at)
		return
	}
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, at)
	request.Topics = append(request.Topics, t)
}

// end ends the transaction. A commit that the group prevents is an abort like
// any other: the client goes back to what is committed.
func (p *Pipeline) end(work context.Context, tx *transaction) (failed bool, _ error) {
	// First all fates must be known: the client commits without what was refused.
	if p.client.Flush(work) != nil {
		return true, context.Cause(work)
	}
	try := kgo.TryCommit
	if len(tx.refused) > 0 {
		try = kgo.TryAbort
	}
	ctx, cancel := context.WithTimeout(work, transactionTimeout) // the brokers give it up then
	defer cancel()
	committed, err := p.session.End(kgo.PreTxnCommitFnContext(ctx, tx.commitSkips), try)
	p.conclude(tx, committed)
	for _, r := range tx.refused {
		if work.Err() == nil {
			p.countRefusal(&r.refusal)
		}
	}
	switch {
	case err != nil:
		return true, p.replace(work, tx.begun, err)
	case len(tx.refused) > 0:
		p.repair(work, &tx.refused[0].refusal)
	}
	return !committed, nil
}

// conclude counts what is committed, or notes that it comes again. A failed end
// is one that aborted: what it came to is not known. Should it have committed,
// its records do not come again, and are not counted.
func (p *Pipeline) conclude(tx *transaction, committed bool) {
	p.group.Lock()
	defer p.group.Unlock()
	now := time.Now()
	p.metrics.batch.Observe(now.Sub(tx.begun).Seconds())
	result, conclude := "aborted", p.setShareBack
	if committed {
		result, conclude = "committed", p.settleShare
	}
	p.metrics.transactions.WithLabelValues(result).Inc()
	for pt, s := range tx.shares {
		conclude(pt, s, now)
	}
	for _, r := range tx.refused {
		r.from.held = true
	}
	p.taken = false
	p.note()
}

func (p *Pipeline) settleShare(pt *partition, s *share, now time.Time) {
	p.count(pt, s.alerts, s.letters, &s.tally, now)
	ours := p.partitions[pt.topicPartition] == pt
	if e := s.tooLarge; e != nil {
		pt.next, pt.epoch = e.NextOffset, e.Epoch
		if ours {
			p.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{e.Topic: {e.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}})
		}
	}
	pt.safe, pt.held = pt.next, false
	if ours && !s.last.IsZero() {
		p.metrics.lag(pt, pt.next, s.last, now)
	}
}

func (p *Pipeline) setShareBack(pt *partition, s *share, now time.Time) {
	pt.held = false
	if s.first.IsZero() { // the client did not move, and does not meet the batch again
		pt.tooLarge = s.tooLarge
		return
	}
	pt.next = pt.safe
	if p.partitions[pt.topicPartition] == pt {
		p.metrics.lag(pt, pt.next, s.first, now)
	}
}
