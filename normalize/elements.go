package normalize

import (
	"bytes"
	"fmt"
)

// Some senders put many objects into one record: Event Hubs deliver an envelope,
// {"records":[…]}, relays an array, exports a line each. This file finds them.

// elements walks over the objects of a record, be it one or many. The record's
// members read each as if it stood alone, but what they lend stays valid until
// the next record.
//
//	it := m.elements(value, batch)
//	for it.next() {
//		… // m holds the members of the element it.index
//	}
//	return m.err
//
// A bad element never hides its neighbours. Where it cannot be read its end is
// found by balancing, and it is handed out all the same, with the members that
// stand before the fault. The record's fault is the first one; it names the
// element, and how many are bad. The work is linear in the record's size: it is
// scanned once, what is broken once more, and an envelope that does not begin
// with its batch two times.
type elements struct {
	m     *members
	batch path // the member whose values stand for its object, -1 if there is none

	index int    // the element's place among all that the record has, bad ones included
	start int    // where it begins in the document
	shape string // what it stands in: "record" where it is alone, "lines", "array" or "records"

	at      int // behind what was read
	inside  enclosure
	fresh   bool // at is right behind what opens the enclosure
	batches bool // an array or an envelope was entered
	open    bool // the element's faults are still to be counted
	clean   bool // there was no fault before it
	faults  int  // how many faults there were before it
	bad     int  // how many elements had one
}

// enclosure is what the walk is in.
type enclosure byte

const (
	onTop      enclosure = iota
	inArray              // an array on top
	inEnvelope           // an object with the batch member
	inBatch              // the array that is the batch
)

// elements begins the walk over a record.
func (m *members) elements(value []byte, batch path) elements {
	m.reset()
	m.doc, m.base, m.err = text(value)
	return elements{m: m, batch: batch, index: -1}
}

// next reads the next object that the record has for an element.
func (it *elements) next() bool {
	it.settle()
	for {
		i, read := it.m.space(it.at), false
		if i >= len(it.m.doc) {
			it.end(i)
			return false
		}
		switch it.inside {
		case onTop:
			read = it.top(i)
		case inEnvelope:
			read = it.member(i)
		default:
			read = it.slot(i)
		}
		if read {
			return true
		}
	}
}

// end is the fault of the whole record, if there is one.
func (it *elements) end(i int) {
	switch {
	case it.inside != onTop:
		it.m.bad(i, "")
	case it.index < 0 && !it.batches:
		it.m.fail(Syntax, i, "record is empty, want a JSON object")
	}
	it.finish()
}

// finish ends the walk, be it before its end.
func (it *elements) finish() {
	it.settle()
	if it.bad > 1 {
		it.m.err.Message += fmt.Sprintf("; %d elements are bad", it.bad)
		it.bad = 0
	}
}

// begin starts an element. What was noted since the last one is not its fault.
func (it *elements) begin(i int, shape string) {
	it.index, it.start, it.shape = it.index+1, i, shape
	it.open, it.clean, it.faults = true, it.m.err == nil, it.m.faults
}

// settle counts the element that was begun last, if it has a fault by now.
func (it *elements) settle() {
	if !it.open {
		return
	}
	it.open = false
	if it.m.faults == it.faults {
		return
	}
	it.bad++
	if it.clean && it.shape != "record" {
		it.m.err.Message = fmt.Sprintf("element %d: %s", it.index, it.m.err.Message)
	}
}

// top reads a value that stands in nothing else.
func (it *elements) top(i int) bool {
	m, first := it.m, it.index < 0 && !it.batches
	switch m.doc[i] {
	case '[':
		it.inside, it.at, it.fresh, it.batches = inArray, i+1, true, true
		return false
	case '{':
		if it.opensBatch(i) {
			it.enter(i)
			return false
		}
		it.begin(i, "lines")
		end := it.read(i)
		if it.isEnvelope(i, end) {
			it.index, it.open, m.faults = it.index-1, false, it.faults
			if it.clean {
				m.err = nil
			}
			it.enter(i)
			return false
		}
		it.behindTop(end)
	default:
		it.begin(i, "lines")
		it.behindTop(it.foreign(i))
	}
	if first && m.space(it.at) == len(m.doc) {
		it.shape = "record"
	}
	if m.doc[i] != '{' {
		it.settle()
		return false
	}
	return true
}

// behindTop goes on behind an element that stands in nothing else: another one
// follows on the same line or on the next one.
func (it *elements) behindTop(i int) {
	m := it.m
	for i < len(m.doc) && (m.doc[i] == ' ' || m.doc[i] == '\t' || m.doc[i] == '\r') {
		i++
	}
	if i < len(m.doc) && m.doc[i] != '\n' && m.doc[i] != '{' && m.doc[i] != '[' {
		m.fail(Syntax, i, "more text behind the end of the object")
		i = it.garbage(i)
	}
	it.at = i
}

// slot reads an element of an array.
func (it *elements) slot(i int) bool {
	c, end, shape := it.m.doc[i], i, "array"
	if it.inside == inBatch {
		shape = "records"
	}
	if c == ']' && it.fresh {
		it.leave(i + 1)
		return false
	}
	it.fresh = false
	it.begin(i, shape)
	switch c {
	case '{':
		end = it.read(i)
	case ',', ']':
		it.m.bad(i, "want a value")
	default:
		end = it.foreign(i)
	}
	it.behindSlot(end)
	if c != '{' {
		it.settle()
	}
	return c == '{'
}

