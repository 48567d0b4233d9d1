// Package ecs is the event row that normalizers write and rules read: named,
// typed fields after the Elastic Common Schema, each with none, one or several
// values, because a rule asks whether any value of a field matches.
package ecs

import "math"

// Value is one value of a field. The field's kind decides which accessor holds
// it; the others are zero.
type Value struct {
	text []byte
	bits uint64
}

// Text is the value of a keyword, wildcard or ip field. It is a view with the
// lifetime of its event.
func (v Value) Text() []byte { return v.text }

// Int is the value of a long field, or of a date in nanoseconds since 1970 UTC.
func (v Value) Int() int64 { return int64(v.bits) }

// Float is the value of a double field.
func (v Value) Float() float64 { return math.Float64frombits(v.bits) }

// Bool is the value of a boolean field.
func (v Value) Bool() bool { return v.bits != 0 }

// Event is a row of values by field. Text values are views: they live as long
// as whatever the writer lent, see normalize.Normalizer; Clone makes an event
// that owns its text. The zero Event has no schema; make one with NewEvent or
// Grow. An event is not safe for concurrent writing.
type Event struct {
	// Offset is where the event begins: the Kafka offset of its record, or of
	// the first record of an event that was joined from several.
	Offset int64
	// Index is the place of the event's element in its record: 0 where a record
	// holds one event.
	Index int
	// Shape is the wrapping in which the source sent the event.
	Shape string
	// Source is the name of the source that the record itself told; empty where
	// the source was known.
	Source string

	schema *Schema
	row    [][]Value
	set    []Field // the fields with values, so that Reset need not walk the row
}

// NewEvent is an empty event of the schema.
func NewEvent(s *Schema) *Event {
	return &Event{schema: s, row: make([][]Value, s.Len())}
}

// Grow extends events by one empty event of the schema and reuses the memory of
// an event that was there before, if there is one. The pointer is valid until
// events grows again.
func Grow(events []Event, s *Schema) ([]Event, *Event) {
	if len(events) < cap(events) {
		events = events[:len(events)+1]
	} else {
		events = append(events, Event{})
	}
	e := &events[len(events)-1]
	if e.schema != s {
		*e = *NewEvent(s)
	}
	e.Reset()
	return events, e
}

// keepValues is how many values of a field a reset event keeps memory for;
// beyond that one hostile record would cost its size for ever.
const keepValues = 1 << 12

// Reset empties the event and keeps its memory for the next one.
func (e *Event) Reset() {
	for _, f := range e.set {
		clear(e.row[f]) // a view left behind would keep its record alive
		e.row[f] = e.row[f][:0]
		if cap(e.row[f]) > keepValues {
			e.row[f] = nil
		}
	}
	e.set = e.set[:0]
	e.Offset, e.Index, e.Shape, e.Source = 0, 0, "", ""
}

// Schema is the schema of the event.
func (e *Event) Schema() *Schema { return e.schema }

// Values are the values of f, none if the field is absent. The slice is valid
// until the event is written to again.
func (e *Event) Values(f Field) []Value { return e.row[f] }

// Fields are the fields that have a value, in no order. The slice is valid until
// the event is written to again.
func (e *Event) Fields() []Field { return e.set }

// Has reports whether f has a value. The empty text is a value.
func (e *Event) Has(f Field) bool { return len(e.row[f]) > 0 }

// First is the first text value of f, nil if there is none.
func (e *Event) First(f Field) []byte {
	if len(e.row[f]) == 0 {
		return nil
	}
	return e.row[f][0].text
}

func (e *Event) add(f Field, v Value) {
	if len(e.row[f]) == 0 {
		e.set = append(e.set, f)
	}
	e.row[f] = append(e.row[f], v)
}

// Add adds a text value to f and borrows it.
func (e *Event) Add(f Field, text []byte) { e.add(f, Value{text: text}) }

// AddInt adds a value to a long or date field.
func (e *Event) AddInt(f Field, n int64) { e.add(f, Value{bits: uint64(n)}) }

// AddFloat adds a value to a double field.
func (e *Event) AddFloat(f Field, x float64) { e.add(f, Value{bits: math.Float64bits(x)}) }

// AddBool adds a value to a boolean field.
func (e *Event) AddBool(f Field, b bool) {
	v := Value{}
	if b {
		v.bits = 1
	}
	e.add(f, v)
}

// Clear makes f absent.
func (e *Event) Clear(f Field) {
	if len(e.row[f]) == 0 {
		return
	}
	clear(e.row[f])
	e.row[f] = e.row[f][:0]
	for i, g := range e.set {
		if g == f {
			e.set = append(e.set[:i], e.set[i+1:]...)
			return
		}
	}
}

// Clone is a copy that owns its text: what may leave a batch.
func (e *Event) Clone() *Event {
	size := 0
	for _, f := range e.set {
		for _, v := range e.row[f] {
			size += len(v.text)
		}
	}
	c := NewEvent(e.schema)
	c.Offset, c.Index, c.Shape, c.Source = e.Offset, e.Index, e.Shape, e.Source
	buf := make([]byte, 0, size)
	for _, f := range e.set {
		for _, v := range e.row[f] {
			if v.text != nil {
				start := len(buf)
				buf = append(buf, v.text...)
				v.text = buf[start:len(buf):len(buf)]
			}
			c.add(f, v)
		}
	}
	return c
}
