package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Outcome is what became of a record. Each record has one.
type Outcome uint8

// The outcomes, in the order of their weight: a record that raised an alert and
// was damaged besides has the outcome alert, and is a dead letter all the same.
const (
	Skipped    Outcome = iota // readable, no process start
	NoMatch                   // a process start that no rule matches
	Unreadable                // an error: it could not be read, or not whole
	Alerting                  // at least one alert
	outcomes
)

var outcomeNames = [outcomes]string{"skipped", "no_match", "error", "alert"}

// String is the outcome's word in metrics and summaries.
func (o Outcome) String() string { return outcomeNames[o] }

// Stage is where a record failed.
type Stage string

// The stages of a record, by the words of a dead letter's stage header.
const (
	StageFetch     Stage = "fetch"
	StageNormalize Stage = "normalize"
	StageDetect    Stage = "detect"
	StageProduce   Stage = "produce"
)

// Reasons that are not a normalizer's.
const (
	Decompress normalize.Reason = "decompress" // a batch beyond the decompression limit
	Panic      normalize.Reason = "panic"      // a defect of ours, met by this record
)

// Fault is why a record became a dead letter. Its message never holds the
// record's content.
type Fault struct {
	Stage   Stage
	Reason  normalize.Reason
	Message string
	Source  string // of the record
	Stack   []byte // of a panic, for the log
}

func (f *Fault) Error() string { return f.Message }

// Verdict is the judgement on one record. Its slices are valid until the
// judge's next record; the alerts own their memory.
type Verdict struct {
	Outcome Outcome
	// Counts are the records that came to their outcomes by this judgement: one,
	// or where records are joined none, or several that were judged before.
	Counts [outcomes]int
	Events int
	Alerts []*detector.Alert
	Fault  *Fault // nil for a record that was read whole
}

// disown takes from the verdict on a record what is of the record itself, and
// leaves what is of the events that ended with it.
func (v *Verdict) disown() {
	v.Fault = nil
	v.Counts[Skipped], v.Counts[Unreadable] = 0, 0
}

// Judge normalizes and matches the records of one partition. It is not safe for
// concurrent use.
type Judge struct {
	source    *normalize.Source
	topic     string
	partition int32
	extent    extent // what it raises anything of: the events and faults that begin there
	replay    string // the id of the replay it judges for; empty outside of one

	normalizer normalize.Normalizer
	events     []ecs.Event
	matched    []*detector.Rule
	alerts     []*detector.Alert
	came       []Outcome // by event that was matched: what it came to
}

// NewJudge makes the judge of a partition.
func NewJudge(source *normalize.Source, topic string, partition int32) *Judge {
	return &Judge{source: source, topic: topic, partition: partition, extent: everything, normalizer: source.New()}
}

// Source is the source of the judge's records.
func (j *Judge) Source() *normalize.Source { return j.source }

// Events are the events of the last record, valid until the next one.
func (j *Judge) Events() []ecs.Event { return j.events }

// Judge judges one record by the set. A panic below it is a defect of ours and
// becomes the record's fault. A normalizer that panicked is made anew; what it
// held back is judged as it is.
func (j *Judge) Judge(r *normalize.Record, set *detector.Set) (v Verdict) {
	j.begin()
	within := j.extent.holds(r.Offset)
	switch {
	case !within && !j.source.Joins:
		return v
	case !within:
		defer func() { v.disown() }()
	}
	if normalize.Blank(r.Value) {
		v.Counts[Skipped] = 1
		return v
	}
	defer func() {
		if p := recover(); p != nil {
			v = j.panicked(p, set)
		}
	}()
	var err error
	j.events, err = j.normalizer.Normalize(j.events, r)
	j.match(&v, set)
	if err != nil {
		v.Outcome = max(v.Outcome, Unreadable)
		if v.Fault == nil { // a panic is the graver one
			v.Fault = j.fault(err)
		}
	}
	j.count(&v, err != nil)
	return v
}

// keepEvents are the rows that a judge keeps for the next record: a batch of
// thousands would cost its size for ever.
const keepEvents = 1 << 10

func (j *Judge) begin() {
	if cap(j.events) > keepEvents {
		j.events = nil
	}
	clear(j.alerts)
	j.events, j.alerts, j.came = j.events[:0], j.alerts[:0], j.came[:0]
}

// Expire judges the events that get no more records; see normalize.Joiner. It
// does nothing for a source that joins none.
func (j *Judge) Expire(now time.Time, set *detector.Set) (v Verdict) {
	j.begin()
	joiner, ok := j.normalizer.(normalize.Joiner)
	if !ok {
		return v
	}
	defer func() {
		if p := recover(); p != nil {
			v = j.panicked(p, set)
		}
	}()
	j.events = joiner.Expire(j.events, now)
	j.match(&v, set)
	j.count(&v, false)
	return v
}

// Safe is the offset up to which everything is judged, next if nothing is held
// back.
func (j *Judge) Safe(next int64) int64 {
	if joiner, ok := j.normalizer.(normalize.Joiner); ok {
		return joiner.Safe(next)
	}
	return next
}

