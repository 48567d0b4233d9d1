package pipeline

import (
	"errors"
	"fmt"
	"runtime/debug"

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
	Stack   []byte // of a panic, for the log
}

func (f *Fault) Error() string { return f.Message }

// Verdict is the judgement on one record. Its slices are valid until the
// judge's next record; the alerts own their memory.
type Verdict struct {
	Outcome Outcome
	Events  int
	Alerts  []*detector.Alert
	Fault   *Fault // nil for a record that was read whole
}

// Judge normalizes and matches the records of one partition. It is not safe for
// concurrent use.
type Judge struct {
	source    *normalize.Source
	topic     string
	partition int32

	normalizer normalize.Normalizer
	events     []ecs.Event
	matched    []*detector.Rule
	alerts     []*detector.Alert
	stage      Stage // where the record is, for a panic's fault
}

// NewJudge makes the judge of a partition.
func NewJudge(source *normalize.Source, topic string, partition int32) *Judge {
	return &Judge{source: source, topic: topic, partition: partition, normalizer: source.New()}
}

// Source is the source of the judge's records.
func (j *Judge) Source() *normalize.Source { return j.source }

// Events are the events of the last record, valid until the next one.
func (j *Judge) Events() []ecs.Event { return j.events }

// Judge judges one record by the set. A panic below it is a defect of ours and
// costs this record alone: it becomes a fault, and the normalizer is made anew.
func (j *Judge) Judge(r *normalize.Record, set *detector.Set) (v Verdict) {
	j.events, j.alerts = j.events[:0], j.alerts[:0]
	if normalize.Blank(r.Value) {
		return Verdict{Outcome: Skipped}
	}
	defer func() {
		if p := recover(); p != nil {
			v = j.panicked(p)
		}
	}()
	j.stage = StageNormalize
	var err error
	j.events, err = j.normalizer.Normalize(j.events, r)
	v.Events = len(j.events)
	if v.Events > 0 {
		v.Outcome = NoMatch
	}
	if err != nil {
		v.Outcome, v.Fault = Unreadable, asFault(err)
	}
	j.stage = StageDetect
	for i := range j.events {
		e := &j.events[i]
		for _, rule := range set.Match(j.matched[:0], e) {
			v.Outcome = Alerting
			j.alerts = append(j.alerts, detector.NewAlert(rule, e, detector.Origin{
				Source: j.source.Name, Shape: e.Shape, Topic: j.topic, Partition: j.partition,
				Offset: e.Offset, Index: e.Index, Rules: set.Hash(),
			}))
		}
	}
	v.Alerts = j.alerts
	return v
}

func asFault(err error) *Fault {
	f := &Fault{Stage: StageNormalize, Reason: normalize.Shape, Message: err.Error()}
	if e, ok := errors.AsType[*normalize.Error](err); ok {
		f.Reason = e.Reason
	}
	return f
}

// panicked is the verdict on the record that caused a panic. The alerts it had
// raised by then stand.
func (j *Judge) panicked(p any) Verdict {
	j.normalizer = j.source.New()
	v := Verdict{
		Outcome: Unreadable,
		Alerts:  j.alerts,
		Fault: &Fault{
			Stage: j.stage, Reason: Panic,
			// The value of a panic may quote the record; its type cannot.
			Message: fmt.Sprintf("imdswatch panicked on this record (%T)", p),
			Stack:   debug.Stack(),
		},
	}
	if len(v.Alerts) > 0 {
		v.Outcome = Alerting
	}
	return v
}
