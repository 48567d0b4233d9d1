package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
)

// partition is the state of one assigned partition. One goroutine at a time
// works on it: the loop, or the worker the loop handed it to.
type partition struct {
	topicPartition
	judge *Judge

	next    int64     // the offset behind the last record that is done; -1 before the first
	safe    int64     // the offset to commit: next, or the first record of an event that is held back
	epoch   int32     // the leader epoch of the record in front of next
	dirty   bool      // safe is not committed yet
	expired time.Time // when events that are held back were last looked at for their end

	held     bool                       // what its records led to is not acknowledged in full
	sent     map[string]int64           // of that, what is acknowledged: ids, and the offsets they came of
	tooLarge *kgo.ErrDecompressTooLarge // the batch at which the client stopped

	// What the batch in work holds of the partition.
	records  []*kgo.Record
	end, low int64 // where the log ended and began when the fetch was answered
	alerts   []*detector.Alert
	letters  []letter
	tally    tally
}

// letter is a record that becomes a dead letter.
type letter struct {
	record *kgo.Record
	fault  *Fault
}

// source is the name of the record's source: what the record told, or the topic's.
func (l letter) source(pt *partition) string { return cmp.Or(l.fault.Source, pt.judge.source.Name) }

// judge judges what a poll returned, partitions side by side, and returns the
// partitions that have something to settle.
func (p *Pipeline) judge(fetches kgo.Fetches) []*partition {
	var batch []*partition
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		pt := p.partitions[topicPartition{f.Topic, f.Partition}]
		if pt == nil && !p.cfg.exactlyOnce() {
			return // purged since; the records will come again
		}
		if pt == nil { // a transaction commits what was polled, whatever it is
			pt = p.take(topicPartition{f.Topic, f.Partition})
		}
		if len(pt.records) == 0 {
			batch = append(batch, pt)
		}
		pt.records = append(pt.records, f.Records...)
		pt.end, pt.low = f.HighWatermark, f.LogStartOffset
	})
	for _, pt := range p.partitions {
		if len(pt.records) == 0 && pt.expires(time.Now()) {
			batch = append(batch, pt)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	p.judging.Store(time.Now().UnixNano())
	defer p.judging.Store(0)
	set := p.set.Load()
	var taken atomic.Int64
	var workers sync.WaitGroup
	for range min(p.cfg.Workers, len(batch)) {
		workers.Go(func() {
			for i := taken.Add(1) - 1; i < int64(len(batch)); i = taken.Add(1) - 1 {
				batch[i].judgeRecords(set)
			}
		})
	}
	workers.Wait()
	return batch
}

// expireInterval is the time between looks at the events of a partition that
// are held back while nothing comes in.
const expireInterval = time.Second

// expires reports whether events may end by the clock: only where everything
// was read is silence an end. It notes the time.
func (pt *partition) expires(now time.Time) bool {
	if pt.judge.Pending() == 0 || pt.next < pt.end || now.Sub(pt.expired) < expireInterval {
		return false
	}
	pt.expired = now
	return true
}

func (pt *partition) judgeRecords(set *detector.Set) {
	if len(pt.records) == 0 {
		v := pt.judge.Expire(pt.expired, set)
		pt.tally.add(v, 0)
		pt.alerts = append(pt.alerts, v.Alerts...)
		if v.Fault != nil { // no record's own: it stands for those from the oldest on
			pt.letters = append(pt.letters, letter{&kgo.Record{Topic: pt.topic, Partition: pt.partition, Offset: pt.safe}, v.Fault})
		}
		return
	}
	var record normalize.Record
	for _, r := range pt.records {
		if r.Attrs.IsControl() {
			continue // a transaction's marker
		}
		record = normalize.Record{Value: r.Value, Key: r.Key, Time: r.Timestamp, Offset: r.Offset}
		v := pt.judge.Judge(&record, set)
		pt.tally.add(v, len(r.Value))
		pt.alerts = append(pt.alerts, v.Alerts...)
		if v.Fault != nil {
			pt.letters = append(pt.letters, letter{r, v.Fault})
		}
	}
}

// settle counts a batch whose alerts and dead letters were acknowledged and
// moves its partitions on.
func (p *Pipeline) settle(batch []*partition) {
	now := time.Now()
	for _, pt := range batch {
		if n := len(pt.records); n > 0 {
			last := pt.records[n-1]
			p.countLoss(pt)
			pt.next, pt.epoch = last.Offset+1, last.LeaderEpoch
			p.metrics.lag(pt, pt.next, last.Timestamp, now)
		}
		p.count(pt, pt.alerts, pt.letters, &pt.tally, now)
		pt.move()
		maps.DeleteFunc(pt.sent, func(_ string, offset int64) bool { return offset < pt.safe })
		pt.clear()
	}
}

// count counts what is done: each record and each alert once, however often it
// was read and sent until then.
func (p *Pipeline) count(pt *partition, alerts []*detector.Alert, letters []letter, t *tally, now time.Time) {
	for _, a := range alerts {
		p.metrics.alerts.WithLabelValues(a.Rule.ID, string(a.Rule.Severity)).Inc()
		if t := a.Time(); !t.IsZero() {
			p.metrics.latency.Observe(now.Sub(t).Seconds())
		}
	}
	for _, l := range letters {
		p.complain(pt, l)
	}
	p.metrics.publish(pt.judge.source.Name, t)
}

// move moves what is to be committed up to next, as far as nothing is held back.
func (pt *partition) move() {
	if safe := pt.judge.Safe(pt.next); safe != pt.safe {
		pt.safe, pt.dirty = safe, true
	}
}

// clear forgets the batch in work.
func (pt *partition) clear() {
	clear(pt.records)
	clear(pt.alerts)
	clear(pt.letters)
	pt.records, pt.alerts, pt.letters, pt.tally = pt.records[:0], pt.alerts[:0], pt.letters[:0], tally{}
}

// setBack makes the records of a batch that was not acknowledged come again.
func (p *Pipeline) setBack(batch []*partition) {
	if len(batch) == 0 {
		return
	}
	now := time.Now()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, pt := range batch {
		if offsets[pt.topic] == nil {
			offsets[pt.topic] = map[int32]kgo.EpochOffset{}
		}
		from, at := pt.safe, now
		if len(pt.records) > 0 {
			at = pt.records[0].Timestamp
			if from < 0 || from == pt.next {
				from = pt.records[0].Offset
			}
		}
		// A normalizer that joins has seen these records and takes them for
		// repeated; so it forgets, and those it held back come again too.
		pt.judge.Reset()
		pt.next = min(pt.next, from)
		pt.tooLarge = nil // it is met again, behind what comes again
		offsets[pt.topic][pt.partition] = kgo.EpochOffset{Epoch: -1, Offset: from}
		p.metrics.lag(pt, from, at, now)
		pt.clear()
	}
	p.client.SetOffsets(offsets)
}

// countLoss counts the offsets that retention took before they were read. The
// client jumps over them in silence: without a look at where the log begins, a
// gap is the same as one that compaction or a transaction left.
func (p *Pipeline) countLoss(pt *partition) {
	from := pt.next
	p.mu.Lock()
	if start, ok := p.starts[pt.topicPartition]; ok && from < 0 {
		from = start
	}
	delete(p.starts, pt.topicPartition)
	p.mu.Unlock()
	first := pt.records[0].Offset
	switch lost := min(first, pt.low) - from; {
	case from >= 0 && lost > 0:
		pt.tally.lost += lost
		p.log.Error("records were deleted before they were read", "topic", pt.topic, "partition", pt.partition, "from", from, "to", from+lost, "count", lost)
	case from > first:
		p.log.Error("the partition begins anew below the position", "topic", pt.topic, "partition", pt.partition, "position", from, "offset", first)
	}
}

func (p *Pipeline) complain(pt *partition, l letter) {
	source := l.source(pt)
	p.metrics.deadletters.WithLabelValues(source, string(l.fault.Reason)).Inc()
	if l.fault.Reason == Panic {
		p.metrics.panics.WithLabelValues(string(l.fault.Stage)).Inc()
	}
	if !p.complaints.Show(source + " " + string(l.fault.Reason)) {
		return
	}
	line := fmt.Sprintf("%s/%d/%d: %s: %s", l.record.Topic, l.record.Partition, l.record.Offset, source, l.fault.Message)
	if l.fault.Stack != nil {
		p.log.Error(line, "stack", string(l.fault.Stack))
	} else {
		p.log.Warn(line)
	}
}

// lag says how far position, the offset to do next, is behind the end, and how
// old the record at or before it is.
func (m *metrics) lag(pt *partition, position int64, record, now time.Time) {
	number := strconv.Itoa(int(pt.partition))
	behind := max(0, pt.end-position)
	age := 0.0
	if behind > 0 {
		age = max(0, now.Sub(record).Seconds())
	}
	m.lagRecords.WithLabelValues(pt.topic, number).Set(float64(behind))
	m.lagSeconds.WithLabelValues(pt.topic, number).Set(age)
}

func (m *metrics) forget(tp topicPartition) {
	number := strconv.Itoa(int(tp.partition))
	m.lagRecords.DeleteLabelValues(tp.topic, number)
	m.lagSeconds.DeleteLabelValues(tp.topic, number)
}