// behindSlot goes on behind an element of an array.
func (it *elements) behindSlot(i int) {
	m := it.m
	i = m.space(i)
	if i < len(m.doc) && m.doc[i] != ',' && m.doc[i] != ']' {
		m.bad(i, "want a comma or a closing bracket")
		i = it.garbage(i)
	}
	switch {
	case i < len(m.doc) && m.doc[i] == ',':
		it.at = i + 1
	case i < len(m.doc) && m.doc[i] == ']':
		it.leave(i + 1)
	default:
		it.at = i
	}
}

// enter goes into the envelope at i.
func (it *elements) enter(i int) {
	it.inside, it.at, it.fresh, it.batches = inEnvelope, i+1, true, true
}

// leave goes on behind an array or an envelope.
func (it *elements) leave(i int) {
	if it.at = i; it.inside == inBatch {
		it.inside = inEnvelope
	} else {
		it.inside = onTop
	}
}

// member reads a member of an envelope, with the comma before it.
func (it *elements) member(i int) bool {
	m := it.m
	switch c := m.doc[i]; {
	case c == '}':
		it.leave(i + 1)
		return false
	case it.fresh:
		it.fresh = false
	case c == ',':
		i = m.space(i + 1)
	default:
		m.bad(i, "want a comma or a closing brace")
		if c == '{' && m.doc[i-1] == '\n' {
			it.leave(i) // the next line of a record whose envelope was cut off
		} else {
			it.at = it.garbage(i)
		}
		return false
	}
	if i >= len(m.doc) || m.doc[i] != '"' {
		m.bad(i, "want a member name in quotes")
		it.at = it.garbage(i)
		return false
	}
	end, escaped := m.str(i + 1)
	if end < 0 {
		it.at = it.garbage(i)
		return false
	}
	isBatch := it.names(m.doc[i+1:end], escaped)
	if i = m.space(end + 1); i >= len(m.doc) || m.doc[i] != ':' {
		m.bad(i, "want a colon behind a member name")
		it.at = it.garbage(i)
		return false
	}
	i = m.space(i + 1)
	switch {
	case i >= len(m.doc):
		it.at = i
		return false
	case !isBatch:
		if it.at = m.value(i, nothing, 1); it.at < 0 {
			it.at = it.garbage(i)
		}
		return false
	case m.doc[i] == '[':
		it.inside, it.at, it.fresh = inBatch, i+1, true
		return false
	}
	it.begin(i, "records") // one element that is no array, as everywhere in a document
	if m.doc[i] == '{' {
		it.at = it.read(i)
		return true
	}
	it.at = it.foreign(i)
	it.settle()
	return false
}

// read reads the object at i and returns the place behind it.
func (it *elements) read(i int) int {
	m := it.m
	clear(m.slots)
	m.found = m.found[:1]
	if end := m.value(i, 0, 0); end >= 0 {
		return end
	}
	return m.closing(i, m.last)
}

// foreign notes that the value at i is no object and returns the place behind it.
func (it *elements) foreign(i int) int {
	m := it.m
	if m.err == nil {
		if end := m.value(i, nothing, 0); end >= 0 {
			m.fail(Shape, i, "want a JSON object")
			return end
		}
	} else {
		m.faults, m.last = m.faults+1, i // which of the two it is goes unsaid
	}
	if m.doc[i] == '[' {
		return m.closing(i, len(m.doc))
	}
	return it.garbage(i)
}

// opensBatch reports whether the object at i begins with the batch member, as
// Event Hubs' do.
func (it *elements) opensBatch(i int) bool {
	doc := it.m.doc
	if i = it.m.space(i + 1); i >= len(doc) || doc[i] != '"' {
		return false
	}
	name, _, _ := bytes.Cut(doc[i+1:], []byte{'"'})
	return it.names(name, false)
}

// isEnvelope reports whether the object that was read has the batch member. A
// broken one may have it behind the fault; one of which nothing else is known
// may have an empty array there, which for the members is nothing at all.
func (it *elements) isEnvelope(i, end int) bool {
	switch {
	case it.batch < 0:
		return false
	case it.m.has(it.batch):
		return true
	}
	return (it.m.faults > it.faults || len(it.m.found) == 1) && it.holdsBatch(i, end)
}

// holdsBatch reports whether an object has the batch member, as far as
// balancing tells.
func (it *elements) holdsBatch(i, end int) bool {
	m, depth := it.m, 0
	for i < end {
		switch m.doc[i] {
		case '"':
			name := i + 1
			i = m.quoted(i)
			if c := m.space(i); depth == 1 && c < end && m.doc[c] == ':' && it.names(m.doc[name:i-1], false) {
				if c = m.space(c + 1); c < end && m.doc[c] == '[' {
					return true
				}
			}
			continue
		case '{':
			depth++
		case '}':
			depth--
		}
		i++
	}
	return false
}

// names reports whether a name on top of an object is the batch member's.
func (it *elements) names(name []byte, escaped bool) bool {
	m, from := it.m, len(it.m.buf)
	if escaped {
		m.buf = unescape(m.buf, name)
		name = m.buf[from:]
	}
	n := m.step(0, name)
	m.buf = m.buf[:from]
	return it.batch >= 0 && n >= 0 && m.nodes[n].path == it.batch
}
