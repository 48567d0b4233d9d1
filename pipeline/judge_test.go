package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// scripted is a normalizer that reads "+" as an attack, "-" as another process
// start and "!" as an element that it cannot read.
type scripted struct{ attack, other ecs.Event }

func (n *scripted) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	var err error
	for i, c := range string(r.Value) {
		e := n.other
		switch c {
		case '!':
			err = &normalize.Error{Reason: normalize.Shape, Message: "an element is no object"}
			continue
		case '?':
			err = errors.New("something else")
			continue
		case '+':
			e = n.attack
		}
		e.Offset, e.Index = r.Offset, i
		dst = append(dst, e)
	}
	return dst, err
}

func newScripted(t *testing.T) *normalize.Source {
	one := func(value []byte) ecs.Event {
		events, err := defend.New().Normalize(nil, &normalize.Record{Value: value})
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events: %v", len(events), err)
		}
		return *events[0].Clone()
	}
	n := &scripted{attack: one(attack(t, defend)), other: one(nearMiss(t, defend))}
	return &normalize.Source{Name: "scripted", New: func() normalize.Normalizer { return n }}
}

func TestVerdicts(t *testing.T) {
	set := builtinSet(t)
	for _, tt := range []struct {
		value          string
		outcome        Outcome
		events, alerts int
		fault          normalize.Reason
	}{
		{"", Skipped, 0, 0, ""},
		{" \r\n", Skipped, 0, 0, ""},
		{"-", NoMatch, 1, 0, ""},
		{"--", NoMatch, 2, 0, ""},
		{"-+-+", Alerting, 4, 2, ""},
		{"!", Unreadable, 0, 0, normalize.Shape},
		{"-!", Unreadable, 1, 0, normalize.Shape},
		{"!+", Alerting, 1, 1, normalize.Shape}, // judged, and a dead letter besides
		{"?", Unreadable, 0, 0, normalize.Shape},
	} {
		j := NewJudge(newScripted(t), "in", 4)
		j.Judge(&normalize.Record{Value: []byte("+++!"), Offset: 1}, set) // leaves nothing behind
		v := j.Judge(&normalize.Record{Value: []byte(tt.value), Offset: 9}, set)
		var fault normalize.Reason
		if v.Fault != nil {
			fault = v.Fault.Reason
			if v.Fault.Stage != StageNormalize || v.Fault.Error() == "" {
				t.Errorf("%q: fault %+v", tt.value, v.Fault)
			}
		}
		if v.Outcome != tt.outcome || v.Events != tt.events || len(v.Alerts) != tt.alerts || fault != tt.fault {
			t.Errorf("%q: outcome %v, %d events, %d alerts, fault %q; want %v, %d, %d, %q",
				tt.value, v.Outcome, v.Events, len(v.Alerts), fault, tt.outcome, tt.events, tt.alerts, tt.fault)
		}
		if len(j.Events()) != tt.events {
			t.Errorf("%q: %d events are shown, want %d", tt.value, len(j.Events()), tt.events)
		}
		for _, a := range v.Alerts {
			if o := a.Origin; o.Topic != "in" || o.Partition != 4 || o.Offset != 9 || o.Source != "scripted" || tt.value[o.Index] != '+' {
				t.Errorf("%q: alert of %+v", tt.value, o)
			}
		}
	}
}

// What a record had raised before a panic stands.
func TestPanicKeepsTheAlertsBeforeIt(t *testing.T) {
	whole := newScripted(t)
	broken := &normalize.Source{Name: "broken", New: func() normalize.Normalizer { return brokenTail{whole.New()} }}
	j := NewJudge(broken, "in", 0)
	v := j.Judge(&normalize.Record{Value: []byte("+")}, builtinSet(t))
	if v.Outcome != Alerting || len(v.Alerts) != 1 || v.Fault == nil || v.Fault.Reason != Panic || v.Fault.Stage != StageDetect {
		t.Errorf("verdict %+v", v)
	}
}

// A record that is damaged besides does not hide a panic on it.
func TestPanicIsGraverThanDamage(t *testing.T) {
	whole := newScripted(t)
	broken := &normalize.Source{Name: "broken", New: func() normalize.Normalizer { return brokenTail{whole.New()} }}
	v := NewJudge(broken, "in", 0).Judge(&normalize.Record{Value: []byte("!")}, builtinSet(t))
	if v.Outcome != Unreadable || v.Counts[Unreadable] != 1 || v.Fault == nil || v.Fault.Reason != Panic {
		t.Errorf("verdict %+v", v)
	}
}

// A panic on one of several events that ended at once costs the others nothing:
// they are judged, and every record is counted once.
func TestPanicCostsTheEventsBehindItNothing(t *testing.T) {
	whole := newScripted(t)
	n := &joined{scripted: whole.New().(*scripted)}
	j := NewJudge(&normalize.Source{Name: "joined", Joins: true, New: func() normalize.Normalizer { return n }}, "in", 0)
	v := j.Judge(&normalize.Record{Value: []byte("-0+-")}, builtinSet(t))
	if v.Outcome != Alerting || len(v.Alerts) != 1 || v.Alerts[0].Origin.Index != 2 || v.Events != 4 {
		t.Errorf("verdict %+v", v)
	}
	if v.Fault == nil || v.Fault.Reason != Panic || v.Fault.Stage != StageDetect {
		t.Errorf("fault %+v", v.Fault)
	}
	if want := [outcomes]int{NoMatch: 4, Unreadable: 2, Alerting: 2}; v.Counts != want {
		t.Errorf("counts %v, want %v: two records an event", v.Counts, want)
	}
}

// joined is scripted as a joiner of two records an event; "0" is an event that
// makes the detector panic.
type joined struct {
	*scripted
	ended int
}

func (n *joined) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	dst, err := n.scripted.Normalize(dst, r)
	for i, c := range string(r.Value) {
		if c == '0' {
			dst[i] = ecs.Event{}
		}
	}
	n.ended = len(dst)
	return dst, err
}

func (n *joined) Expire(dst []ecs.Event, _ time.Time) []ecs.Event { return dst }
func (n *joined) Safe(next int64) int64                           { return next }
func (n *joined) Pending() int                                    { return 0 }
func (n *joined) Reset()                                          {}

func (n *joined) Settled() (records []int, skipped int) {
	for range n.ended {
		records = append(records, 2)
	}
	return records, 0
}

// brokenTail appends an event that makes the detector panic.
type brokenTail struct{ normalize.Normalizer }

func (n brokenTail) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	dst, err := n.Normalizer.Normalize(dst, r)
	return append(dst, ecs.Event{}), err
}
