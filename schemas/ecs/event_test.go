package ecs

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const (
	fText Field = iota
	fLong
	fDouble
	fBool
	fDate
	fList
)

func rowSchema(t testing.TB) *Schema {
	return schema(t, Def{Name: "o.text"}, Def{Name: "o.long", Kind: Long}, Def{Name: "double", Kind: Double},
		Def{Name: "bool", Kind: Boolean}, Def{Name: "date", Kind: Date}, Def{Name: "o.list", Kind: Wildcard, List: true})
}

// fill sets every field and returns the bytes that the texts borrow.
func fill(e *Event) []byte {
	lent := []byte("alpha beta gamma")
	e.Add(fText, lent[:5])
	e.AddInt(fLong, math.MinInt64)
	e.AddFloat(fDouble, -0.5)
	e.AddBool(fBool, true)
	e.AddBool(fBool, false)
	e.AddInt(fDate, 1)
	e.Add(fList, lent[6:10])
	e.Add(fList, lent[11:])
	e.Offset, e.Index, e.Shape = 7, 2, "nested"
	return lent
}

// dump is everything that can be read from an event.
func dump(e *Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %q", e.Offset, e.Index, e.Shape)
	for f := range Field(e.Schema().Len()) {
		fmt.Fprintf(&b, " %s=%v,%q:", e.Schema().Name(f), e.Has(f), e.First(f))
		for _, v := range e.Values(f) {
			fmt.Fprintf(&b, "%q,%d,%v,%v;", v.Text(), v.Int(), v.Float(), v.Bool())
		}
	}
	return b.String()
}

func TestValuesComeBackByKindAndInOrder(t *testing.T) {
	e := NewEvent(rowSchema(t))
	fill(e)
	for _, c := range []struct{ what, got, want any }{
		{"text", string(e.Values(fText)[0].Text()), "alpha"},
		{"first", string(e.First(fList)), "beta"},
		{"second", string(e.Values(fList)[1].Text()), "gamma"},
		{"long", e.Values(fLong)[0].Int(), int64(math.MinInt64)},
		{"double", e.Values(fDouble)[0].Float(), -0.5},
		{"true", e.Values(fBool)[0].Bool(), true},
		{"false", e.Values(fBool)[1].Bool(), false},
		{"date", e.Values(fDate)[0].Int(), int64(1)},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestEmptyTextIsAValueAndAbsenceIsNone(t *testing.T) {
	e := NewEvent(rowSchema(t))
	if e.Has(fText) || e.First(fText) != nil || len(e.Values(fText)) != 0 {
		t.Error("a new event has a value")
	}
	e.Add(fText, []byte{})
	if !e.Has(fText) || e.First(fText) == nil || len(e.Values(fText)) != 1 {
		t.Error("the empty text is no value")
	}
}

func TestAddBorrowsAndCloneOwns(t *testing.T) {
	e := NewEvent(rowSchema(t))
	lent := fill(e)
	c := e.Clone()
	want := dump(e)
	if got := dump(c); got != want {
		t.Errorf("clone is %s, want %s", got, want)
	}
	for i := range lent {
		lent[i] = '#'
	}
	if dump(c) != want {
		t.Errorf("clone changed with the bytes its original had borrowed: %s", dump(c))
	}
	if string(e.First(fText)) != "#####" {
		t.Errorf("event copied what it should borrow: %q", e.First(fText))
	}
	e.Add(fText, []byte("late"))
	e.Clear(fLong)
	if dump(c) != want {
		t.Errorf("clone changed with its original: %s", dump(c))
	}
	// Texts of a clone share one buffer: appending to one must not reach the next.
	_ = append(c.First(fText), "overrun"...)
	if dump(c) != want {
		t.Errorf("appending to a text of the clone reached another: %s", dump(c))
	}
	if got := dump(c.Clone()); got != want {
		t.Errorf("clone of the clone is %s, want %s", got, want)
	}
}

func TestCloneKeepsNilAndEmptyTextApart(t *testing.T) {
	e := NewEvent(rowSchema(t))
	e.AddInt(fLong, 0)
	e.Add(fText, []byte{})
	c := e.Clone()
	if c.Values(fLong)[0].Text() != nil || c.First(fText) == nil {
		t.Errorf("text of a long is %v, empty text is %v, want nil and not nil", c.Values(fLong)[0].Text(), c.First(fText))
	}
}

func TestClearAndResetLeaveWhatTheySay(t *testing.T) {
	s := rowSchema(t)
	empty := dump(NewEvent(s))
	for cleared := range Field(s.Len()) {
		e, want := NewEvent(s), NewEvent(s)
		fill(e)
		fill(want)
		values := e.Values(cleared)
		e.Clear(cleared)
		e.Clear(cleared) // of an absent field: nothing
		if values[0].Text() != nil || values[0].Int() != 0 {
			t.Errorf("%s: a cleared value still holds its text", s.Name(cleared))
		}
		want.row[cleared] = nil
		if dump(e) != dump(want) {
			t.Errorf("%s: cleared is %s, want %s", s.Name(cleared), dump(e), dump(want))
		}
		e.Reset()
		if dump(e) != empty {
			t.Errorf("%s: reset is %s, want %s", s.Name(cleared), dump(e), empty)
		}
		fill(e)
		want = NewEvent(s)
		fill(want)
		if dump(e) != dump(want) {
			t.Errorf("%s: filled again is %s, want %s", s.Name(cleared), dump(e), dump(want))
		}
	}
}

func TestResetHoldsNoView(t *testing.T) {
	e := NewEvent(rowSchema(t))
	fill(e)
	e.Reset()
	for f := range Field(e.Schema().Len()) {
		for _, v := range e.row[f][:cap(e.row[f])] {
			if v.text != nil {
				t.Errorf("%s: %q is held after the reset", e.Schema().Name(f), v.text)
			}
		}
	}
}

func TestGrowReusesRowsAndEmptiesThem(t *testing.T) {
	s, other := rowSchema(t), rowSchema(t)
	var events []Event
	var e *Event
	for i := range 3 {
		events, e = Grow(events, s)
		if len(events) != i+1 || e != &events[i] || e.Schema() != s {
			t.Fatalf("%d events, the new one is not the last or not of the schema", len(events))
		}
		fill(e)
	}
	empty := dump(NewEvent(s))
	allocs := testing.AllocsPerRun(100, func() {
		events, e = Grow(events[:0], s)
		e.AddInt(fLong, 1)
	})
	if allocs != 0 {
		t.Errorf("growing into memory that is there allocates %v times", allocs)
	}
	events, e = Grow(events[:1], s)
	if dump(e) != empty {
		t.Errorf("grown event is %s, want %s", dump(e), empty)
	}
	events, e = Grow(events[:2], other)
	if e.Schema() != other || dump(e) != empty {
		t.Errorf("grown event of another schema is %s", dump(e))
	}
}

func TestResetKeepsTheMemoryOfUsualRowsAlone(t *testing.T) {
	e := NewEvent(rowSchema(t))
	for range keepValues + 1 {
		e.Add(fList, nil)
	}
	e.Add(fText, nil)
	e.Reset()
	if n := cap(e.row[fList]); n > keepValues {
		t.Errorf("memory for %d values is kept, want %d or less", n, keepValues)
	}
	if cap(e.row[fText]) == 0 {
		t.Error("no memory is kept for the next event")
	}
}
