package detector

import (
	"cmp"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// emit compiles a query that check found no fault in.
//
// It works from the end of the condition to its beginning, so that an
// instruction's targets are known when it is made, and turns the code around at
// the end. Terms are tested from the cheapest on: a query says what is true, not
// in which order to find out. late are the leaves that are nearly always true
// where the program runs; among the terms of an and they come last.
func emit(q *query, schema *ecs.Schema, fold Fold, late func(node) bool) *program {
	e := &emitter{program: program{schema: schema}, fold: fold, late: late}
	return e.run(e.whole(q))
}

// emitLeaf compiles a condition of a query by itself.
func emitLeaf(n node, schema *ecs.Schema, fold Fold) *program {
	e := &emitter{program: program{schema: schema}, fold: fold}
	return e.run(n)
}

type emitter struct {
	program
	fold Fold
	late func(node) bool
}

// whole is the query as one condition.
func (e *emitter) whole(q *query) node {
	if q.any {
		return q.cond
	}
	return &logic{terms: []node{categoryOf(q), q.cond}}
}

// categoryOf is the condition that the category of a query stands for.
func categoryOf(q *query) node {
	return &compare{
		left:  &field{at: q.at, name: categoryField},
		right: []node{&literal{at: q.at, value: textOf(q.category)}},
	}
}

func (e *emitter) run(n node) *program {
	n = e.simplify(n)
	if v, ok := n.(*literal); ok {
		e.entry = reject
		if v.value.isTrue() {
			e.entry = accept
		}
		return &e.program
	}
	e.entry = e.condition(n, accept, reject)
	last := int32(len(e.code) - 1)
	slices.Reverse(e.code)
	turn := func(at *int32) {
		if *at >= 0 {
			*at = last - *at
		}
	}
	turn(&e.entry)
	for i := range e.code {
		turn(&e.code[i].yes)
		turn(&e.code[i].no)
	}
	return &e.program
}

// simplify takes the constants out of a condition, or makes it one.
func (e *emitter) simplify(n node) node {
	switch n := n.(type) {
	case *logic:
		s := &logic{or: n.or}
		for _, t := range n.terms {
			t = e.simplify(t)
			if v, ok := t.(*literal); !ok {
				s.terms = append(s.terms, t)
			} else if v.value.isTrue() == n.or {
				return t
			}
		}
		switch len(s.terms) {
		case 0:
			return &literal{value: booleanOf(!n.or)}
		case 1:
			return s.terms[0]
		}
		return s
	case *not:
		t := e.simplify(n.term)
		if v, ok := t.(*literal); ok {
			return &literal{value: booleanOf(!v.value.isTrue())}
		}
		return &not{n.at, t}
	}
	if c, ok := n.(*compare); ok {
		if truth, same := c.truth(); truth != nil && same {
			return e.simplify(truth)
		} else if truth != nil {
			return e.simplify(&not{c.begins(), truth})
		}
	}
	if hasFields(n) {
		return n
	}
	if c, ok := n.(*compare); ok && c.op.negated() { // false of null, so its complement is true
		return &literal{value: booleanOf(!constantOf(c.positive(), e.fold).isTrue())}
	}
	return &literal{value: booleanOf(constantOf(n, e.fold).isTrue())}
}

// truth is the condition of which n asks whether it is true or, if not same,
// whether it is false; nil if n asks something else. f(x) == false is not f(x),
// while the boolean field x == false is false of an absent x, as x is.
func (n *compare) truth() (cond node, same bool) {
	if n.op > notEqual {
		return nil, false
	}
	n = n.turned()
	l, ok := n.right[0].(*literal)
	if !ok || l.value.kind != boolean {
		return nil, false
	}
	switch left := n.left.(type) {
	case *compare, *logic, *not:
		cond = left
	case *call:
		if left.fn.result == booleans {
			cond = left
		}
	}
	return cond, l.value.isTrue() == (n.op == equal)
}

// condition emits n and returns where it begins; from there it goes on to yes if
// n is true of an event, else to no.
func (e *emitter) condition(n node, yes, no int32) int32 {
	switch n := n.(type) {
	case *logic:
		entry := yes
		if n.or {
			entry = no
		}
		for _, t := range slices.Backward(e.order(n)) {
			if n.or {
				entry = e.condition(t, yes, entry)
			} else {
				entry = e.condition(t, entry, no)
			}
		}
		return entry
	case *not:
		return e.condition(n.term, no, yes)
	}
	return e.leaf(n, yes, no)
}

// order is the terms of n in the order in which they are tested.
func (e *emitter) order(n *logic) []node {
	type priced struct {
		term node
		cost int
	}
	terms := make([]priced, len(n.terms))
	for i, t := range n.terms {
		terms[i] = priced{t, e.cost(t)}
		if !n.or && e.late != nil && e.late(t) {
			terms[i].cost = 1 << 30
		}
	}
	slices.SortStableFunc(terms, func(a, b priced) int { return cmp.Compare(a.cost, b.cost) })
	ordered := make([]node, len(terms))
	for i, t := range terms {
		ordered[i] = t.term
	}
	return ordered
}

// cost guesses how long a condition takes, in units of a short comparison.
func (e *emitter) cost(n node) int {
	switch n := n.(type) {
	case *logic:
		sum := 0
		for _, t := range n.terms {
			sum += e.cost(t)
		}
		return sum
	case *not:
		return e.cost(n.term)
	case *field:
		return 1
	case *compare:
		f, ok := n.left.(*field)
		if !ok {
			break
		}
		return e.costOf(f) * costOfValues(n)
	}
	return 60 // a function
}

// costOf weighs a field: arguments are several values, command lines long ones.
func (e *emitter) costOf(n *field) int {
	f, known := e.schema.Lookup(n.name)
	switch {
	case !known:
		return 1
	case e.schema.Def(f).List && strings.HasSuffix(n.name, "args"), e.schema.Kind(f) == ecs.Wildcard:
		return 3
	}
	return 1
}

func costOfValues(n *compare) int {
	switch {
	case n.op.regex():
		return 40 * len(n.right)
	case !n.op.pattern():
		return min(2*len(n.right), 4)
	}
	cost, exact := 0, false
	for _, r := range n.right {
		if p := string(r.(*literal).value.text); !strings.ContainsAny(p, "*?") {
			exact = true
		} else if strings.HasPrefix(p, "*") && len(strings.Trim(p, "*")) > 0 {
			cost += 6
		} else {
			cost += 2
		}
	}
	if exact {
		cost += 4
	}
	return cost
}

// leaf emits a condition that is neither and, or nor not.
func (e *emitter) leaf(n node, yes, no int32) int32 {
	in := instruction{yes: yes, no: no}
	switch n := n.(type) {
	case *field:
		return e.compare(n, equal, []value{booleanOf(true)}, in)
	case *call:
		if e.affix(n, &in) {
			return e.add(in)
		}
	case *compare:
		if n.op.negated() {
			in.yes, in.no = in.no, in.yes
			n = n.positive()
		}
		n = n.turned()
		if f, ok := n.left.(*field); ok && !slices.ContainsFunc(n.right, hasFields) {
			values := make([]value, len(n.right))
			for i, r := range n.right {
				values[i] = constantOf(r, e.fold)
			}
			return e.compare(f, n.op, values, in)
		}
		return e.eval(n, in)
	}
	return e.eval(n, in)
}

func hasFields(n node) bool { return len(fieldsOf(nil, n)) > 0 }

// positive is n without its negation.
func (n *compare) positive() *compare {
	p := *n
	switch n.op {
	case notEqual:
		p.op = equal
	case notIn:
		p.op = in
	case notInFold:
		p.op = inFold
	}
	return &p
}

// turned is n with a constant to the right, if there is one.
func (n *compare) turned() *compare {
	if n.op > greaterEqual || hasFields(n.left) {
		return n
	}
	return &compare{op: n.op.mirrored(), left: n.right[0], right: []node{n.left}}
}

// affix makes a test of startsWith, endsWith and stringContains of a field and a
// constant.
func (e *emitter) affix(n *call, in *instruction) bool {
	f, ok := n.args[0].(*field)
	if !ok || len(n.args) < 2 || slices.ContainsFunc(n.args[1:], hasFields) {
		return false
	}
	known, ok := e.schema.Lookup(f.name)
	if !ok {
		return false
	}
	part := constantOf(n.args[1], e.fold)
	if n.fn.result != booleans || part.kind != textual {
		return false
	}
	in.field, in.fold = known, n.fold
	if n.fn.name == "cidrMatch" {
		in.op, in.arg = opAddress, int32(len(e.blocks))
		e.blocks = append(e.blocks, e.blocksOf(n.args[1:]))
		return true
	}
	text := string(part.text)
	if n.fold {
		text = e.fold.text(text)
	}
	switch n.fn.name {
	case "startsWith":
		in.op, in.arg = opPrefix, e.text(text)
	case "endsWith":
		in.op, in.arg = opSuffix, e.text(text)
	default:
		in.op, in.arg = opContains, int32(len(e.finds))
		e.finds = append(e.finds, newText(text, n.fold))
	}
	return true
}

func (e *emitter) blocksOf(args []node) (blocks []block) {
	for _, a := range args {
		if b, ok := parseBlock(constantOf(a, e.fold).text); ok {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func (e *emitter) text(s string) int32 {
	e.texts = append(e.texts, s)
	return int32(len(e.texts) - 1)
}

func (e *emitter) add(in instruction) int32 {
	e.code = append(e.code, in)
	return int32(len(e.code) - 1)
}