// Pending is how many events are held back.
func (j *Judge) Pending() int {
	if joiner, ok := j.normalizer.(normalize.Joiner); ok {
		return joiner.Pending()
	}
	return 0
}

// Reset drops what is held back: its records will come again.
func (j *Judge) Reset() {
	if joiner, ok := j.normalizer.(normalize.Joiner); ok {
		joiner.Reset()
	}
}

// match matches the events and raises alerts. An event on which that panics is
// the fault of the verdict, and costs the others nothing.
func (j *Judge) match(v *Verdict, set *detector.Set) {
	for len(j.came) < len(j.events) {
		if fault := j.matchOn(v, set); fault != nil {
			v.Fault, v.Outcome = fault, Unreadable
		}
	}
	v.Alerts = j.alerts
	switch {
	case len(j.alerts) > 0:
		v.Outcome = Alerting
	case v.Events > 0:
		v.Outcome = max(v.Outcome, NoMatch)
	}
}

// matchOn matches the events that are not matched yet, up to one that panics.
func (j *Judge) matchOn(v *Verdict, set *detector.Set) (fault *Fault) {
	defer func() {
		if p := recover(); p != nil {
			fault = j.panicFault(StageDetect, p)
			j.came = append(j.came, Unreadable)
		}
	}()
	for i := len(j.came); i < len(j.events); i++ {
		e := &j.events[i]
		if !j.extent.holds(e.Offset) {
			j.came = append(j.came, Skipped)
			continue
		}
		v.Events++
		source := cmp.Or(e.Source, j.source.Name)
		outcome := NoMatch
		j.matched = set.For(source).Match(j.matched[:0], e)
		for _, rule := range j.matched {
			j.alerts = append(j.alerts, detector.NewAlert(rule, e, detector.Origin{
				Source: source, Shape: e.Shape, Topic: j.topic, Partition: j.partition,
				Offset: e.Offset, Index: e.Index, Rules: set.Hash(), Replay: j.replay,
			}))
			outcome = Alerting
		}
		j.came = append(j.came, outcome)
	}
	return nil
}

// count counts the records that the judgement decided. Each record of a joined
// event has the event's outcome; events of one record share the weightiest. One
// that could not be read is not among those that the joiner has settled.
func (j *Judge) count(v *Verdict, unread bool) {
	joiner, ok := j.normalizer.(normalize.Joiner)
	if !ok {
		v.Counts[v.Outcome] = 1
		return
	}
	joined, skipped := joiner.Settled()
	v.Counts[Skipped] = skipped
	records := 0
	for _, n := range joined {
		records += n
	}
	switch {
	case unread && records == 0:
		v.Counts[v.Outcome]++ // of its own events, if any
	case unread:
		v.Counts[Unreadable]++
	}
	for i := 0; i < len(joined); {
		records, outcome := joined[i], NoMatch
		if !j.extent.holds(j.events[i].Offset) {
			records = 0
		}
		for first := i; i < len(joined) && (i == first || joined[i] == 0); i++ {
			outcome = max(outcome, j.came[i])
		}
		v.Counts[outcome] += records
	}
}

func (j *Judge) fault(err error) *Fault {
	f := &Fault{Stage: StageNormalize, Reason: normalize.Shape, Message: err.Error(), Source: j.source.Name}
	if e, ok := errors.AsType[*normalize.Error](err); ok {
		f.Reason, f.Source = e.Reason, cmp.Or(e.Source, f.Source)
	}
	return f
}

// panicked is the verdict on a record on which the normalizer panicked. The
// alerts it had raised by then stand. The normalizer is not trusted any more;
// what it held back ends with it, and is judged as it is.
func (j *Judge) panicked(p any, set *detector.Set) Verdict {
	v := Verdict{Outcome: Unreadable, Fault: j.panicFault(StageNormalize, p)}
	old := j.normalizer
	j.normalizer = j.source.New()
	j.salvage(old, set)
	if v.Alerts = j.alerts; len(v.Alerts) > 0 {
		v.Outcome = Alerting
	}
	v.Counts[v.Outcome] = 1
	return v
}

func (j *Judge) panicFault(stage Stage, p any) *Fault {
	return &Fault{
		Stage: stage, Reason: Panic, Source: j.source.Name,
		// The value of a panic may quote the record; its type cannot.
		Message: fmt.Sprintf("imdswatch panicked on this record (%T)", p),
		Stack:   debug.Stack(),
	}
}

// salvage judges what a joiner still holds, if it can tell.
func (j *Judge) salvage(old normalize.Normalizer, set *detector.Set) {
	joiner, ok := old.(normalize.Joiner)
	if !ok {
		return
	}
	defer func() { _ = recover() }() // it panics again: there is no more to get
	j.events, j.came = joiner.Expire(j.events[:0], normalize.EndOfInput), j.came[:0]
	var v Verdict
	j.match(&v, set)
}
