package detector

import (
	"bytes"
	"cmp"
	"math"
	"sync"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// term is an expression that no single test of a field can answer: a function, a
// sum, a comparison within another. Elasticsearch runs a script for such a leaf:
// once for every combination of the values of its fields, an absent field being
// null. Within it null is a third truth value; the leaf is true if one of the
// combinations makes it true.
type term struct {
	node   node
	args   []*term
	value  value // of a literal
	slot   int   // of a field: its place in the leaf's fields; -1 of one that the schema lacks
	fold   bool
	blocks []block    // of cidrMatch
	right  *constants // to the right of a field of dates or addresses
	globs  []glob     // to the right of : and like; if fold is set folded as the value is
	regexs []*regex
}

// constants are those of a kind of field that is written otherwise than kept.
type constants struct {
	dates  []int64
	blocks []block
}

// weight is how many values and patterns a term deals with.
func (t *term) weight() int {
	w := 1 + len(t.globs) + len(t.regexs)
	for _, a := range t.args {
		w += a.weight()
	}
	return w
}

// leaf is a term and the fields it reads.
type leaf struct {
	source string // for listings
	term   *term
	weight int // of the term
	fields []ecs.Field
	kinds  []ecs.Kind
}

// machine is the memory of one evaluation.
type machine struct {
	row    []value // of the leaf's fields, a combination
	stack  []value
	memory []byte // of texts that functions made
	work   int    // bytes compared so far, about
}

var machines = sync.Pool{New: func() any { return new(machine) }}

// maxWork bounds the bytes that a leaf compares for one event, by its weight and
// with basicWork for a combination of whatever length. A leaf over two fields
// tries every pair of their values, and a hostile event has ten thousand in each;
// behind the bound the rest of the combinations is not tried. A leaf over one
// field takes time in proportion to the event, and tries every value.
const (
	maxWork   = 1 << 28
	basicWork = 64
)

// holds reports whether the leaf is true of e.
func (l *leaf) holds(e *ecs.Event) bool {
	m := machines.Get().(*machine)
	m.work = 0
	m.row = append(m.row[:0], make([]value, len(l.fields))...)
	result := l.any(m, e, 0)
	clear(m.row)
	clear(m.stack[:cap(m.stack)])
	if cap(m.memory) > keepText {
		m.memory = nil
	}
	machines.Put(m)
	return result
}

// any tries the values of the fields from i on.
func (l *leaf) any(m *machine, e *ecs.Event, i int) bool {
	if i == len(l.fields) {
		m.memory, m.stack = m.memory[:0], m.stack[:0]
		size := basicWork
		for _, v := range m.row {
			size += len(v.text)
		}
		m.work += size * l.weight
		return m.eval(l.term).isTrue()
	}
	values := e.Values(l.fields[i])
	if len(values) == 0 {
		m.row[i] = value{}
		return l.any(m, e, i+1)
	}
	for j := range values {
		switch l.kinds[i] {
		case ecs.Long, ecs.Date:
			m.row[i] = longOf(values[j].Int())
		case ecs.Double:
			m.row[i] = doubleOf(values[j].Float())
		case ecs.Boolean:
			m.row[i] = booleanOf(values[j].Bool())
		default:
			m.row[i] = value{kind: textual, text: values[j].Text()}
		}
		if l.any(m, e, i+1) {
			return true
		}
		if m.work > maxWork && len(l.fields) > 1 {
			return false
		}
	}
	return false
}

// folded is s with letters in one case.
func (m *machine) folded(s []byte) []byte {
	start := len(m.memory)
	m.memory = appendFolded(m.memory, s, java)
	return m.memory[start:len(m.memory):len(m.memory)]
}

// eval is what a term comes to. Texts live until the next combination.
func (m *machine) eval(t *term) value {
	switch n := t.node.(type) {
	case *literal:
		return t.value
	case *field:
		if t.slot < 0 {
			return value{}
		}
		return m.row[t.slot]
	case *call:
		base := len(m.stack)
		for _, a := range t.args {
			v := m.eval(a)
			m.stack = append(m.stack, v)
		}
		v := n.fn.eval(m, t, m.stack[base:])
		m.stack = m.stack[:base]
		return v
	case *arithmetic:
		if n.left == nil {
			return compute('-', longOf(0), m.eval(t.args[0]))
		}
		return compute(n.op, m.eval(t.args[0]), m.eval(t.args[1]))
	case *not:
		if v := m.eval(t.args[0]); v.kind == boolean {
			return booleanOf(!v.isTrue())
		}
		return value{}
	case *logic:
		return m.logic(n, t)
	case *compare:
		v := m.compare(n, t)
		if n.op.negated() && v.kind == boolean {
			return booleanOf(!v.isTrue())
		}
		return v
	}
	panic("detector: unknown node") // the compiler makes no other
}

// logic is and or or with three truth values: one term can decide, else a null
// term leaves it open.
func (m *machine) logic(n *logic, t *term) value {
	open := false
	for _, a := range t.args {
		v := m.eval(a)
		switch {
		case v.kind != boolean:
			open = true
		case v.isTrue() == n.or:
			return v
		}
	}
	if open {
		return value{}
	}
	return booleanOf(!n.or)
}

// compare is a comparison, negation apart.
func (m *machine) compare(n *compare, t *term) value {
	left := m.eval(t.args[0])
	if n.op <= notEqual && (isNull(n.left) || isNull(n.right[0])) {
		return booleanOf(left.kind == null && m.eval(t.args[1]).kind == null)
	}
	if left.kind == null {
		return value{}
	}
	if n.op.pattern() || n.op.regex() {
		return booleanOf(m.matches(t, left.text))
	}
	if t.right != nil {
		return booleanOf(t.right.holds(n.op, left))
	}
	open := false
	for _, a := range t.args[1:] {
		right := m.eval(a)
		if right.kind == null {
			open = open || !isNull(a.node) // a null in a list is passed over
			continue
		}
		if m.related(n.op, left, right) {
			return booleanOf(true)
		}
	}
	if open {
		return value{}
	}
	return booleanOf(false)
}

// holds reports whether a date or address stands in a relation to one of the
// constants.
func (t *constants) holds(op operator, v value) bool {
	for _, at := range t.dates {
		if holds(op, cmp.Compare(v.n, at)) {
			return true
		}
	}
	return len(t.blocks) > 0 && within(t.blocks, v.text)
}

// matches reports whether text matches one of the patterns of t.
func (m *machine) matches(t *term, text []byte) bool {
	for _, r := range t.regexs {
		if r.matches(text) {
			return true
		}
	}
	if t.fold && len(t.globs) > 0 {
		text = m.folded(text)
	}
	for i := range t.globs {
		if t.globs[i].matches(text) {
			return true
		}
	}
	return false
}

// related reports whether two values that are not null stand in a relation.
func (m *machine) related(op operator, a, b value) bool {
	if op == inFold || op == notInFold {
		a.text, b.text = m.folded(a.text), m.folded(b.text)
	}
	var c int
	switch {
	case a.kind == textual && b.kind == textual:
		c = bytes.Compare(a.text, b.text)
	case a.kind == long && b.kind == long, a.kind == boolean && b.kind == boolean:
		c = cmp.Compare(a.n, b.n)
	case a.numeric() && b.numeric():
		if a.x != a.x || b.x != b.x { // no number
			return false
		}
		c = compareNumbers(a, b)
	default:
		return false
	}
	return holds(op, c)
}

// compareNumbers orders a whole number and a double without rounding either.
func compareNumbers(a, b value) int {
	const beyond = 1 << 63 // the least double above all of int64
	switch {
	case a.kind == double && b.kind == double:
		return cmp.Compare(a.x, b.x)
	case a.kind == double:
		return -compareNumbers(b, a)
	case b.x >= beyond:
		return -1
	case b.x < -beyond:
		return 1
	}
	whole := math.Trunc(b.x)
	return cmp.Or(cmp.Compare(a.n, int64(whole)), cmp.Compare(whole, b.x))
}

// holds reports whether op is true of two values that compare as c.
func holds(op operator, c int) bool {
	switch op {
	case less:
		return c < 0
	case lessEqual:
		return c <= 0
	case greater:
		return c > 0
	case greaterEqual:
		return c >= 0
	}
	return c == 0
}

func isNull(n node) bool {
	l, ok := n.(*literal)
	return ok && l.value.kind == null
}
