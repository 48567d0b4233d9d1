package pipeline

import "github.com/twmb/franz-go/pkg/kgo"

// Span is the part of one partition that a replay judges: the offsets from From
// on, up to To.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	// Next is where a replay goes on that is started again: alerts and dead
	// letters of all that begins below it were acknowledged.
	Next    int64 `json:"next"`
	Records int   `json:"records"`
	Events  int   `json:"events"`
	Alerts  int   `json:"alerts"`
	// Complete is whether all of the span was judged.
	Complete bool `json:"complete"`
	// Gap is how many of its offsets retention took before they were read.
	Gap int64 `json:"gap"`
}

// Report is what a replay came to.
type Report struct {
	Run        string `json:"run"`
	Complete   bool   `json:"complete"`
	Partitions []Span `json:"partitions"`
}

// Sum is what became of a replay's records.
type Sum struct {
	Records int `json:"records"`
	Events  int `json:"events"`
	Skipped int `json:"skipped"`
	NoMatch int `json:"no_match"`
	Alerts  int `json:"alerts"`
	Errors  int `json:"errors"`
}

func (s *Span) place() topicPartition { return topicPartition{s.Topic, s.Partition} }

// over reports whether the span has nothing left to judge.
func (s *Span) over() bool { return s.Next >= s.To }

// advance moves the span on to a position: that of the reader, or where a joined
// event begins that is held back.
func (s *Span) advance(safe int64) {
	s.Next = min(max(s.Next, safe), s.To)
	s.Complete = s.over() && s.Gap == 0
}

// lose counts the offsets of the span that are gone between a position and the
// one that follows it.
func (s *Span) lose(position, following int64) {
	s.Gap += max(0, min(following, s.To)-max(position, s.From))
}

// joinBack is how far in front of a span a source that joins begins to read, in
// offsets. What it reads there raises nothing; it tells which of the span's
// records belong to events that began earlier. A joiner remembers the last 16,384
// events that it is done with (normalize.maxOver), here with eight records each.
const joinBack = 8 << 14

// begin is where reading the span begins, given where the log does.
func (s *Span) begin(joins bool, start int64) int64 {
	if !joins {
		return s.Next
	}
	return min(s.Next, max(s.Next-joinBack, start))
}

// partition makes the state in which the span's records are judged. What its
// events and faults lead to is within the span; of a joined event the first
// record counts, so that reading goes on behind the span until those that begin
// in it have ended.
func (s *Span) partition(cfg *Config, run string, start int64) *partition {
	tp := s.place()
	judge := NewJudge(cfg.sourceOf(s.Topic), s.Topic, s.Partition)
	judge.extent, judge.replay = extent{s.Next, s.To}, run
	at := s.begin(judge.source.Joins, start)
	return &partition{topicPartition: tp, judge: judge, next: at, safe: at, epoch: -1}
}

// count counts a batch of the span, whose alerts and dead letters were
// acknowledged, and returns it as a part of the replay's sum.
func (s *Span) count(pt *partition) Sum {
	part := Sum{
		Events:  pt.tally.events,
		Skipped: pt.tally.outcomes[Skipped],
		NoMatch: pt.tally.outcomes[NoMatch],
		Alerts:  len(pt.alerts),
		Errors:  len(pt.letters),
	}
	for _, r := range pt.records {
		if pt.judge.extent.holds(r.Offset) && !r.Attrs.IsControl() {
			part.Records++
		}
	}
	s.Records += part.Records
	s.Events += part.Events
	s.Alerts += part.Alerts
	if len(pt.records) > 0 {
		s.lose(pt.next, min(pt.records[0].Offset, pt.low))
	}
	return part
}

func (s *Sum) add(part Sum) {
	s.Records += part.Records
	s.Events += part.Events
	s.Skipped += part.Skipped
	s.NoMatch += part.NoMatch
	s.Alerts += part.Alerts
	s.Errors += part.Errors
}

// width is how many offsets spans have, and how many of them are done.
func width(spans []Span) (done, total int64) {
	for _, s := range spans {
		done += s.Next - s.From
		total += s.To - s.From
	}
	return done, total
}

// offsets are positions as Kafka's client takes them.
func offsets(partitions map[topicPartition]*partition) map[string]map[int32]kgo.Offset {
	at := map[string]map[int32]kgo.Offset{}
	for tp, pt := range partitions {
		if at[tp.topic] == nil {
			at[tp.topic] = map[int32]kgo.Offset{}
		}
		at[tp.topic][tp.partition] = kgo.NewOffset().At(pt.next)
	}
	return at
}
